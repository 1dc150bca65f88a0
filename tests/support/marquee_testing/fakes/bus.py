"""In-memory event bus with the semantics of the real ones."""

import itertools
import math
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from marquee.bus.api import Message, Outgoing, Published, TopicPartition, TopicState
from marquee.bus.assignment import (
    Assignment,
    assign_partitions,
    partition_count_fault,
    position_lost,
)
from marquee.errors import BusUnavailable, Conflict, NotFound
from marquee.events.partitioning import partition_of_bytes


@dataclass
class _Log:
    """The messages of one partition from offset `begin` on."""

    begin: int = 0
    messages: list[Message] = field(default_factory=list)

    @property
    def end(self) -> int:
        return self.begin + len(self.messages)


@dataclass
class _Group:
    """Members by id with the moment of their last poll, and who holds which partition."""

    seen: dict[str, float] = field(default_factory=dict)
    topics: dict[str, frozenset[str]] = field(default_factory=dict)
    owners: dict[TopicPartition, tuple[str, int]] = field(default_factory=dict)
    offsets: dict[TopicPartition, int] = field(default_factory=dict)

    def drop(self, member: str) -> None:
        """Forget a member and free its partitions."""
        self.seen.pop(member, None)
        self.topics.pop(member, None)
        self.owners = {p: owner for p, owner in self.owners.items() if owner[0] != member}


class MemoryBus:
    """Thread-safe. `available = False` stands for a server that is down.

    A member that has not polled for `session_s` seconds is taken for dead.
    """

    def __init__(self, session_s: float = math.inf) -> None:
        self.available = True
        self.session_s = session_s
        self._changed = threading.Condition()
        self._version = 0
        self._counts: dict[str, int] = {}
        self._ids: dict[str, str] = {}
        self._logs: dict[TopicPartition, _Log] = {}
        self._groups: dict[str, _Group] = {}
        self._numbers = itertools.count()

    def create_topics(self, partitions: Mapping[str, int]) -> None:
        """See `Bus.create_topics`."""
        with self._answering():
            for topic, count in partitions.items():
                known = self._counts.setdefault(topic, count)
                if known != count:
                    raise Conflict(partition_count_fault(topic, known, count))
                for number in range(count):
                    self._logs.setdefault(TopicPartition(topic, number), _Log())
                self._ids.setdefault(topic, secrets.token_hex(8))

    def partitions(self, topic: str) -> int:
        """See `Bus.partitions`."""
        with self._answering():
            return self._count(topic)

    def topic(self, topic: str) -> TopicState:
        """See `Bus.topic`."""
        with self._answering():
            return TopicState(self._ids.get(topic, ""), self._count(topic))

    def delete(self, topic: str) -> None:
        """Forget a topic with all its messages."""
        with self._changed:
            for number in range(self._counts.pop(topic)):
                del self._logs[TopicPartition(topic, number)]
            del self._ids[topic]

    def producer(self) -> "MemoryProducer":
        """See `Bus.producer`."""
        return MemoryProducer(self)

    def subscribe(
        self,
        group: str,
        topics: Iterable[str],
        on_assigned: Callable[[TopicPartition], int],
        on_revoked: Callable[[TopicPartition], None],
    ) -> "MemorySubscription":
        """See `Bus.subscribe`."""
        announced = Assignment(on_assigned, on_revoked)
        return MemorySubscription(self, group, frozenset(topics), announced)

    def close(self) -> None:
        """Nothing is held open."""

    def trim(self, topic: str, keep: int) -> None:
        """Forget all but the last `keep` messages of each partition."""
        with self._changed:
            for number in range(self._count(topic)):
                log = self._logs[TopicPartition(topic, number)]
                drop = max(0, len(log.messages) - keep)
                log.begin += drop
                del log.messages[:drop]

    def committed(self, group: str) -> dict[TopicPartition, int]:
        """Return the positions that the members of a group have committed."""
        with self._changed:
            return dict(self._groups[group].offsets)

    def append(self, messages: Sequence[Outgoing]) -> list[Published]:
        """Put messages into their logs."""
        with self._answering():
            targets = [
                TopicPartition(m.topic, partition_of_bytes(m.key, self._count(m.topic)))
                for m in messages
            ]
            places = []
            for target, message in zip(targets, messages, strict=True):
                log = self._logs[target]
                places.append(Published(target, log.end))
                kept = Message(log.end, message.key, message.value, dict(message.headers))
                log.messages.append(kept)
            self._wake()
            return places

    def hold(self, group: str, member: str, topics: frozenset[str]) -> dict[TopicPartition, int]:
        """Let a member give up and take partitions; return what it holds, with a token each."""
        with self._answering():
            state = self._groups.setdefault(group, _Group())
            self._expire(state, member, topics)
            wanted = self._wanted(state, member)
            for partition, (owner, _) in list(state.owners.items()):
                if owner == member and partition not in wanted:
                    del state.owners[partition]
                    self._wake()
            for partition in sorted(wanted - state.owners.keys()):
                state.owners[partition] = (member, next(self._numbers))
            return {p: token for p, (owner, token) in state.owners.items() if owner == member}

    def slice(self, partition: TopicPartition, position: int, limit: int) -> list[Message]:
        """Return up to `limit` messages from `position` on.

        Raises:
            PositionLost: The position is outside of the log.
        """
        with self._answering():
            log = self._logs[partition]
            if not log.begin <= position <= log.end:
                raise position_lost(partition, position, log.begin, log.end)
            first = position - log.begin
            return log.messages[first : first + limit]

    def range(self, partition: TopicPartition) -> tuple[int, int]:
        """Return the first offset and the end of a partition's log."""
        with self._answering():
            return self._logs[partition].begin, self._logs[partition].end

    def commit(self, group: str, positions: Mapping[TopicPartition, int]) -> None:
        """Keep what a member has committed."""
        with self._changed:
            self._groups.setdefault(group, _Group()).offsets.update(positions)

    def leave(self, group: str, member: str) -> None:
        """Free what a member holds."""
        with self._changed:
            self._groups.setdefault(group, _Group()).drop(member)
            self._wake()

    def wait(self, seen: int, seconds: float) -> int:
        """Wait until something has changed since version `seen`; return the present version."""
        with self._changed:
            seconds = min(seconds, self.session_s / 4)
            self._changed.wait_for(lambda: self._version != seen, seconds)
            return self._version

    def _answering(self) -> threading.Condition:
        if not self.available:
            raise BusUnavailable("the bus is down")
        return self._changed

    def _count(self, topic: str) -> int:
        if topic not in self._counts:
            raise NotFound(f"no topic {topic}")
        return self._counts[topic]

    def _expire(self, state: _Group, member: str, topics: frozenset[str]) -> None:
        moment = time.monotonic()
        for other, seen in list(state.seen.items()):
            if moment - seen > self.session_s:
                state.drop(other)
        if member not in state.seen:
            self._wake()
        state.seen[member] = moment
        state.topics[member] = topics

    def _wanted(self, state: _Group, member: str) -> set[TopicPartition]:
        wanted: set[TopicPartition] = set()
        for topic in state.topics[member]:
            members = [other for other, topics in state.topics.items() if topic in topics]
            wanted |= assign_partitions(member, members, topic, self._count(topic))
        return wanted

    def _wake(self) -> None:
        self._version += 1
        self._changed.notify_all()


