"""Server-Sent Events (HTML standard, section 9.2): messages, and the response that sends them."""

from collections.abc import AsyncGenerator, Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.http.web.methods import is_head
from marquee.http_server.disconnect import CallerGone, StoppedWithCaller

MEDIA_TYPE = "text/event-stream"
HEARTBEAT = b":\n\n"
"""A comment: it keeps proxies from closing the connection, and no page sees it."""
_HEADERS = {
    "Content-Type": MEDIA_TYPE,
    "Cache-Control": "no-store",
    # nginx would collect the stream, and send nothing.
    "X-Accel-Buffering": "no",
}


def message(event: str, data: bytes, event_id: str = "") -> bytes:
    """Return a message.

    Args:
        event: Its type.
        data: JSON in one line.
        event_id: What the page sends as `Last-Event-ID` when it connects again.
    """
    head = f"id: {event_id}\n" if event_id else ""
    return f"{head}event: {event}\ndata: ".encode() + data + b"\n\n"


def reconnection(ms: int) -> bytes:
    """Return the field that says after how many milliseconds to connect again."""
    return f"retry: {ms}\n\n".encode()


class EventStream(Response):
    """A response that goes on until its messages end or the caller leaves.

    Nothing is collected: the next message is made once the last one has been taken. A caller that
    does not read is closed by the server (`marquee.http_protocol`).
    """

    def __init__(
        self, messages: AsyncGenerator[bytes, None], on_end: Callable[[], None] = lambda: None
    ) -> None:
        """Take the messages.

        Args:
            messages: They are closed in the end.
            on_end: Called in the end, even where no message was asked for.
        """
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._messages, self._on_end = messages, on_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Send the messages."""
        try:
            with StoppedWithCaller(scope):
                await self._send(send, is_head(scope))
        except CallerGone:
            pass
        finally:
            await self._messages.aclose()
            self._on_end()

    async def _send(self, send: Send, only_headers: bool) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        if not only_headers:
            async for part in self._messages:
                await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
