"""Compares facts: live in Redis, replayed from the log, restored from the newest snapshot.

For each service and partition the three stand at the same position: the one that Redis was read
at. *Replayed* takes the oldest snapshot that the log still continues (or nothing, where there is
none and the log begins at 0) and applies every event by the handlers that the consumers run.
*Restored* takes the history: newest snapshot and segments, folded by arrays, then the rest of the
log. Nothing is written anywhere.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from marquee.bus.api import Bus, TopicPartition, dead_letter_topic
from marquee.bus.factory import open_bus
from marquee.consumer.decoding import decode_message
from marquee.consumer.deduplication import LOOKBACK
from marquee.consumer.handlers.by_service import FACTS_BY_SERVICE, FactSet
from marquee.errors import Conflict, NotFound
from marquee.events import MOVIES, RATINGS
from marquee.settings import Settings
from marquee.snapshots.format import Snapshot, newest_snapshot, snapshots_in
from marquee.store.keys import Keys
from trainer.facts.canonical import Entries, differing, digest_of
from trainer.facts.fold import PartitionFacts
from trainer.facts.replay import Replay
from trainer.facts.restored import digest, packed
from trainer.history.history import History
from trainer.operations.live_partition import LivePartition
from trainer.operations.live_reader import LiveReader
from trainer.operations.log_reader import LogReader

HISTORY = "trainer"
"""The service whose facts stand in the history, not in Redis."""


@dataclass(frozen=True)
class Verdict:
    """What was found of one partition of one service; a digest is empty where there is none."""

    service: str
    partition: TopicPartition
    position: int | None
    lag: int
    live: str
    replayed: str
    restored: str
    differing: tuple[str, ...] = ()
    """Names of the facts that are not the same in all."""
    note: str = ""
    """Why a digest is missing, or what is wrong with a snapshot."""
    sound: bool = True
    """Whether the snapshot read for the history says of itself what it holds."""

    @property
    def equal(self) -> bool:
        """Whether the live facts are there, and equal to each of the others that could be had."""
        found = {digest for digest in (self.live, self.replayed, self.restored) if digest}
        return self.sound and self.position is not None and len(found) == 1


@dataclass
class ReplayRun:
    """A replay on its way, and the facts that it had where it was asked."""

    replay: Replay
    stops: list[int]
    """Positions, rising."""
    reached: dict[int, Entries] = field(default_factory=dict)

    def note_stops(self) -> None:
        """Keep the facts of the stop that the replay stands at."""
        while self.stops and self.stops[0] <= self.replay.position:
            self.reached[self.stops.pop(0)] = self.replay.facts.entries()


class Verification:
    """Verifies services of a system; `close` it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._bus: Bus = open_bus(settings)
        self._log = LogReader(settings)
        self._history = History(settings.history, settings.partitions)
        url = settings.redis_url.get_secret_value()
        self._live = LiveReader(url, settings.namespace, settings.partitions)

    def run(self, services: Sequence[str]) -> Iterator[Verdict]:
        """Yield what was found, partition by partition."""
        self._live.scan([service for service in services if service != HISTORY])
        buried = self._buried()
        for topic in (MOVIES, RATINGS):
            for p in range(self._settings.partitions):
                partition = TopicPartition(topic, p)
                yield from _Partition(self, partition, services, buried).verdicts()

    def close(self) -> None:
        """Let go of bus and store."""
        self._log.close()
        self._bus.close()
        self._live.close()

    # --- what the partitions read

    def range(self, partition: TopicPartition) -> tuple[int, int]:
        """Return the first offset that the log still holds, and its end."""
        return self._log.range(partition)

    def live(self, service: str, partition: TopicPartition) -> LivePartition:
        """Return what a service holds in Redis."""
        keys = Keys(self._settings.namespace, service, self._settings.partitions)
        return self._live.read(keys.of(partition))

    def history(self, partition: TopicPartition, until: int | None = None) -> PartitionFacts:
        """Return what the history says of the events before an offset."""
        return self._history.partition(partition.topic, partition.partition, until)

    def base(self, partition: TopicPartition, begin: int) -> PartitionFacts | None:
        """Return the facts that the log goes on from, None when it goes on from nowhere."""
        found = snapshots_in(self._settings.history)
        continued = [s for s in found if self._position(s, partition) >= begin]
        if continued:
            return self._history.snapshot_facts(continued[0], partition.topic, partition.partition)
        return PartitionFacts(0) if not found and begin == 0 else None

    def unsound(self, partition: TopicPartition) -> str:
        """Return what is wrong where the newest snapshot's facts have not the digest it states."""
        snapshot = newest_snapshot(self._settings.history)
        stated = snapshot.manifest.digests.get(str(partition)) if snapshot else None
        if snapshot is None or stated is None:
            return ""
        facts = self._history.snapshot_facts(snapshot, partition.topic, partition.partition)
        found = digest(partition.topic, facts)
        return "" if found == stated else f"{snapshot.path.name} states {stated}, holds {found}"

    def go(self, partition: TopicPartition, begin: int, courses: Iterable[ReplayRun]) -> None:
        """Let the courses run over the log, each from its position to its last stop."""
        under_way = [course for course in courses if course.stops]
        for course in under_way:
            course.note_stops()
        under_way = [course for course in under_way if course.stops]
        if not under_way:
            return
        starts = {id(course): course.replay.position for course in under_way}
        start = max(begin, min(starts.values()) - LOOKBACK)
        for page in self._log.read(partition, start, max(c.stops[-1] for c in under_way)):
            reads = [decode_message(self._bus, partition, message) for message in page]
            for course in under_way:
                if page[-1].offset >= starts[id(course)] - LOOKBACK:
                    course.replay.remember(reads, starts[id(course)])
                for stop in list(course.stops):
                    course.replay.feed(reads, stop)
                    course.note_stops()

    @staticmethod
    def _position(snapshot: Snapshot, partition: TopicPartition) -> int:
        return snapshot.position(partition.topic, partition.partition)

    def _buried(self) -> Mapping[tuple[str, TopicPartition], frozenset[int]]:
        """Return the offsets that each service has given up, by its dead letters."""
        found: dict[tuple[str, TopicPartition], set[int]] = {}
        for topic in (MOVIES, RATINGS):
            for headers in self._dead_letters(topic):
                where, _, offset = headers.get("marquee-position", "").rpartition(":")
                if where and offset.isdigit():
                    key = headers.get("marquee-group", ""), TopicPartition.parse(where)
                    found.setdefault(key, set()).add(int(offset))
        return {key: frozenset(offsets) for key, offsets in found.items()}

    def _dead_letters(self, topic: str) -> Iterator[Mapping[str, str]]:
        try:
            count = self._bus.partitions(dead_letter_topic(topic))
        except NotFound:
            return
        partitions = [TopicPartition(dead_letter_topic(topic), p) for p in range(count)]
        for partition in partitions:
            for page in self._log.read(partition, *self._log.range(partition)):
                yield from (message.headers for message in page)


