"""Replays of a partition's log that share one pass over it, each noting facts at its stops."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from marquee.bus.api import Bus, TopicPartition, dead_letter_topic
from marquee.consumer.decoding import DecodedMessage, decode_message
from marquee.consumer.deduplication import LOOKBACK
from marquee.errors import NotFound
from marquee.events import MOVIES, RATINGS
from marquee.settings import Settings
from marquee.snapshots.format import snapshots_in
from trainer.facts.canonical import Entries
from trainer.facts.fold import PartitionFacts
from trainer.facts.replay import Replay
from trainer.history.history import History
from trainer.operations.log_reader import LogReader

OffsetsByGroup = Mapping[tuple[str, TopicPartition], frozenset[int]]
"""Service and partition → offsets of messages."""


@dataclass
class ReplayRun:
    """A replay under way, and the facts that it had at its stops."""

    replay: Replay
    stops: list[int]
    """Positions that are still ahead, rising."""
    reached: dict[int, Entries] = field(default_factory=dict)

    def note_stops(self) -> None:
        """Keep the facts of the stops that the replay has reached."""
        while self.stops and self.stops[0] <= self.replay.position:
            self.reached[self.stops.pop(0)] = self.replay.facts.entries()

    def feed(self, messages: Sequence[DecodedMessage]) -> None:
        """Apply messages up to each stop in turn."""
        for stop in list(self.stops):
            self.replay.feed(messages, stop)
            self.note_stops()


def run_replays(
    bus: Bus, log: LogReader, partition: TopicPartition, begin: int, runs: Sequence[ReplayRun]
) -> None:
    """Let replays run from their positions to their last stops, in one pass over the log.

    Args:
        bus: The bus that the log belongs to.
        log: Reads the log.
        partition: The partition of all replays.
        begin: First offset that the log still holds.
        runs: The replays; afterwards each has the facts of all its stops.

    Raises:
        PositionLost: The log does not hold all messages.
    """
    for run in runs:
        run.note_stops()
    unfinished = [run for run in runs if run.stops]
    if not unfinished:
        return
    starts = [run.replay.position for run in unfinished]
    start = max(begin, min(starts) - LOOKBACK)
    end = max(run.stops[-1] for run in unfinished)
    for page in log.read(partition, start, end):
        messages = [decode_message(bus, partition, message) for message in page]
        for run, own_start in zip(unfinished, starts, strict=True):
            if page[-1].offset >= own_start - LOOKBACK:
                run.replay.remember(messages, own_start)
            run.feed(messages)


def oldest_facts(
    settings: Settings, history: History, partition: TopicPartition, begin: int
) -> PartitionFacts | None:
    """Return the oldest facts that a log from `begin` on continues, or None."""
    snapshots = snapshots_in(settings.history)
    for snapshot in snapshots:
        if snapshot.position(partition.topic, partition.partition) >= begin:
            return history.snapshot_facts(snapshot, partition.topic, partition.partition)
    return PartitionFacts(0) if not snapshots and begin == 0 else None


def dead_letter_offsets(bus: Bus, log: LogReader) -> OffsetsByGroup:
    """Return the offsets that each service has put aside as dead letters."""
    offsets: dict[tuple[str, TopicPartition], set[int]] = {}
    for topic in (MOVIES, RATINGS):
        for headers in _dead_letter_headers(bus, log, topic):
            partition, _, offset = headers.get("marquee-position", "").rpartition(":")
            if partition and offset.isdigit():
                key = headers.get("marquee-group", ""), TopicPartition.parse(partition)
                offsets.setdefault(key, set()).add(int(offset))
    return {key: frozenset(group) for key, group in offsets.items()}


def _dead_letter_headers(bus: Bus, log: LogReader, topic: str) -> Iterator[Mapping[str, str]]:
    dead_letters = dead_letter_topic(topic)
    try:
        count = bus.partitions(dead_letters)
    except NotFound:
        return
    for number in range(count):
        partition = TopicPartition(dead_letters, number)
        for page in log.read(partition, *log.range(partition)):
            yield from (message.headers for message in page)
