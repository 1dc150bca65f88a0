"""A background job of an event loop that runs again for requests made while it runs."""

import asyncio
from collections.abc import Awaitable, Callable

from redis.exceptions import RedisError

from marquee.serving.update_stream import RETRY_SECONDS


class BackgroundJob:
    """Runs a coroutine function on request, one run at a time.

    States: idle; running; running with another run requested. A request made during a run may have
    come too late for it, hence another run. A run that fails for Redis or the network is repeated.
    """

    def __init__(self, run: Callable[[], Awaitable[None]]) -> None:
        self._run = run
        self._task: asyncio.Task[None] | None = None
        self._is_requested = False
        self._is_closed = False

    def request(self) -> None:
        """Start a run, or let another one follow the present one."""
        self._is_requested = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run_while_requested())

    @property
    def is_pending(self) -> bool:
        """Whether a run is under way or requested."""
        return self._is_requested or (self._task is not None and not self._task.done())

    async def close(self) -> None:
        """Begin no more runs, and wait for the present one."""
        self._is_closed = True
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _run_while_requested(self) -> None:
        while self._is_requested and not self._is_closed:
            self._is_requested = False
            try:
                await self._run()
            except (RedisError, OSError):
                self._is_requested = True
                await asyncio.sleep(RETRY_SECONDS)
