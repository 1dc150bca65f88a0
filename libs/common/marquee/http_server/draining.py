"""Orderly stop of an HTTP server, so that a proxy in front of several loses no request.

Order of a stop (SIGTERM, or Ctrl-C):

1. Readiness turns 503, and every answer says `Connection: close`. Streams end, so that their
   callers connect elsewhere (`Stop`). The server still accepts: a proxy that has not asked for the
   readiness yet goes on sending. This pause is a setting.
2. The server stops accepting, closes idle connections and finishes the requests under way.
3. The parts of the app are closed.
"""

import asyncio
import json
import socket
import time
from collections.abc import Callable, MutableMapping
from types import FrameType
from typing import Any, Final, cast

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from marquee.health import READY, ready_document

STOP: Final = "marquee.stop"
"""Key of a request's scope: the server's `Stop`."""
_CLOSE: Final = (b"connection", b"close")
_TICK_S = 0.02
_NOT_READY: Final = json.dumps(ready_document(False, draining=True)).encode()


class Stop:
    """The end of a server, for requests that would not end by themselves."""

    def __init__(self) -> None:
        self._is_on = False
        self._told: dict[Callable[[], None], None] = {}

    def tell(self, callback: Callable[[], None]) -> None:
        """Call a callback when the stop begins, once however often it is named; at once after."""
        if self._is_on:
            callback()
        self._told[callback] = None

    def begin(self) -> None:
        """Tell all callbacks."""
        self._is_on = True
        for callback in self._told:
            callback()


def stop_in(scope: MutableMapping[str, Any]) -> Stop | None:
    """Return the stop of the server that a request came to, None where it tells none."""
    return cast("Stop | None", scope.get(STOP))


class Draining:
    """The ASGI app of a server that can be told to take no new work: readiness is 503 then."""

    def __init__(self, app: ASGIApp, root_path: str = "") -> None:
        """Pass everything to `app` until `is_on`; its paths may have a prefix."""
        self._app, self._readiness = app, frozenset({READY, root_path + READY})
        self.is_on = False
        self._stop = Stop()

    def begin(self) -> None:
        """Be not ready from now on, and tell the requests that would not end by themselves."""
        self.is_on = True
        self._stop.begin()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        scope[STOP] = self._stop
        if not self.is_on or scope["type"] != "http" or scope["path"] not in self._readiness:
            await self._app(scope, receive, send)
            return
        headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
        headers.append((b"content-length", str(len(_NOT_READY)).encode()))
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": _NOT_READY})


class DrainingServer(uvicorn.Server):
    """A server that tells proxies that it is about to end before it stops accepting."""

    def __init__(self, config: uvicorn.Config, draining: Draining, pause_s: float) -> None:
        """Set the parts.

        Args:
            config: Configuration, whose app is `draining`.
            draining: The app, which answers the readiness.
            pause_s: Seconds between the signal and the end of accepting; a second signal ends it.
        """
        super().__init__(config)
        self._draining, self._pause_s = draining, pause_s
        self._is_urgent = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; at the second signal without a further pause."""
        self._is_urgent = self.should_exit
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain, then stop accepting and finish what is under way."""
        self._draining.begin()
        self.config.encoded_headers.append(_CLOSE)
        # Requests under way hold this list; later ones get those of the configuration.
        self.server_state.default_headers.append(_CLOSE)
        until = time.monotonic() + self._pause_s
        while time.monotonic() < until and not self._is_urgent:
            await asyncio.sleep(_TICK_S)
        await super().shutdown(sockets)
