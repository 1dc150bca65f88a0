"""Reads of strings in Redis, shared by the requests that want some at the same moment."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

Key = TypeVar("Key")
Fetch = Callable[[list[str]], Awaitable[Sequence[bytes | None]]]
"""Returns the values of keys, as MGET does."""


class SharedReads:
    """One round trip for the keys of many requests, and for those that all want, once.

    A read is sent at once when none is under way, else together with all that wait, as soon as the
    one under way is answered. So a value is never older than the request that asks for it, and the
    number of round trips follows how fast Redis answers, not how many requests there are.
    """

    def __init__(self, fetch: Fetch, common: Sequence[str] = ()) -> None:
        """Read nothing yet.

        Args:
            fetch: Reads values; what it raises reaches each caller of that round trip.
            common: Keys of every read.
        """
        self._fetch, self._common = fetch, list(common)
        self._waiting: list[_Wanted] = []
        self._task: asyncio.Task[None] | None = None

    async def read(self, key: str | None = None) -> tuple[bytes | None, Sequence[bytes | None]]:
        """Return the value of a key (None without one), and those of the common keys.

        Safe to cancel: others get their values all the same.
        """
        wanted = _Wanted(key)
        self._waiting.append(wanted)
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return await wanted.done

    async def close(self) -> None:
        """End the round trip under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        """Make round trips as long as requests wait."""
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                await self._answer(batch)
        finally:
            self._task = None
            for wanted in self._waiting:
                wanted.done.cancel()

    async def _answer(self, batch: "list[_Wanted]") -> None:
        keys = [wanted.key for wanted in batch if wanted.key is not None]
        try:
            values = await self._fetch(keys + self._common)
        except Exception as error:
            for wanted in batch:
                wanted.fail(error)
            return
        except asyncio.CancelledError:
            for wanted in batch:
                wanted.done.cancel()
            raise
        common, own = values[len(keys) :], iter(values)
        for wanted in batch:
            wanted.give((None if wanted.key is None else next(own), common))


class _Wanted:
    """What one request waits for."""

    __slots__ = ("done", "key")

    def __init__(self, key: str | None) -> None:
        self.key = key
        loop = asyncio.get_running_loop()
        self.done: asyncio.Future[tuple[bytes | None, Sequence[bytes | None]]]
        self.done = loop.create_future()

    def give(self, values: tuple[bytes | None, Sequence[bytes | None]]) -> None:
        if not self.done.done():
            self.done.set_result(values)

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)
