"""Security middleware: limit of the body's size, security headers of every response."""

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.http.problem_details import problem

MAX_BODY_BYTES = 1_000_000
"""Limit of a request's body."""

CSP = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none';"
    " frame-ancestors 'none'; form-action 'self'"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": CSP,
    # Files of the page are revalidated each time, and answered 304 while unchanged.
    "Cache-Control": "no-cache",
}


class SecurityMiddleware:
    """Refuses large bodies, and adds security headers to responses that do not set their own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if _declared_length(scope) > MAX_BODY_BYTES:
            await problem("too_large", _TOO_LARGE)(scope, receive, with_headers)
        else:
            await self._app(scope, _limited(receive), with_headers)


_TOO_LARGE = f"the body is larger than {MAX_BODY_BYTES} bytes"


def _declared_length(scope: Scope) -> int:
    """Return the body's length by the header Content-Length, 0 without one."""
    text = dict(scope["headers"]).get(b"content-length", b"0")
    return int(text) if text.isdigit() else 0


def _limited(receive: Receive) -> Receive:
    """Return `receive` with the size limit, for bodies without a Content-Length."""
    received = 0

    async def limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > MAX_BODY_BYTES:
            raise HTTPException(413, _TOO_LARGE)
        return message

    return limited
