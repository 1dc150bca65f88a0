"""A start that is over only when the app is ready, for a worker beside others that serve."""

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from marquee import telemetry
from marquee.health import READY

_EVERY_S: Final = 0.05


class ReadyFirst:
    """The ASGI app of a server that accepts nothing before its own readiness is 200."""

    def __init__(self, app: ASGIApp, within_s: float, is_stopping: Callable[[], bool]) -> None:
        """Pass everything to `app`.

        Args:
            app: The app.
            within_s: Seconds after which it accepts in any case.
            is_stopping: Whether the server has been told to stop; it ends at once then, since it
                has accepted nothing that has to be finished.
        """
        self._app, self._within_s, self._is_stopping = app, within_s, is_stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection, or the start and the stop."""
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return

        async def send_when_ready(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                await self._wait()
            await send(message)

        await self._app(scope, receive, send_when_ready)

    async def _wait(self) -> None:
        until = time.monotonic() + self._within_s
        while not await is_ready(self._app):
            if time.monotonic() > until:
                telemetry.log.warning("not ready in time: serves as it is", seconds=self._within_s)
                return
            await asyncio.sleep(_EVERY_S)
            if self._is_stopping():
                os._exit(0)


async def is_ready(app: ASGIApp) -> bool:
    """Return whether an app answers 200 at its readiness."""
    statuses: list[int] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": READY,
        "raw_path": READY.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"localhost")],
        "client": None,
        "server": None,
    }
    await app(scope, receive, send)
    return statuses == [200]
