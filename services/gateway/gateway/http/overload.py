"""Limit of what the gateway takes on: requests under way."""

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.http.concurrency import AdaptiveLimit
from gateway.http.middleware import SECURITY_HEADERS
from gateway.http.problem_details import problem
from marquee import telemetry
from marquee.health import PROBES


class OverloadMiddleware:
    """Refuses requests beyond a number under way with 503, at once.

    Beyond it more requests would only wait longer, until none is answered in time. Probes and
    metrics are never refused: a busy process is not a dead one. Only requests that have arrived
    as a whole come here, so that slow senders cannot hold the places of others.
    """

    def __init__(self, app: ASGIApp, limit: int | AdaptiveLimit) -> None:
        """Count nothing yet.

        Args:
            app: The app.
            limit: Requests under way, at most; or what counts them.
        """
        self._app = app
        self._limit = AdaptiveLimit(limit) if isinstance(limit, int) else limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        if not self._limit.enter():
            await _refuse(send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            self._limit.leave()


class EarlyRefusal:
    """Refuses what has no place before anything else looks at it: the outermost middleware.

    Every refusal takes time from good answers. `OverloadMiddleware` gives the places, further in.
    """

    def __init__(self, app: ASGIApp, limit: AdaptiveLimit) -> None:
        self._app, self._limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if self._limit.is_full and scope["type"] == "http" and scope["path"] not in PROBES:
            await _refuse(send)
        else:
            await self._app(scope, receive, send)


_REFUSAL = problem(
    "overloaded",
    "as many requests as the gateway takes on are under way",
    headers=SECURITY_HEADERS,
)
_START = {
    "type": "http.response.start",
    "status": _REFUSAL.status_code,
}
_BODY = {"type": "http.response.body", "body": _REFUSAL.body}


async def _refuse(send: Send) -> None:
    """Refuse a request by an answer that was made beforehand."""
    telemetry.OVERLOADED.inc()
    await send({**_START, "headers": list(_REFUSAL.raw_headers)})
    await send(_BODY)
