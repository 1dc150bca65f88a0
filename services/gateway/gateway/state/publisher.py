"""Publishing from the event loop: events that arrive during a publication form the next batch."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from gateway.http.overload import leave_place
from marquee.bus.api import Outgoing, Producer, Published
from marquee.errors import BusUnavailable, InvalidInput, MarqueeError, NotFound
from marquee.events import Event

MAX_BATCH = 1000
MAX_WAITING = 20_000
"""Limit of waiting messages; beyond it the bus is too slow, and writes are refused."""

_Waiting = tuple[Sequence[Outgoing], asyncio.Future[list[Published]]]


class Publisher:
    """Publishes through a blocking producer, in one thread, in the order of the calls."""

    def __init__(self, connect: Callable[[], Producer], patience_s: float = 1.0) -> None:
        """Connect to nothing yet.

        Args:
            connect: Makes the producer: at `start`, or else at the first publication.
            patience_s: How long a publication waits for the bus.
        """
        self._connect, self._patience_s = connect, patience_s
        self._producer: Producer | None = None
        self._thread = ThreadPoolExecutor(1, "publisher")
        self._waiting: list[_Waiting] = []
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Connect in the background, so that the first write need not wait for it."""
        self._thread.submit(self._connect_once)

    async def publish(self, events: Sequence[Event]) -> list[Published]:
        """Publish events and return their places in the log.

        Raises:
            BusUnavailable: Not all of them may be in the log.
        """
        if sum(len(messages) for messages, _ in self._waiting) > MAX_WAITING:
            raise BusUnavailable("too many events wait to be published")
        future = asyncio.get_running_loop().create_future()
        waiting = [Outgoing.of(event) for event in events], future
        leave_place()
        self._waiting.append(waiting)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain())
        try:
            # A client that goes away must not cancel a batch that others wait for.
            return await asyncio.wait_for(asyncio.shield(future), self._patience_s)
        except TimeoutError:
            raise self._late(waiting) from None

    async def close(self) -> None:
        """Publish the waiting events, then close the producer."""
        if self._task is not None:
            await self._task
        if self._producer is not None:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._thread, self._producer.close)
        self._thread.shutdown()

    def _late(self, waiting: _Waiting) -> BusUnavailable:
        """Take a publication back that has not begun; return the error to raise."""
        text = f"the bus has not answered in {self._patience_s:g} s"
        if waiting in self._waiting:
            self._waiting.remove(waiting)
            return BusUnavailable(f"{text}, and nothing was sent: try again")
        return BusUnavailable(
            f"{text}: what was sent may still arrive; send it again with the same Idempotency-Key"
        )

    async def _drain(self) -> None:
        while self._waiting:
            await self._publish(self._take())

    async def _publish(self, batch: list[_Waiting]) -> None:
        loop = asyncio.get_running_loop()
        messages = [message for group, _ in batch for message in group]
        try:
            places = await loop.run_in_executor(self._thread, self._send, messages)
        except InvalidInput as error:
            if len(batch) == 1:
                _fail(batch, error)
                return
            # One call's message is refused for itself; others must not be refused for it. What has
            # been sent of them counts once, as their events keep their ids.
            for waiting in batch:
                await self._publish([waiting])
        except Exception as error:
            _fail(batch, error)
        else:
            _resolve(batch, places)

    def _send(self, messages: Sequence[Outgoing]) -> list[Published]:
        try:
            return self._connected().publish(messages)
        except NotFound as error:
            # Consumers create the topics when they start.
            raise BusUnavailable(f"the bus is not set up yet: {error}") from None

    def _connected(self) -> Producer:
        if self._producer is None:
            self._producer = self._connect()
        return self._producer

    def _connect_once(self) -> None:
        # The first publication tries again, and reports what is wrong.
        with contextlib.suppress(MarqueeError):
            self._connected().publish(())

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
