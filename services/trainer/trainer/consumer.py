"""What the trainer does with events: it keeps each of them once, in the history it trains from."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from marquee import telemetry
from marquee.bus.api import Bus, Message, Subscription, TopicPartition
from marquee.bus.factory import open_bus
from marquee.consumer.deduplication import DEDUP_WINDOW
from marquee.consumer.health import Health
from marquee.consumer.log_identity import LogIdentity
from marquee.consumer.loop import poll_until_stopped
from marquee.consumer.process import consume
from marquee.errors import BusUnavailable, Conflict, PositionLost, UnreadableEvent
from marquee.events import MOVIES, RATINGS, AnyEvent, decode
from marquee.events.partitioning import partition_of
from marquee.settings import Settings
from marquee.store.keys import Keys
from trainer.history.history import History
from trainer.history.log_segments import MovieRow, RatingRow, row_of
from trainer.history.topics import TopicIds

GROUP = "trainer"
TOPICS = (MOVIES, RATINGS)
LIMIT = 5000
"""Events of a partition that are written at once, at most."""
SECONDS = 5.0
"""How long an event may wait to be written."""


@dataclass
class Buffer:
    """Events of a partition from offset `first` on that are not yet in the history."""

    first: int
    next: int
    rows: list[RatingRow | MovieRow] = field(default_factory=list)
    since: float = field(default_factory=time.monotonic)
    seen: dict[tuple[str, str], None] = field(default_factory=dict)
    """(source, id) of recent events, oldest first: a late duplicate would undo what came since."""

    @property
    def size(self) -> int:
        return self.next - self.first


class HistoryConsumer:
    """Reads events and appends them to the history, whose position is the only one that counts."""

    def __init__(
        self, bus: Bus, history: History, limit: int = LIMIT, seconds: float = SECONDS
    ) -> None:
        self.health = Health()
        self._bus, self._history = bus, history
        self._limit, self._seconds = limit, seconds
        self._buffers: dict[TopicPartition, Buffer] = {}
        self._window = DEDUP_WINDOW
        self._kept = TopicIds(history.directory)
        keys = Keys("", GROUP, history.partitions)
        remedy = f"move {history.directory} away, so that a new history begins with the new one"
        self._log_identity = LogIdentity(bus, keys, TOPICS, remedy)

    def run(self, stop: threading.Event) -> None:
        """Keep events until `stop` is set; what is read by then is written."""
        subscription = poll_until_stopped(self, stop, (BusUnavailable, OSError))
        if subscription is not None:
            self._write_all(subscription)
            subscription.close()

    def turn(self, subscription: Subscription) -> None:
        """Write what has waited long enough, then poll once: what cannot be written stops it."""
        self.health.beat()
        self._log_identity.check_topics()
        for partition, buffer in list(self._buffers.items()):
            if buffer.size >= self._limit or time.monotonic() - buffer.since >= self._seconds:
                self._write(subscription, partition)
        for partition, messages in self._poll(subscription).items():
            self._take(partition, messages)

    def subscribe(self) -> Subscription:
        """Join the trainer's group, each partition to be read from its place in the history."""
        return self._bus.subscribe(GROUP, TOPICS, self._assigned, self._revoked)

    def _assigned(self, partition: TopicPartition) -> int:
        """Read from before the position on, to know again which events are recent."""
        kept = self._kept.of(partition.topic)
        found = self._log_identity.check_partition(partition, kept)
        if kept is None:
            self._kept.keep(partition.topic, found)
        position = self._history.position(partition.topic, partition.partition)
        self._buffers[partition] = Buffer(position, position)
        return max(0, position - self._window)

    def _revoked(self, partition: TopicPartition) -> None:
        self._buffers.pop(partition, None)

    def _poll(self, subscription: Subscription) -> dict[TopicPartition, list[Message]]:
        try:
            return subscription.poll(0.25, self._limit)
        except PositionLost:
            if self._window == 0:
                raise
            self._window = 0  # the log is kept no longer than that: begin at the positions
            for partition in subscription.assigned:
                subscription.seek(partition, self._assigned(partition))
            return {}

    def _take(self, partition: TopicPartition, messages: Sequence[Message]) -> None:
        buffer = self._buffers[partition]
        if buffer.size == 0:
            buffer.since = time.monotonic()
        for message in messages:
            event = self._read(partition, message)
            is_new = event is not None and self._remember(buffer, event)
            if message.offset < buffer.next:
                continue
            if is_new and event is not None:
                buffer.rows.append(row_of(message.offset, event))
                telemetry.EVENTS.labels(GROUP, partition.topic, event.type).inc()
            buffer.next = message.offset + 1

    def _read(self, partition: TopicPartition, message: Message) -> AnyEvent | None:
        """Return an event; None for what is none here, which the other services bury."""
        try:
            event = decode(message.value)
        except UnreadableEvent:
            return None
        right = partition_of(event.key, self._bus.partitions(partition.topic))
        placed = (event.topic, event.key.encode(), right)
        return event if placed == (partition.topic, message.key, partition.partition) else None

    def _remember(self, buffer: Buffer, event: AnyEvent) -> bool:
        """Return whether the event is none of the recent ones, of which it is the newest now."""
        name = event.source, event.id
        if name in buffer.seen:
            return False
        buffer.seen[name] = None
        for oldest in list(islice(buffer.seen, max(0, len(buffer.seen) - DEDUP_WINDOW))):
            del buffer.seen[oldest]
        return True

    def _write_all(self, subscription: Subscription) -> None:
        for partition in list(self._buffers):
            self._write(subscription, partition)

    def _write(self, subscription: Subscription, partition: TopicPartition) -> None:
        buffer = self._buffers[partition]
        if not buffer.size:
            return
        topic, number = partition.topic, partition.partition
        try:
            self._history.append(topic, number, buffer.first, buffer.next, buffer.rows)  # type: ignore[arg-type]
        except Conflict as error:
            telemetry.log.warning("history moved, reading again", detail=str(error))
            subscription.seek(partition, self._assigned(partition))
            return
        buffer.first, buffer.rows = buffer.next, []
        subscription.commit({partition: buffer.next})


def main(settings: Settings) -> None:
    """Run the consumer until told to stop."""
    history = History(settings.history, settings.partitions)
    consume(settings, open_bus(settings), lambda bus: HistoryConsumer(bus, history))
