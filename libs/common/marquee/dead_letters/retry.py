"""Publishing dead letters again: only where nothing later has the same key."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from marquee.bus.api import Outgoing, Published, TopicPartition
from marquee.dead_letters.ledger import DeadLetter, DeadLetterQueue
from marquee.dead_letters.publish import HEADER_PREFIX, dead_letter_id
from marquee.errors import NotFound, UnreadableEvent
from marquee.events import AnyEvent, decode
from marquee.events.partitioning import partition_of


@dataclass(frozen=True)
class RetryResult:
    """What came of a retry, in words that say what to do where it was refused."""

    dead_letter: DeadLetter
    published: bool
    text: str


@dataclass(frozen=True)
class LogPosition:
    """Where an event stands in the log."""

    partition: TopicPartition
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"

    @property
    def dead_letter_id(self) -> str:
        return dead_letter_id(self.partition, self.offset)


@dataclass(frozen=True)
class RetryCandidate:
    """A letter whose event can be read, and the partition where that belongs."""

    dead_letter: DeadLetter
    event: AnyEvent
    right: TopicPartition

    @property
    def start(self) -> int:
        """The first offset at which something later than the letter may stand."""
        return self.dead_letter.offset + 1 if self.right == self.dead_letter.partition else 0

    def precedes(self, place: LogPosition, time: datetime) -> bool:
        """Return whether what stands at a place of the right partition is later.

        Places on two partitions cannot be compared: there only the events' own times can.
        """
        if self.right == self.dead_letter.partition:
            return place.offset > self.dead_letter.offset
        return time >= self.event.time


_OfKey = dict[tuple[TopicPartition, str], list[tuple[LogPosition, AnyEvent]]]


class DeadLetterRetrier:
    """Retries letters together: they are published in the order in which they stood."""

    def __init__(
        self, dead_letters: DeadLetterQueue, partitions: Callable[[str], int], actor: str
    ) -> None:
        """Take the letters, what says how many partitions a topic has, and who retries."""
        self._dead_letters, self._partitions, self._actor = dead_letters, partitions, actor

    def retry(self, dead_letters: Sequence[DeadLetter]) -> Iterator[RetryResult]:
        """Publish each open letter whose event can be read and has not been overtaken."""
        ordered = sorted(dead_letters, key=lambda one: (one.partition, one.offset))
        read = [self._read(dead_letter) for dead_letter in ordered]
        waiting = [one for one in read if isinstance(one, RetryCandidate)]
        in_log, batch = self._in_log(waiting), {one.dead_letter.id for one in waiting}
        for one in read:
            yield one if isinstance(one, RetryResult) else self._one(one, in_log, batch)

    def _read(self, dead_letter: DeadLetter) -> RetryCandidate | RetryResult:
        if dead_letter.state != "open":
            return RetryResult(
                dead_letter, False, f"it is {dead_letter.state} already, by {dead_letter.actor}"
            )
        try:
            event = dead_letter.event()
            count = self._partitions(event.topic)
        except (UnreadableEvent, NotFound) as error:
            return RetryResult(dead_letter, False, f"it still cannot be read: {error}")
        right = TopicPartition(event.topic, partition_of(event.key, count))
        return RetryCandidate(dead_letter, event, right)

    def _in_log(self, waiting: Sequence[RetryCandidate]) -> _OfKey:
        """Return what the log holds of the letters' keys, in one reading of each partition."""
        found: _OfKey = {(one.right, one.event.key): [] for one in waiting}
        for at in {one.right for one in waiting}:
            start = min(one.start for one in waiting if one.right == at)
            for message in self._dead_letters.log.read(
                at, start, self._dead_letters.log.range(at)[1]
            ):
                known = found.get((at, message.key.decode(errors="replace")))
                if known is None:
                    continue
                try:
                    known.append((LogPosition(at, message.offset), decode(message.value)))
                except UnreadableEvent:
                    continue  # it has had no effect, and never will have
        return found

    def _one(self, one: RetryCandidate, in_log: _OfKey, batch: set[str]) -> RetryResult:
        begin = self._dead_letters.log.range(one.right)[0]
        if begin > one.start > 0:
            text = f"{one.right} begins at {begin}: what came after it cannot be known; discard it"
            return RetryResult(one.dead_letter, False, text)
        for place, event in in_log[one.right, one.event.key]:
            if place.dead_letter_id in batch or not one.precedes(place, event.time):
                continue
            if (event.source, event.id) != (one.event.source, one.event.id):
                return RetryResult(one.dead_letter, False, self._overtaken(one, place, event))
            return self._resolve(one.dead_letter, f"it was published before, at {place}")
        return self._resolve(one.dead_letter, f"published at {self._publish(one)}")

    def _publish(self, one: RetryCandidate) -> LogPosition:
        own = one.dead_letter.message
        headers = {n: text for n, text in own.headers.items() if not n.startswith(HEADER_PREFIX)}
        message = Outgoing(one.event.topic, one.event.key.encode(), own.value, headers)
        published: list[Published] = self._dead_letters.producer.publish([message])
        return LogPosition(published[0].partition, published[0].offset)

    def _resolve(self, dead_letter: DeadLetter, text: str) -> RetryResult:
        self._dead_letters.resolve(dead_letter, "retried", self._actor, text)
        return RetryResult(dead_letter, True, text)

    def _overtaken(self, one: RetryCandidate, place: LogPosition, event: AnyEvent) -> str:
        open_ = {
            dead_letter.id
            for dead_letter in self._dead_letters.all(event.topic)
            if dead_letter.state == "open"
        }
        if place.dead_letter_id in open_:
            return f"{place.dead_letter_id} has the same key {event.key}: retry both in one call"
        return (
            f"{event.type} at {place} has the same key {event.key}: publish what should hold now"
            f" as a new event, and discard {one.dead_letter.id}"
        )
