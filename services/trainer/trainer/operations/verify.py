"""Verification of facts: live in Redis, replayed from the log, restored from the newest snapshot.

For each service and partition the three stand at the same position: the one that Redis was read
at. *Replayed* takes the oldest snapshot that the log still continues (or nothing, if there is no
snapshot and the log begins at 0) and applies every event by the handlers that the consumers run.
*Restored* takes the history: newest snapshot and segments, folded by arrays, then the rest of the
log. Nothing is written anywhere.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from marquee.bus.api import Bus, TopicPartition
from marquee.bus.factory import open_bus
from marquee.consumer.handlers.by_service import FACTS_BY_SERVICE
from marquee.errors import Conflict
from marquee.events import MOVIES, RATINGS
from marquee.settings import Settings
from marquee.snapshots.format import newest_snapshot
from marquee.store.keys import Keys
from trainer.facts.canonical import Entries, differing, digest_of
from trainer.facts.fold import PartitionFacts
from trainer.facts.replay import Replay
from trainer.facts.restored import digest, packed
from trainer.history.history import History
from trainer.operations.live_partition import LivePartition
from trainer.operations.live_reader import LiveReader
from trainer.operations.log_reader import LogReader
from trainer.operations.log_replay import (
    OffsetsByGroup,
    ReplayRun,
    dead_letter_offsets,
    oldest_facts,
    run_replays,
)

HISTORY = "trainer"
"""The service whose facts stand in the history, not in Redis."""


@dataclass(frozen=True)
class Verdict:
    """The comparison of one partition of one service; unavailable digests are empty."""

    service: str
    partition: TopicPartition
    position: int | None
    lag: int
    live: str
    replayed: str
    restored: str
    differing: tuple[str, ...] = ()
    """Names of the facts that are not the same in all, ids as they were given where it is known."""
    note: str = ""
    """Why a digest is missing, or what is wrong with a snapshot."""
    sound: bool = True
    """Whether the newest snapshot has the digest that it states; True but for the history."""

    @property
    def equal(self) -> bool:
        """Whether the live facts exist and equal all others that are available."""
        digests = {value for value in (self.live, self.replayed, self.restored) if value}
        return self.sound and self.position is not None and len(digests) == 1


class Verification:
    """Verifies services of a system; `close` it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._bus: Bus = open_bus(settings)
        self._log = LogReader(settings)
        self._history = History(settings.history, settings.partitions)
        url = settings.redis_address
        self._live = LiveReader(url, settings.namespace, settings.partitions)

    def run(self, services: Sequence[str]) -> Iterator[Verdict]:
        """Yield a verdict for each partition of each service, partition by partition.

        Raises:
            PositionLost: The log does not hold all messages that the replays need.
            StoreUnavailable: Redis does not answer.
        """
        self._live.scan([service for service in services if service != HISTORY])
        dead_letters = dead_letter_offsets(self._bus, self._log)
        for topic in (MOVIES, RATINGS):
            for number in range(self._settings.partitions):
                partition = TopicPartition(topic, number)
                yield from _PartitionCheck(self, partition, services, dead_letters).verdicts()

    def close(self) -> None:
        """Close the connections to bus and store."""
        self._log.close()
        self._bus.close()
        self._live.close()

    def log_range(self, partition: TopicPartition) -> tuple[int, int]:
        """Return the first offset that the log still holds, and its end."""
        return self._log.range(partition)

    def live(self, service: str, partition: TopicPartition) -> LivePartition:
        """Return a service's facts in Redis."""
        keys = Keys(self._settings.namespace, service, self._settings.partitions)
        return self._live.read(keys.of(partition))

    def history(self, partition: TopicPartition, until: int | None = None) -> PartitionFacts:
        """Return the facts of the history, from the events before an offset (None: from all)."""
        return self._history.partition(partition.topic, partition.partition, until)

    def base(self, partition: TopicPartition, begin: int) -> PartitionFacts | None:
        """Return the oldest facts that a log from `begin` on continues, or None."""
        return oldest_facts(self._settings, self._history, partition, begin)

    def snapshot_fault(self, partition: TopicPartition) -> str:
        """Return a fault if the newest snapshot differs from its stated digest, else ""."""
        snapshot = newest_snapshot(self._settings.history)
        stated = snapshot.manifest.digests.get(str(partition)) if snapshot else None
        if snapshot is None or stated is None:
            return ""
        facts = self._history.snapshot_facts(snapshot, partition.topic, partition.partition)
        actual = digest(partition.topic, facts)
        return "" if actual == stated else f"{snapshot.path.name} states {stated}, holds {actual}"

    def replay(self, partition: TopicPartition, begin: int, runs: Sequence[ReplayRun]) -> None:
        """Let replays run over the log, each from its position to its last stop."""
        run_replays(self._bus, self._log, partition, begin, runs)