class _Partition:
    """The verification of one partition, for all services at once: the log is read once."""

    def __init__(
        self,
        verification: Verification,
        partition: TopicPartition,
        services: Sequence[str],
        buried: Mapping[tuple[str, TopicPartition], frozenset[int]],
    ) -> None:
        self._all, self._partition, self._services = verification, partition, services
        self._buried = buried
        self._courses: dict[object, ReplayRun] = {}
        self._entries: dict[str, Entries] = {}
        self._positions: dict[str, int | None] = {}
        self._notes: dict[str, str] = {}
        self._unsound = ""

    def verdicts(self) -> list[Verdict]:
        """Return what was found of each service."""
        for service in self._services:
            self._read(service)
        begin, end = self._all.range(self._partition)
        base = self._all.base(self._partition, begin)
        replayed = {s: self._course(s, "log", base) for s in self._services}
        restored = {s: self._course(s, "history", self._restored(s)) for s in self._services}
        for course in self._courses.values():
            course.stops.sort()
        self._all.go(self._partition, begin, self._courses.values())
        return [self._verdict(s, end, replayed[s], restored[s]) for s in self._services]

    def _read(self, service: str) -> None:
        kept = FACTS_BY_SERVICE[service][self._partition.topic]
        if service == HISTORY:
            facts = self._all.history(self._partition)
            self._positions[service] = facts.position
            self._entries[service] = packed(facts, kept).entries()
            self._unsound = self._all.unsound(self._partition)
            return
        live = self._all.live(service, self._partition)
        self._entries[service] = live.facts.entries()
        self._positions[service] = live.position
        if live.position is None:
            self._notes[service] = "no position: never loaded"
        elif live.position < 0:
            self._positions[service] = None
            self._notes[service] = "it is being rebuilt; if no rebuild runs, rebuild it again"

    def _restored(self, service: str) -> PartitionFacts | None:
        position = self._positions[service]
        if position is None or service == HISTORY:
            return None
        try:
            return self._all.history(self._partition, position)
        except Conflict as error:
            self._notes[service] = str(error)
            return None

    def _course(self, service: str, name: str, start: PartitionFacts | None) -> ReplayRun | None:
        """Return the course from a start to the service's position; services share where equal."""
        position = self._positions[service]
        if position is None or start is None:
            if name == "log" and position is not None:
                self._notes[service] = "the log does not go on from any snapshot that is left"
            return None
        if position < start.position:
            self._notes.setdefault(service, f"the oldest snapshot is ahead, at {start.position}")
            return None
        kept: FactSet = FACTS_BY_SERVICE[service][self._partition.topic]
        buried = self._buried.get((service, self._partition), frozenset())
        key = (name, id(kept), buried, start.position)
        if key not in self._courses:
            facts = packed(start, kept)
            replay = Replay(self._partition, kept, facts, start.position, buried)
            self._courses[key] = ReplayRun(replay, [])
        course = self._courses[key]
        if position not in course.stops:
            course.stops.append(position)
        return course

    def _verdict(
        self, service: str, end: int, replayed: ReplayRun | None, restored: ReplayRun | None
    ) -> Verdict:
        position, live = self._positions[service], self._entries[service]
        others = [c.reached[position or 0] if c else None for c in (replayed, restored)]
        names = {name for other in others if other is not None for name in differing(live, other)}
        is_history = service == HISTORY
        digests = [digest_of(other) if other is not None else "" for other in others]
        return Verdict(
            service=service,
            partition=self._partition,
            position=position,
            lag=max(0, end - (position or 0)),
            live=digest_of(live),
            replayed=digests[0],
            restored=digests[1],
            differing=tuple(sorted(names)),
            note=self._unsound if is_history and self._unsound else self._notes.get(service, ""),
            sound=not (is_history and self._unsound),
        )
