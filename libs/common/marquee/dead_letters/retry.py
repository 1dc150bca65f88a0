"""Retry of dead letters: each is published again only if no later event has the same key."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from marquee.bus.api import Outgoing, Published, TopicPartition
from marquee.dead_letters.ledger import DeadLetter
from marquee.dead_letters.publish import HEADER_PREFIX, dead_letter_id
from marquee.dead_letters.queue import DeadLetterQueue
from marquee.errors import NotFound, UnreadableEvent
from marquee.events import AnyEvent, decode_logged
from marquee.events.partitioning import partition_of


@dataclass(frozen=True)
class RetryResult:
    """The outcome of a retry; `text` says where it was published, or why not and what to do."""

    dead_letter: DeadLetter
    published: bool
    text: str


@dataclass(frozen=True)
class LogPosition:
    """The position of an event in the log."""

    partition: TopicPartition
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"

    @property
    def dead_letter_id(self) -> str:
        """The id of the dead letter that the event became, if it did."""
        return dead_letter_id(self.partition, self.offset)


@dataclass(frozen=True)
class RetryCandidate:
    """An open dead letter with a readable event, and the partition to which that belongs."""

    dead_letter: DeadLetter
    event: AnyEvent
    target: TopicPartition

    @property
    def start(self) -> int:
        """The first offset of the target partition at which a later event may be."""
        return self.dead_letter.offset + 1 if self.target == self.dead_letter.partition else 0

    def precedes(self, position: LogPosition, time: datetime) -> bool:
        """Return whether an event at a position of the target partition is later than this one.

        Positions in two partitions cannot be compared: there only the events' own times can.
        """
        if self.target == self.dead_letter.partition:
            return position.offset > self.dead_letter.offset
        return time >= self.event.time


_EventsByKey = dict[tuple[TopicPartition, str], list[tuple[LogPosition, AnyEvent]]]


class DeadLetterRetrier:
    """Retries dead letters together: they are published in the order of their positions."""

    def __init__(
        self, queue: DeadLetterQueue, partitions: Callable[[str], int], actor: str
    ) -> None:
        """Take the queue, the number of partitions by topic, and the name of who retries."""
        self._queue, self._partitions, self._actor = queue, partitions, actor

    def retry(self, dead_letters: Sequence[DeadLetter]) -> Iterator[RetryResult]:
        """Publish each open dead letter with a readable event that no later event overtook."""
        ordered = sorted(dead_letters, key=lambda letter: (letter.partition, letter.offset))
        read = [self._read(dead_letter) for dead_letter in ordered]
        candidates = [item for item in read if isinstance(item, RetryCandidate)]
        events = self._events_in_log(candidates)
        batch = {candidate.dead_letter.id for candidate in candidates}
        for item in read:
            yield item if isinstance(item, RetryResult) else self._retry(item, events, batch)

    def _read(self, dead_letter: DeadLetter) -> RetryCandidate | RetryResult:
        if dead_letter.state != "open":
            text = f"it is {dead_letter.state} already, by {dead_letter.actor}"
            return RetryResult(dead_letter, False, text)
        try:
            event = dead_letter.event()
            count = self._partitions(event.topic)
        except (UnreadableEvent, NotFound) as error:
            return RetryResult(dead_letter, False, f"it still cannot be read: {error}")
        target = TopicPartition(event.topic, partition_of(event.key, count))
        return RetryCandidate(dead_letter, event, target)

    def _events_in_log(self, candidates: Sequence[RetryCandidate]) -> _EventsByKey:
        """Return the events of the candidates' keys, reading each partition of the log once."""
        events: _EventsByKey = {(item.target, item.event.key): [] for item in candidates}
        for partition in {candidate.target for candidate in candidates}:
            start = min(item.start for item in candidates if item.target == partition)
            end = self._queue.log.range(partition)[1]
            for message in self._queue.log.read(partition, start, end):
                of_key = events.get((partition, message.key.decode(errors="replace")))
                if of_key is None:
                    continue
                position = LogPosition(partition, message.offset)
                try:
                    event = decode_logged(message.value, str(position), message.recorded)
                except UnreadableEvent:
                    continue  # it has had no effect, and never will have
                of_key.append((position, event))
        return events

    def _retry(
        self, candidate: RetryCandidate, events: _EventsByKey, batch: set[str]
    ) -> RetryResult:
        dead_letter, own = candidate.dead_letter, candidate.event
        begin = self._queue.log.range(candidate.target)[0]
        if begin > candidate.start > 0:
            text = f"{candidate.target} begins at {begin}: what came after it cannot be known"
            return RetryResult(dead_letter, False, f"{text}; discard it")
        for position, event in events[candidate.target, own.key]:
            if position.dead_letter_id in batch or not candidate.precedes(position, event.time):
                continue
            if (event.source, event.id) != (own.source, own.id):
                text = self._overtaken_text(candidate, position, event)
                return RetryResult(dead_letter, False, text)
            return self._resolve(dead_letter, f"it was published before, at {position}")
        return self._resolve(dead_letter, f"published at {self._publish(candidate)}")

    def _publish(self, candidate: RetryCandidate) -> LogPosition:
        message, event = candidate.dead_letter.message, candidate.event
        headers = {
            name: value
            for name, value in message.headers.items()
            if not name.startswith(HEADER_PREFIX)
        }
        outgoing = Outgoing(event.topic, event.key.encode(), event.encode(), headers)
        published: list[Published] = self._queue.producer.publish([outgoing])
        return LogPosition(published[0].partition, published[0].offset)

    def _resolve(self, dead_letter: DeadLetter, text: str) -> RetryResult:
        self._queue.resolve(dead_letter, "retried", self._actor, text)
        return RetryResult(dead_letter, True, text)

    def _overtaken_text(
        self, candidate: RetryCandidate, position: LogPosition, event: AnyEvent
    ) -> str:
        open_ids = {letter.id for letter in self._queue.all(event.topic) if letter.state == "open"}
        if position.dead_letter_id in open_ids:
            return f"{position.dead_letter_id} has the same key {event.key}: retry both in one call"
        return (
            f"{event.type} at {position} has the same key {event.key}: publish what should hold now"
            f" as a new event, and discard {candidate.dead_letter.id}"
        )
