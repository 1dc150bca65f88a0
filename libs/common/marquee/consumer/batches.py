"""Batches of messages applied as atomic, fenced units of work; failing events are isolated."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from marquee import telemetry
from marquee.bus.api import Bus, Message, Producer, TopicPartition
from marquee.consumer.decoding import DecodedMessage, decode_message
from marquee.consumer.deduplication import drop_duplicates
from marquee.consumer.health import Health
from marquee.consumer.metrics import ConsumerMetrics
from marquee.consumer.positions import PartitionPositions
from marquee.consumer.projection import Projection
from marquee.consumer.unit_of_work import UnitOfWork, apply_event, prefetch
from marquee.dead_letters.publish import publish_dead_letter
from marquee.errors import BusUnavailable, FenceLost, IdCollision, StoreUnavailable
from marquee.events import UNKNOWN_TIME
from marquee.store.api import Store
from marquee.store.keys import Keys

MAX_FAILURES_IN_A_ROW = 10
"""After more failing events in a row the partition stops: the fault is ours, not the events'."""


@dataclass(frozen=True)
class Pace:
    """Batch size and intervals of a consumer."""

    batch: int = 256
    """Messages of one unit of work at most."""
    pauses: tuple[float, ...] = (0.2, 0.8, 3.2, 12.8)
    """Seconds before each further try of an event that makes its handler throw."""
    compare_seconds: float = 1.0
    """How often the stored positions are compared with where the loop is."""


DEFAULT_PACE = Pace()


class BatchProcessor:
    """Applies the messages of a partition to the store of one service."""

    def __init__(
        self,
        keys: Keys,
        bus: Bus,
        store: Store,
        projection: Projection,
        positions: PartitionPositions,
        health: Health,
        metrics: ConsumerMetrics,
        pauses: Sequence[float],
    ) -> None:
        self.stop = threading.Event()
        """Ends the retries of a failing event when it is set."""
        self._keys, self._bus, self._store = keys, bus, store
        self._projection, self._positions = projection, positions
        self._health, self._metrics, self._pauses = health, metrics, pauses
        self._failures: dict[TopicPartition, int] = {}
        self._producer: Producer = bus.producer()

    def process(self, partition: TopicPartition, messages: Sequence[Message]) -> None:
        """Apply messages of a partition from its position on, and move the position past them.

        Raises:
            StoreUnavailable, BusUnavailable: Retry later; whether the batch is written is unknown.
            FenceLost: Another consumer has moved the stored position.
        """
        start = self._positions.current[partition]
        fresh = [message for message in messages if message.offset >= start]
        batch = [decode_message(self._bus, partition, message) for message in fresh]
        if batch:
            self._apply_or_bisect(partition, batch)

    def forget(self, partition: TopicPartition) -> None:
        """Drop the count of failures of a partition that another consumer reads from now on."""
        self._failures.pop(partition, None)

    def close(self) -> None:
        """Close the producer of dead letters."""
        self._producer.close()

    def _apply_or_bisect(self, partition: TopicPartition, batch: list[DecodedMessage]) -> None:
        pending = [batch]
        while pending:
            part = pending.pop()
            if (error := self._try(partition, part)) is None:
                continue
            if len(part) > 1:
                middle = len(part) // 2
                pending += (part[middle:], part[:middle])
            elif isinstance(error, IdCollision):  # it stays one, however often it is tried
                self._apply(partition, [DecodedMessage(part[0].message, None, str(error))])
            else:
                self._retry_or_bury(partition, part[0], error)

    def _try(self, partition: TopicPartition, batch: list[DecodedMessage]) -> Exception | None:
        """Apply a batch; return the error that a handler raised because of an event, if any."""
        try:
            self._apply(partition, batch)
        except (StoreUnavailable, BusUnavailable, FenceLost):
            raise
        except Exception as error:
            # A twin may have changed the facts while they were read: no fault of the event.
            self._positions.compare(partition)
            return error
        return None

    def _retry_or_bury(
        self, partition: TopicPartition, decoded: DecodedMessage, error: Exception
    ) -> None:
        """Try one event again after each pause; make it a dead letter if it still fails."""
        for pause in self._pauses:
            if self.stop.wait(pause):
                raise BusUnavailable("told to stop while an event fails; it is tried again later")
            self._health.beat()
            next_error = self._try(partition, [decoded])
            if next_error is None:
                return
            error = next_error
        telemetry.log.error("event fails", partition=str(partition), exc_info=error)
        failures = self._failures[partition] = self._failures.get(partition, 0) + 1
        if failures > MAX_FAILURES_IN_A_ROW:
            self._health.stopped[str(partition)] = f"{failures} events in a row fail: {error!r}"
            raise BusUnavailable(f"{partition} is stopped: {error!r}") from error
        fault = f"handler failed: {type(error).__name__}: {error}"
        self._apply(partition, [DecodedMessage(decoded.message, None, fault)])

    def _apply(self, partition: TopicPartition, batch: list[DecodedMessage]) -> None:
        """Write the effect of a batch and the new position in one fenced transaction."""
        keys, started = self._keys.of(partition), time.perf_counter()
        start, end = self._positions.current[partition], batch[-1].message.offset + 1
        self._bury_invalid(partition, batch)
        unit_of_work = UnitOfWork(keys, self._store)
        events = list(drop_duplicates(unit_of_work, batch))
        prefetch(unit_of_work, [event for _, event in events])
        times = (event.time for _, event in events if event.time != UNKNOWN_TIME)
        unit_of_work.since = min((time.timestamp() for time in times), default=None)
        for offset, event in events:
            apply_event(unit_of_work, offset, event, self._projection.handlers)
        version = self._projection.derive_rows(unit_of_work)
        self._store.write(keys, start, end, unit_of_work.commands(start, end, version))
        self._positions.current[partition] = end
        if events:
            self._failures[partition] = 0
        duplicates = sum(decoded.event is not None for decoded in batch) - len(events)
        self._metrics.record(partition, events, duplicates, time.perf_counter() - started)

    def _bury_invalid(self, partition: TopicPartition, batch: list[DecodedMessage]) -> None:
        for decoded in batch:
            if decoded.fault is not None:
                publish_dead_letter(
                    self._producer, self._keys.service, partition, decoded.message, decoded.fault
                )