class MemoryProducer:
    """See `Producer`."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus

    def publish(self, messages: Sequence[Outgoing]) -> list[Published]:
        """See `Producer.publish`."""
        return self._bus.append(messages)

    def close(self) -> None:
        """Nothing is under way."""


class MemorySubscription:
    """See `Subscription`."""

    def __init__(
        self, bus: MemoryBus, group: str, topics: frozenset[str], announced: Assignment
    ) -> None:
        self._bus = bus
        self._group = group
        self._topics = topics
        self._assignment = announced
        self._member = secrets.token_hex(8)

    @property
    def assigned(self) -> frozenset[TopicPartition]:
        """See `Subscription.assigned`."""
        return frozenset(self._assignment.positions)

    def poll(self, seconds: float, limit: int) -> dict[TopicPartition, list[Message]]:
        """See `Subscription.poll`."""
        deadline = time.monotonic() + seconds
        version = self._bus.wait(-1, 0.0)
        while True:
            self._assignment.reconcile(self._bus.hold(self._group, self._member, self._topics))
            found = self._read(limit)
            left = deadline - time.monotonic()
            if found or left <= 0:
                return found
            version = self._bus.wait(version, left)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """See `Subscription.seek`."""
        self._assignment.positions[partition] = offset

    def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """See `Subscription.commit`."""
        self._bus.commit(self._group, positions)

    def ranges(self) -> dict[TopicPartition, tuple[int, int]]:
        """See `Subscription.ranges`."""
        return {partition: self._bus.range(partition) for partition in self.assigned}

    def close(self) -> None:
        """See `Subscription.close`."""
        self._assignment.reconcile({})
        self._bus.leave(self._group, self._member)

    def _read(self, limit: int) -> dict[TopicPartition, list[Message]]:
        found: dict[TopicPartition, list[Message]] = {}
        positions = self._assignment.positions
        for partition, position in positions.items():
            messages = self._bus.slice(partition, position, limit)
            if messages:
                found[partition] = messages
                limit -= len(messages)
        for partition, messages in found.items():
            # The partition that was read last comes last next time, so that none starves.
            positions[partition] = positions.pop(partition) + len(messages)
        return found
