"""The trainer's consumer: appends each valid event once to the history that trainings read."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from marquee import telemetry
from marquee.bus.api import Bus, Message, Subscription, TopicPartition
from marquee.bus.factory import open_bus
from marquee.consumer.decoding import decode_message
from marquee.consumer.deduplication import DEDUP_WINDOW
from marquee.consumer.health import Health
from marquee.consumer.log_identity import LogIdentity
from marquee.consumer.loop import poll_until_stopped
from marquee.consumer.process import consume
from marquee.errors import BusUnavailable, Conflict, PositionLost
from marquee.events import MOVIES, RATINGS, Event, UserErased
from marquee.settings import Settings
from marquee.store.keys import Keys
from trainer.history.history import History
from trainer.history.log_segments import MovieRow, RatingRow, row_of
from trainer.history.topics import TopicIds
from trainer.own_ratings.unmatched import UnmatchedFilms

GROUP = "trainer"
TOPICS = (MOVIES, RATINGS)
LIMIT = 5000
"""Most events of a partition that are written at once."""
SECONDS = 5.0
"""Time that an event may wait to be written, in seconds."""


@dataclass
class PartitionBuffer:
    """Events of a partition that are not in the history yet: of offsets `first` to `next` - 1."""

    first: int
    next: int
    rows: list[RatingRow | MovieRow] = field(default_factory=list)
    since: float = field(default_factory=time.monotonic)
    erased: dict[int, int] = field(default_factory=dict)
    """Users whom these events erase → offset of the last erasure."""
    recent: dict[tuple[str, str], None] = field(default_factory=dict)
    """(source, id) of recent events, oldest first: a late duplicate would undo later changes."""

    @property
    def size(self) -> int:
        """Number of offsets."""
        return self.next - self.first

    def remember(self, event: Event) -> bool:
        """Record the event's id; return False if it was seen recently."""
        event_id = event.source, event.id
        if event_id in self.recent:
            return False
        self.recent[event_id] = None
        for oldest in list(islice(self.recent, max(0, len(self.recent) - DEDUP_WINDOW))):
            del self.recent[oldest]
        return True


class HistoryConsumer:
    """Reads events and appends them to the history, whose position is the only one that counts.

    Invalid messages are skipped: the other services put them aside as dead letters. Events that
    they refuse because of a user's id are kept: whoever reads the history refuses them again
    (`trainer.history.accepted_events`). Such an event that is sent again, after the user who had
    the number was erased, counts here as a duplicate as long as it is recent. With an erased user
    go the films that the user's imports have left unmatched.
    """

    def __init__(
        self,
        bus: Bus,
        history: History,
        limit: int = LIMIT,
        seconds: float = SECONDS,
        unmatched: UnmatchedFilms | None = None,
    ) -> None:
        self.health = Health()
        self._bus, self._history = bus, history
        self._limit, self._seconds, self._unmatched = limit, seconds, unmatched
        self._buffers: dict[TopicPartition, PartitionBuffer] = {}
        self._window = DEDUP_WINDOW
        self._topic_ids = TopicIds(history.directory)
        keys = Keys("", GROUP, history.partitions)
        remedy = f"move {history.directory} away, so that a new history begins with the new one"
        self._log_identity = LogIdentity(bus, keys, TOPICS, remedy)

    def run(self, stop: threading.Event) -> None:
        """Append events until `stop` is set; those read by then are written."""
        subscription = poll_until_stopped(self, stop, (BusUnavailable, OSError))
        if subscription is not None:
            self._write_all(subscription)
            subscription.close()

    def turn(self, subscription: Subscription) -> None:
        """Write the buffers that are full or old, then poll once.

        Raises:
            BusUnavailable: The bus does not answer.
            PositionLost: The log does not hold the history's position any more.
            OSError: The history cannot be written; nothing more is read until it can.
        """
        self.health.beat()
        self._log_identity.check_topics()
        for partition, buffer in list(self._buffers.items()):
            if buffer.size >= self._limit or time.monotonic() - buffer.since >= self._seconds:
                self._write(subscription, partition)
        for partition, messages in self._poll(subscription).items():
            self._add(partition, messages)

    def subscribe(self) -> Subscription:
        """Join the trainer's group; partitions are read from their positions in the history."""
        return self._bus.subscribe(GROUP, TOPICS, self._assigned, self._revoked)

    def _assigned(self, partition: TopicPartition) -> int:
        """Return the offset to read from: before the position, to see again what is recent."""
        stored_id = self._topic_ids.get(partition.topic)
        topic_id = self._log_identity.check_partition(partition, stored_id)
        if stored_id is None:
            self._topic_ids.put(partition.topic, topic_id)
        position = self._history.position(partition.topic, partition.partition)
        self._buffers[partition] = PartitionBuffer(position, position)
        return max(0, position - self._window)

    def _revoked(self, partition: TopicPartition) -> None:
        self._buffers.pop(partition, None)

    def _poll(self, subscription: Subscription) -> dict[TopicPartition, list[Message]]:
        try:
            return subscription.poll(0.25, self._limit)
        except PositionLost:
            if self._window == 0:
                raise
            self._window = 0  # the log does not reach back so far: begin at the positions
            for partition in subscription.assigned:
                subscription.seek(partition, self._assigned(partition))
            return {}

    def _add(self, partition: TopicPartition, messages: Sequence[Message]) -> None:
        buffer = self._buffers[partition]
        if buffer.size == 0:
            buffer.since = time.monotonic()
        for message in messages:
            event = decode_message(self._bus, partition, message).event
            is_new = event is not None and buffer.remember(event)
            if message.offset < buffer.next:
                continue
            if is_new and event is not None:
                buffer.rows.append(row_of(message.offset, event))
                if isinstance(event, UserErased):
                    buffer.erased[event.data.user_id] = message.offset
                telemetry.EVENTS.labels(GROUP, partition.topic, event.type).inc()
            buffer.next = message.offset + 1

    def _write_all(self, subscription: Subscription) -> None:
        for partition in list(self._buffers):
            self._write(subscription, partition)

    def _write(self, subscription: Subscription, partition: TopicPartition) -> None:
        buffer = self._buffers[partition]
        if not buffer.size:
            return
        topic, number = partition.topic, partition.partition
        # Before the position moves: what was forgotten twice is forgotten.
        if self._unmatched is not None:
            for user_id, offset in buffer.erased.items():
                self._unmatched.forget(user_id, offset)
        try:
            self._history.append(topic, number, buffer.first, buffer.next, buffer.rows)  # type: ignore[arg-type]
        except Conflict as error:
            telemetry.log.warning("history moved, reading again", detail=str(error))
            subscription.seek(partition, self._assigned(partition))
            return
        buffer.first, buffer.rows, buffer.erased = buffer.next, [], {}
        subscription.commit({partition: buffer.next})


def main(settings: Settings) -> None:
    """Run the consumer until told to stop."""
    history = History(settings.history, settings.partitions)
    unmatched = UnmatchedFilms(settings.state)
    consume(
        settings, open_bus(settings), lambda bus: HistoryConsumer(bus, history, unmatched=unmatched)
    )
