"""Middleware of every request: security headers of the response, and the limits of its body."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.http.problem_codes import CODES
from gateway.http.problem_details import problem
from marquee.limits import MAX_BODY_BYTES

MAX_HELD_BYTES = 64_000_000
"""Bytes of all bodies that have arrived in part, in one process."""

CSP = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none';"
    " frame-ancestors 'none'; form-action 'self'"
)
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": CSP,
    # Files of the page are revalidated each time, and answered 304 while unchanged.
    "Cache-Control": "no-cache",
}
"""Headers of every response that does not set its own."""
_ENCODED = [(name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]


class SecurityMiddleware:
    """Adds security headers to responses that do not set their own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.setdefault("headers", [])
                present = {name for name, _ in headers}
                message["headers"] = [*headers, *(h for h in _ENCODED if h[0] not in present)]
            await send(message)

        await self._app(scope, receive, with_headers)


class FaultMiddleware:
    """Reports unexpected faults within the other middleware, so that their headers are on it too.

    The fault is raised on: the server logs it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        has_begun = scope["type"] != "http"

        async def noting(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception:
            if not has_begun:
                await problem("internal", CODES["internal"][2])(scope, receive, send)
            raise


class BodyMiddleware:
    """Reads the body of a request before the app begins, so that slow senders hold no place in it.

    A body beyond the limit is refused, by its declared length before any of it is read. How long it
    may take to arrive is up to the server (`marquee.http_protocol`).
    """

    def __init__(self, app: ASGIApp, max_held: int = MAX_HELD_BYTES) -> None:
        """Hold nothing yet.

        Args:
            app: The app.
            max_held: Bytes of all bodies that have arrived in part, at most.
        """
        self._app, self._max_held = app, max_held
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _declared_length(scope) > MAX_BODY_BYTES:
            await problem("too_large", _TOO_LARGE)(scope, receive, send)
            return
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        if message.get("more_body", False):
            body = await self._rest(scope, receive, send, message["body"])
            if body is None:
                return
            message = {"type": "http.request", "body": body, "more_body": False}
        elif len(message.get("body", b"")) > MAX_BODY_BYTES:
            await problem("too_large", _TOO_LARGE)(scope, receive, send)
            return
        await self._app(scope, _beginning_with(message, receive), send)

    async def _rest(self, scope: Scope, receive: Receive, send: Send, begun: bytes) -> bytes | None:
        """Return the whole body; None where it was refused, or the caller has left."""
        body, counted = bytearray(begun), 0
        try:
            while True:
                self._held += len(body) - counted
                counted = len(body)
                if len(body) > MAX_BODY_BYTES:
                    await problem("too_large", _TOO_LARGE)(scope, receive, send)
                    return None
                if self._held > self._max_held:
                    await problem("overloaded", _HELD)(scope, receive, send)
                    return None
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                body += message.get("body", b"")
                if not message.get("more_body", False) and len(body) <= MAX_BODY_BYTES:
                    return bytes(body)
        finally:
            self._held -= counted


_TOO_LARGE = f"the body is larger than {MAX_BODY_BYTES} bytes"
_HELD = "too many bodies are arriving slowly"


def _declared_length(scope: Scope) -> int:
    """Return the body's length by the header Content-Length, 0 without one."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            # More digits than any length has are no number to convert.
            return int(value[:20]) if value.isdigit() else 0
    return 0


def _beginning_with(message: Message, receive: Receive) -> Receive:
    """Return `receive` with a message that was read already in front."""
    waiting: list[Message] = [message]

    async def begun() -> Message:
        return waiting.pop() if waiting else await receive()

    return begun
