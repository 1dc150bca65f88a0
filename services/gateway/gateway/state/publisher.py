"""Publishing from the event loop: events that arrive during a publication form the next batch."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from marquee.bus.api import Outgoing, Producer, Published
from marquee.errors import BusUnavailable, NotFound
from marquee.events import Event

MAX_BATCH = 1000
MAX_WAITING = 20_000
"""Limit of waiting messages; beyond it the bus is too slow, and writes are refused."""

_Waiting = tuple[Sequence[Outgoing], asyncio.Future[list[Published]]]


class Publisher:
    """Publishes through a blocking producer, in one thread, in the order of the calls."""

    def __init__(self, connect: Callable[[], Producer]) -> None:
        """Take the producer's factory; it is called at the first publication."""
        self._connect = connect
        self._producer: Producer | None = None
        self._thread = ThreadPoolExecutor(1, "publisher")
        self._waiting: list[_Waiting] = []
        self._task: asyncio.Task[None] | None = None

    async def publish(self, events: Sequence[Event]) -> list[Published]:
        """Publish events and return their places in the log.

        Raises:
            BusUnavailable: Not all of them may be in the log.
        """
        if sum(len(messages) for messages, _ in self._waiting) > MAX_WAITING:
            raise BusUnavailable("too many events wait to be published")
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(([Outgoing.of(event) for event in events], future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain())
        # A client that goes away must not cancel a batch that others wait for.
        return await asyncio.shield(future)

    async def close(self) -> None:
        """Publish the waiting events, then close the producer."""
        if self._task is not None:
            await self._task
        if self._producer is not None:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._thread, self._producer.close)
        self._thread.shutdown()

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch = self._take()
            messages = [message for group, _ in batch for message in group]
            try:
                places = await loop.run_in_executor(self._thread, self._send, messages)
            except Exception as error:
                _fail(batch, error)
            else:
                _resolve(batch, places)

    def _send(self, messages: Sequence[Outgoing]) -> list[Published]:
        try:
            if self._producer is None:
                self._producer = self._connect()
            return self._producer.publish(messages)
        except NotFound as error:
            # Consumers create the topics when they start.
            raise BusUnavailable(f"the bus is not set up yet: {error}") from None

    def _take(self) -> list[_Waiting]:
        """Take calls from the front: at most MAX_BATCH messages, but at least one call."""
        taken, n = 0, 0
        for messages, _ in self._waiting:
            n += len(messages)
            if taken and n > MAX_BATCH:
                break
            taken += 1
        batch, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return batch


def _resolve(batch: list[_Waiting], places: list[Published]) -> None:
    at = 0
    for messages, future in batch:
        if not future.done():
            future.set_result(places[at : at + len(messages)])
        at += len(messages)


def _fail(batch: list[_Waiting], error: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
            # Marks the exception as retrieved, for a client that has gone meanwhile.
            future.exception()
