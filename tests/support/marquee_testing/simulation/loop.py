"""The real consumer loop on a log, a store and a group in memory, in trouble that a seed decides.

Every call of the store or the log is a point at which the seed may let another process run, let the
call fail before or after it was carried out, or end the process. One thread runs it all, so a seed
tells one story, each time the same.
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
    """The process ends here; nothing of it is carried out any more."""


@dataclass(frozen=True)
class Trouble:
    """How often what goes wrong, as a share of the points at which it could."""

    fail: float = 0.0
    """A call fails before it is carried out."""
    unsure: float = 0.0
    """A call is carried out, and then fails."""
    crash: float = 0.0
    switch: float = 0.0
    """Another process has a turn meanwhile."""


class Fate:
    """Decides by a seed; `trouble` may be changed on the way."""

    def __init__(self, seed: int, trouble: Trouble) -> None:
        self.random = random.Random(seed)
        self.trouble = trouble
        self.others: Callable[[], None] = lambda: None
        self._depth = 0

    def happens(self, share: float) -> bool:
        return share > 0 and self.random.random() < share

    def call(self, carry_out: Callable[[], Any], failure: type[Exception]) -> Any:
        """Carry a call out, or not, or seemingly not."""
        trouble = self.trouble
        if self._depth < 2 and self.happens(trouble.switch):
            self._depth += 1
            try:
                self.others()
            finally:
                self._depth -= 1
        if self.happens(trouble.crash):
            raise Crash
        if self.happens(trouble.fail):
            raise failure("no connection")
        value = carry_out()
        if self.happens(trouble.crash):
            raise Crash
        if self.happens(trouble.unsure):
            raise failure("the reply was lost")
        return value


class TroubledStore:
    """A store as a process reaches it."""

    def __init__(self, store: MemoryStore, fate: Fate) -> None:
        self.store, self.fate = store, fate

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
        return self.fate.call(carry_out, StoreUnavailable)


class Log:
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


class TroubledBus:
    """The log as one process reaches it."""

    def __init__(self, log: Log, fate: Fate, member: int, stale: Callable[[], bool]) -> None:
        self.log, self.fate, self.member, self.stale = log, fate, member, stale

    def create_topics(self, partitions: Mapping[str, int]) -> None:
        """Topics are there."""

    def partitions(self, topic: str) -> int:
        """See `Bus.partitions`."""
        return self.log.counts[topic]

    def topic(self, topic: str) -> TopicState:
        """See `Bus.topic`."""
        return TopicState("the only one", self.log.counts[topic])

    def producer(self) -> "TroubledBus":
        """Return itself, which publishes."""
        return self

    def publish(self, messages: Sequence[Outgoing]) -> list[Published]:
        """See `Producer.publish`."""
        published: list[Published] = self.fate.call(
            lambda: self.log.append(messages), BusUnavailable
        )
        return published

    def subscribe(
        self,
        _group: str,
        _topics: Iterable[str],
        on_assigned: Callable[[TopicPartition], int],
        on_revoked: Callable[[TopicPartition], None],
    ) -> "TroubledSubscription":
        """See `Bus.subscribe`."""
        return TroubledSubscription(self, Assignment(on_assigned, on_revoked))

    def close(self) -> None:
        """Nothing is held open."""


class TroubledSubscription:
    """A member that may learn late that it lost a partition, and gets any number of messages."""

    def __init__(self, bus: TroubledBus, announced: Assignment) -> None:
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
        found: dict[TopicPartition, list[Message]] = bus.fate.call(
            lambda: self._read(limit), BusUnavailable
        )
        for partition, messages in found.items():
            self._assignment.positions[partition] = messages[-1].offset + 1
        return found

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """See `Subscription.seek`."""
        self._assignment.positions[partition] = offset

    def commit(self, _positions: Mapping[TopicPartition, int]) -> None:
        """Nobody looks at the lag."""

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
            n = self._bus.fate.random.randint(0, limit)
            if messages := log[position : position + n]:
                found[partition] = messages
        return found


class History:
    """States of the store that it may fall back to, as after the loss of its last second."""

    def __init__(self, store: MemoryStore, kept: int = 8) -> None:
        self._store, self._kept = store, kept
        self._states: list[dict[str, Any]] = []

    def remember(self) -> None:
        """Keep the present state."""
        self._states = [*self._states[1 - self._kept :], deepcopy(self._store.values)]

    def fall_back(self, fate: Fate) -> None:
        """Go back to a state of before; what came after it is forgotten."""
        if self._states:
            at = fate.random.randrange(len(self._states))
            self._store.values = deepcopy(self._states[at])
            del self._states[at + 1 :]


@dataclass(eq=False)
class Process:
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
        make: Callable[[TroubledBus, TroubledStore], Worker],
        trouble: Trouble,
        processes: int = 2,
    ) -> None:
        self.fate = Fate(seed, trouble)
        self.store, self.log = MemoryStore(), Log(counts)
        self.stale = 0.5
        """How often a member has not heard yet of what it lost and got."""
        self._history = History(self.store)
        self._make = make
        self._processes = [Process(i, self._worker(i)) for i in range(processes)]
        self.fate.others = self._another_turn
        for partition in self._read_partitions():
            self.log.give(partition, self.fate.random.randrange(processes))

    def turn(self) -> None:
        """Let a process have a turn of its loop; sometimes partitions change hands before."""
        if self.fate.happens(0.15):
            partition = self.fate.random.choice(self._read_partitions())
            self.log.give(partition, self.fate.random.randrange(len(self._processes)))
        if self.fate.happens(0.2):
            self._history.remember()
        self._another_turn()

    def fall_back(self) -> None:
        """Let the store lose what it was told last."""
        self._history.fall_back(self.fate)

    def heal(self, turns: int = 200) -> None:
        """End all trouble, and let the loop read all that there is."""
        self.fate.trouble, self.stale = Trouble(), 0.0
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
            self._run(self.fate.random.choice(free))

    def _run(self, process: Process) -> None:
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
        bus = TroubledBus(self.log, self.fate, member, lambda: self.fate.happens(self.stale))
        return self._make(bus, TroubledStore(self.store, self.fate))
