"""Simulation of the real consumer loop on an in-memory log, store and group, with seeded faults.

At every call of the store or the log, the seed may let another process run, let the call fail
before or after it takes effect, or end the process. One thread runs everything, so a seed gives the
same run each time.
"""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from marquee.bus.api import Message, Outgoing, Published, Subscription, TopicPartition, TopicState
from marquee.bus.assignment import Assignment
from marquee.consumer.worker import Worker
from marquee.errors import BusUnavailable, FenceLost, PositionLost, StoreUnavailable
from marquee.events.partitioning import partition_of_bytes
from marquee.store.api import Command, ReadRequest, ReadResult
from marquee.store.keys import PartitionKeys
from marquee_testing.fakes.store import MemoryStore


class Crash(BaseException):
    """The end of a process: nothing more of it runs."""


@dataclass(frozen=True)
class FaultRates:
    """Rates of faults, as shares of the points at which they may happen."""

    fail: float = 0.0
    """A call fails before it takes effect."""
    unsure: float = 0.0
    """A call takes effect, and then fails."""
    crash: float = 0.0
    switch: float = 0.0
    """Another process takes a turn meanwhile."""


class SeededFaults:
    """Decides by a seed; `rates` may be changed on the way."""

    def __init__(self, seed: int, rates: FaultRates) -> None:
        self.random = random.Random(seed)
        self.rates = rates
        self.others: Callable[[], None] = lambda: None
        self._depth = 0

    def happens(self, share: float) -> bool:
        return share > 0 and self.random.random() < share

    def call(self, carry_out: Callable[[], Any], failure: type[Exception]) -> Any:
        """Make a call, with or without effect, with or without an error."""
        rates = self.rates
        if self._depth < 2 and self.happens(rates.switch):
            self._depth += 1
            try:
                self.others()
            finally:
                self._depth -= 1
        if self.happens(rates.crash):
            raise Crash
        if self.happens(rates.fail):
            raise failure("no connection")
        value = carry_out()
        if self.happens(rates.crash):
            raise Crash
        if self.happens(rates.unsure):
            raise failure("the reply was lost")
        return value


class FaultyStore:
    """A store as a process reaches it."""

    def __init__(self, store: MemoryStore, faults: SeededFaults) -> None:
        self.store, self.faults = store, faults

    def position(self, keys: PartitionKeys) -> int | None:
        found: int | None = self._call(lambda: self.store.position(keys))
        return found

    def get(self, key: str) -> bytes | None:
        """Return a string's value."""
        found: bytes | None = self._call(lambda: self.store.get(key))
        return found

    def read(self, reads: ReadRequest) -> ReadResult:
        found: ReadResult = self._call(lambda: self.store.read(reads))
        return found

    def scan(self, key: str) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = self._call(lambda: self.store.scan(key))
        return found

    def changed_since(self, keys: PartitionKeys, offset: int) -> list[int]:
        found: list[int] = self._call(lambda: self.store.changed_since(keys, offset))
        return found

    def write(
        self,
        keys: PartitionKeys,
        expected: int | None,
        position: int | None,
        commands: Sequence[Command],
    ) -> None:
        self._call(lambda: self.store.write(keys, expected, position, commands))

    def _call(self, carry_out: Callable[[], Any]) -> Any:
        return self.faults.call(carry_out, StoreUnavailable)