class _PartitionCheck:
    """The verification of one partition, for all services at once: the log is read once."""

    def __init__(
        self,
        verification: Verification,
        partition: TopicPartition,
        services: Sequence[str],
        dead_letters: OffsetsByGroup,
    ) -> None:
        self._system, self._partition, self._services = verification, partition, services
        self._dead_letters = dead_letters
        self._runs: dict[object, ReplayRun] = {}
        self._entries: dict[str, Entries] = {}
        self._positions: dict[str, int | None] = {}
        self._notes: dict[str, str] = {}
        self._snapshot_fault = ""
        self._given_names: dict[str, str] = {}
        """Names of facts with an id that is a string → the same with the string."""

    def verdicts(self) -> list[Verdict]:
        """Return the verdict of each service."""
        for service in self._services:
            self._read(service)
        begin, end = self._system.log_range(self._partition)
        base = self._system.base(self._partition, begin)
        replayed = {name: self._run_from_log(name, base) for name in self._services}
        restored = {name: self._run_from_history(name) for name in self._services}
        for run in self._runs.values():
            run.stops.sort()
        self._system.replay(self._partition, begin, list(self._runs.values()))
        return [self._verdict(name, end, replayed[name], restored[name]) for name in self._services]

    def _read(self, service: str) -> None:
        if service == HISTORY:
            facts = self._system.history(self._partition)
            fact_set = FACTS_BY_SERVICE[service][self._partition.topic]
            self._positions[service] = facts.position
            packed_facts = packed(facts, fact_set)
            self._given_names |= packed_facts.given_names()
            self._entries[service] = packed_facts.entries()
            self._snapshot_fault = self._system.snapshot_fault(self._partition)
            return
        live = self._system.live(service, self._partition)
        self._given_names |= live.facts.given_names()
        self._entries[service] = live.facts.entries()
        self._positions[service] = live.position
        if live.position is None:
            self._notes[service] = "no position: never loaded"
        elif live.position < 0:
            self._positions[service] = None
            self._notes[service] = "it is being rebuilt; if no rebuild runs, rebuild it again"

    def _run_from_log(self, service: str, base: PartitionFacts | None) -> ReplayRun | None:
        position = self._positions[service]
        if position is None:
            return None
        if base is None:
            self._notes[service] = "the log does not go on from any snapshot that is left"
            return None
        return self._run("log", service, position, base)

    def _run_from_history(self, service: str) -> ReplayRun | None:
        position = self._positions[service]
        if position is None or service == HISTORY:
            return None
        try:
            base = self._system.history(self._partition, position)
        except Conflict as error:
            self._notes[service] = str(error)
            return None
        return self._run("history", service, position, base)

    def _run(
        self, origin: str, service: str, position: int, base: PartitionFacts
    ) -> ReplayRun | None:
        """Return the replay from some facts to the service's position; equal replays are shared."""
        if position < base.position:
            self._notes.setdefault(service, f"the oldest snapshot is ahead, at {base.position}")
            return None
        fact_set = FACTS_BY_SERVICE[service][self._partition.topic]
        skipped = self._dead_letters.get((service, self._partition), frozenset())
        key = (origin, id(fact_set), skipped, base.position)
        if key not in self._runs:
            facts = packed(base, fact_set)
            self._given_names |= facts.given_names()
            replay = Replay(self._partition, fact_set, facts, base.position, skipped)
            self._runs[key] = ReplayRun(replay, [])
        run = self._runs[key]
        if position not in run.stops:
            run.stops.append(position)
        return run

    def _verdict(
        self, service: str, end: int, replayed: ReplayRun | None, restored: ReplayRun | None
    ) -> Verdict:
        position, live = self._positions[service], self._entries[service]
        from_log, from_history = _facts_at(position, replayed), _facts_at(position, restored)
        copies = [entries for entries in (from_log, from_history) if entries is not None]
        fault = self._snapshot_fault if service == HISTORY else ""
        return Verdict(
            service=service,
            partition=self._partition,
            position=position,
            lag=end if position is None else max(0, end - position),
            live=digest_of(live),
            replayed="" if from_log is None else digest_of(from_log),
            restored="" if from_history is None else digest_of(from_history),
            differing=self._named({name for copy in copies for name in differing(live, copy)}),
            note=fault or self._notes.get(service, ""),
            sound=not fault,
        )

    def _named(self, names: set[str]) -> tuple[str, ...]:
        """Return names of facts in order, ids as they were given where it is known."""
        if not names:
            return ()
        given = dict(self._given_names)
        for run in self._runs.values():
            given |= run.replay.facts.given_names()
        return tuple(sorted(given.get(name, name) for name in names))


def _facts_at(position: int | None, run: ReplayRun | None) -> Entries | None:
    """Return the facts that a replay had at a position, or None without a replay."""
    return None if run is None or position is None else run.reached[position]