class SimulatedLog:
    """The partitions of all topics, and which member of the one group holds which."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self.counts = dict(counts)
        self.messages: dict[TopicPartition, list[Message]] = {
            TopicPartition(topic, p): [] for topic, n in counts.items() for p in range(n)
        }
        self.owners: dict[TopicPartition, tuple[int, int]] = {}
        """Partition → member and a token, new at each change of hands."""
        self._tokens = 0

    def append(self, messages: Iterable[Outgoing], partition: int | None = None) -> list[Published]:
        """Put messages into their logs, or all into one partition."""
        published = []
        for message in messages:
            right = partition_of_bytes(message.key, self.counts[message.topic])
            where = TopicPartition(message.topic, right if partition is None else partition)
            log = self.messages[where]
            log.append(Message(len(log), message.key, message.value, dict(message.headers)))
            published.append(Published(where, len(log) - 1))
        return published

    def give(self, partition: TopicPartition, member: int) -> None:
        """Let a member hold a partition from now on."""
        self._tokens += 1
        self.owners[partition] = (member, self._tokens)

    def held(self, member: int) -> dict[TopicPartition, int]:
        """Return what a member holds, with the tokens."""
        return {p: token for p, (owner, token) in self.owners.items() if owner == member}


class FaultyBus:
    """The log as one process reaches it."""

    def __init__(
        self, log: SimulatedLog, faults: SeededFaults, member: int, stale: Callable[[], bool]
    ) -> None:
        self.log, self.faults, self.member, self.stale = log, faults, member, stale

    def create_topics(self, partitions: Mapping[str, int]) -> None:
        """Topics are there."""

    def partitions(self, topic: str) -> int:
        """See `Bus.partitions`."""
        return self.log.counts[topic]

    def topic(self, topic: str) -> TopicState:
        """See `Bus.topic`."""
        return TopicState("the only one", self.log.counts[topic])

    def producer(self) -> "FaultyBus":
        """Return itself, which publishes."""
        return self

    def publish(self, messages: Sequence[Outgoing]) -> list[Published]:
        """See `Producer.publish`."""
        published: list[Published] = self.faults.call(
            lambda: self.log.append(messages), BusUnavailable
        )
        return published

    def subscribe(
        self,
        _group: str,
        _topics: Iterable[str],
        on_assigned: Callable[[TopicPartition], int],
        on_revoked: Callable[[TopicPartition], None],
    ) -> "FaultySubscription":
        """See `Bus.subscribe`."""
        return FaultySubscription(self, Assignment(on_assigned, on_revoked))

    def close(self) -> None:
        """Nothing is held open."""


class FaultySubscription:
    """A member that may learn late that it lost a partition, and gets any number of messages."""

    def __init__(self, bus: FaultyBus, announced: Assignment) -> None:
        self._bus, self._assignment = bus, announced
        self._held: dict[TopicPartition, int] = {}

    @property
    def assigned(self) -> frozenset[TopicPartition]:
        """See `Subscription.assigned`."""
        return frozenset(self._assignment.positions)

    def poll(self, _seconds: float, limit: int) -> dict[TopicPartition, list[Message]]:
        """See `Subscription.poll`."""
        bus = self._bus
        if not self._held or not bus.stale():
            self._held = bus.log.held(bus.member)
        self._assignment.reconcile(self._held)
        found: dict[TopicPartition, list[Message]] = bus.faults.call(
            lambda: self._read(limit), BusUnavailable
        )
        for partition, messages in found.items():
            self._assignment.positions[partition] = messages[-1].offset + 1
        return found

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """See `Subscription.seek`."""
        self._assignment.positions[partition] = offset

    def commit(self, _positions: Mapping[TopicPartition, int]) -> None:
        """Do nothing: lag is not measured here."""

    def ranges(self) -> dict[TopicPartition, tuple[int, int]]:
        """See `Subscription.ranges`."""
        return {p: (0, len(self._bus.log.messages[p])) for p in self.assigned}

    def close(self) -> None:
        """Leave; the scheduler gives the partitions to others."""

    def _read(self, limit: int) -> dict[TopicPartition, list[Message]]:
        found: dict[TopicPartition, list[Message]] = {}
        for partition, position in self._assignment.positions.items():
            log = self._bus.log.messages[partition]
            if position > len(log):
                raise PositionLost(f"{partition}: position {position} of {len(log)}")
            n = self._bus.faults.random.randint(0, limit)
            if messages := log[position : position + n]:
                found[partition] = messages
        return found


class StoreHistory:
    """States of the store that it may fall back to, as after the loss of its last second."""

    def __init__(self, store: MemoryStore, kept: int = 8) -> None:
        self._store, self._kept = store, kept
        self._states: list[dict[str, Any]] = []

    def remember(self) -> None:
        """Keep the present state."""
        self._states = [*self._states[1 - self._kept :], deepcopy(self._store.values)]

    def fall_back(self, faults: SeededFaults) -> None:
        """Go back to a state of before; what came after it is forgotten."""
        if self._states:
            at = faults.random.randrange(len(self._states))
            self._store.values = deepcopy(self._states[at])
            del self._states[at + 1 :]


@dataclass(eq=False)
class SimulatedProcess:
    """One member of the group; a crash leaves it without memory."""

    member: int
    worker: Worker
    subscription: Subscription | None = None
    busy: bool = False


class Simulation:
    """Processes of one service that share the partitions of a log and a store."""

    def __init__(
        self,
        seed: int,
        counts: Mapping[str, int],
        make: Callable[[FaultyBus, FaultyStore], Worker],
        rates: FaultRates,
        processes: int = 2,
    ) -> None:
        self.faults = SeededFaults(seed, rates)
        self.store, self.log = MemoryStore(), SimulatedLog(counts)
        self.stale = 0.5
        """How often a member has not heard yet of what it lost and got."""
        self._history = StoreHistory(self.store)
        self._make = make
        self._processes = [SimulatedProcess(i, self._worker(i)) for i in range(processes)]
        self.faults.others = self._another_turn
        for partition in self._read_partitions():
            self.log.give(partition, self.faults.random.randrange(processes))

    def turn(self) -> None:
        """Let a process have a turn of its loop; sometimes partitions change hands before."""
        if self.faults.happens(0.15):
            partition = self.faults.random.choice(self._read_partitions())
            self.log.give(partition, self.faults.random.randrange(len(self._processes)))
        if self.faults.happens(0.2):
            self._history.remember()
        self._another_turn()

    def fall_back(self) -> None:
        """Let the store lose its last writes."""
        self._history.fall_back(self.faults)

    def heal(self, turns: int = 200) -> None:
        """End all trouble, and let the loop read all that there is."""
        self.faults.rates, self.stale = FaultRates(), 0.0
        for _ in range(turns):
            for process in self._processes:
                self._run(process)
            if not self._behind():
                return
        raise AssertionError(f"still behind after {turns} turns: {self._behind()}")

    def _behind(self) -> list[str]:
        positions = {p: self.store.position(self.keys(p)) for p in self._read_partitions()}
        return [str(p) for p, at in positions.items() if at != len(self.log.messages[p])]

    def _read_partitions(self) -> list[TopicPartition]:
        topics = self._processes[0].worker.topics
        return [p for p in self.log.messages if p.topic in topics]

    def keys(self, partition: TopicPartition) -> PartitionKeys:
        """Return the keys of a partition of the service."""
        return self._processes[0].worker.keys.of(partition)

    def _another_turn(self) -> None:
        free = [process for process in self._processes if not process.busy]
        if free:
            self._run(self.faults.random.choice(free))

    def _run(self, process: SimulatedProcess) -> None:
        process.busy = True
        try:
            if process.subscription is None:
                process.subscription = process.worker.subscribe()
            process.worker.turn(process.subscription)
        except (StoreUnavailable, BusUnavailable, FenceLost):
            pass  # waited out: the next turn is another try
        except Crash:
            process.worker, process.subscription = self._worker(process.member), None
        finally:
            process.busy = False

    def _worker(self, member: int) -> Worker:
        bus = FaultyBus(self.log, self.faults, member, lambda: self.faults.happens(self.stale))
        return self._make(bus, FaultyStore(self.store, self.faults))
