"""The bus on Redis Streams: one stream a partition, read from positions that the reader keeps.

Streams' own consumer groups are not used, since they keep positions of their own and cannot be
fenced by the results: who reads what is settled by leases (`marquee.leases`).
"""

import contextlib
import itertools
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from marquee.bus.api import Message, Outgoing, Published, TopicPartition, TopicState
from marquee.bus.assignment import Assignment, partition_count_fault, position_lost
from marquee.bus.redis.leases import Leases
from marquee.bus.redis.streams import Streams, translate_redis_errors
from marquee.errors import BusUnavailable, Conflict, NotFound
from marquee.events.partitioning import partition_of_bytes

KEEP = 1_000_000
"""Entries of a partition that `trim` leaves by default."""

_BLOCK_S = 0.25
"""XREAD blocks no longer than this, so that a change of partitions is seen soon."""
_CHECK_S = 1.0
"""How often the range of an idle log is looked at."""
_CHUNK = 1000
"""Messages that go in one pipeline."""


class RedisBus:
    """Topics of one namespace on one Redis; a dead member is replaced after `lease_s` seconds."""

    def __init__(
        self, url: str, namespace: str, *, lease_s: float = 1.5, timeout_s: float = 5.0
    ) -> None:
        # The client must not try again by itself: a second try may bring messages out of order.
        self.client = Redis.from_url(
            url,
            protocol=2,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
        )
        self._prefix = f"{namespace}:" if namespace else ""
        self.streams = Streams(self.client, self._prefix)
        self._lease_s = lease_s
        self._counts: dict[str, int] = {}

    def create_topics(self, partitions: Mapping[str, int]) -> None:
        """See `Bus.create_topics`."""
        with translate_redis_errors():
            for topic, count in partitions.items():
                known = self._known(topic)
                # Before the count, so that a topic that is there has one.
                self.client.hsetnx(self._ids_key, topic, secrets.token_hex(8))
                if known is None:
                    self.streams.make(self._all(topic, count))
                    self.client.hsetnx(self._topics_key, topic, str(count))
                    known = self._known(topic)
                if known is not None and known != count:
                    raise Conflict(partition_count_fault(topic, known, count))

    def partitions(self, topic: str) -> int:
        """See `Bus.partitions`."""
        if topic not in self._counts:
            with translate_redis_errors():
                count = self._known(topic)
            if count is None:
                raise NotFound(f"no topic {topic}")
            self._counts[topic] = count
        return self._counts[topic]

    def topic(self, topic: str) -> TopicState:
        """See `Bus.topic`."""
        with translate_redis_errors():
            known, named = self._known(topic), self.client.hget(self._ids_key, topic)
        if known is None or named is None:
            raise NotFound(f"no topic {topic}")
        name: Any = named
        return TopicState(name.decode(), known)

    def producer(self) -> "RedisProducer":
        """See `Bus.producer`."""
        return RedisProducer(self)

    def subscribe(
        self,
        group: str,
        topics: Iterable[str],
        on_assigned: Callable[[TopicPartition], int],
        on_revoked: Callable[[TopicPartition], None],
    ) -> "RedisSubscription":
        """See `Bus.subscribe`."""
        prefix = f"{self._prefix}group:{group}:"
        leases = Leases(self.client, prefix, topics, self.partitions, self._lease_s)
        return RedisSubscription(self, leases, f"{prefix}offsets", (on_assigned, on_revoked))

    def close(self) -> None:
        """See `Bus.close`."""
        self.client.close()

    def trim(self, topic: str, keep: int = KEEP) -> int:
        """Forget all but about the last `keep` messages of each partition; return how many went.

        Nothing is trimmed but by this call. Ids hold no time, so length is the only measure. A
        group whose position is trimmed away gets PositionLost.
        """
        partitions = self._all(topic, self.partitions(topic))
        return sum(self.streams.trim(partition, keep) for partition in partitions)

    def committed(self, group: str) -> dict[TopicPartition, int]:
        """Return the positions that the members of a group have committed."""
        with translate_redis_errors():
            stored: Any = self.client.hgetall(f"{self._prefix}group:{group}:offsets")
        return {TopicPartition.parse(name.decode()): int(at) for name, at in stored.items()}

    @property
    def _topics_key(self) -> str:
        return f"{self._prefix}topics"

    @property
    def _ids_key(self) -> str:
        return f"{self._prefix}topic_ids"

    def _known(self, topic: str) -> int | None:
        count: Any = self.client.hget(self._topics_key, topic)
        return None if count is None else int(count)

    def _all(self, topic: str, count: int) -> list[TopicPartition]:
        return [TopicPartition(topic, number) for number in range(count)]


class RedisProducer:
    """See `Producer`. Messages of one call go over one connection, in order."""

    def __init__(self, bus: RedisBus) -> None:
        self._bus = bus

    def publish(self, messages: Sequence[Outgoing]) -> list[Published]:
        """See `Producer.publish`."""
        targets = [
            TopicPartition(m.topic, partition_of_bytes(m.key, self._bus.partitions(m.topic)))
            for m in messages
        ]
        published: list[Published] = []
        pairs = zip(targets, messages, strict=True)
        while chunk := list(itertools.islice(pairs, _CHUNK)):
            published += self._bus.streams.append(chunk)
        return published

    def close(self) -> None:
        """Nothing is under way."""


class RedisSubscription:
    """See `Subscription`."""

    def __init__(
        self,
        bus: RedisBus,
        leases: Leases,
        offsets_key: str,
        listeners: tuple[Callable[[TopicPartition], int], Callable[[TopicPartition], None]],
    ) -> None:
        self._bus = bus
        self._leases = leases
        self._offsets_key = offsets_key
        self._assignment = Assignment(*listeners)
        self._unchecked: set[TopicPartition] = set()
        self._checked = 0.0

    @property
    def assigned(self) -> frozenset[TopicPartition]:
        """See `Subscription.assigned`."""
        return frozenset(self._assignment.positions)

    def poll(self, seconds: float, limit: int) -> dict[TopicPartition, list[Message]]:
        """See `Subscription.poll`."""
        deadline = time.monotonic() + seconds
        while True:
            self._settle()
            left = max(0.0, deadline - time.monotonic())
            found = self._wait(min(left, _BLOCK_S), limit)
            if found:
                return found
            if time.monotonic() >= deadline:
                if not self.assigned and self._leases.error:
                    raise self._leases.error
                return {}

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """See `Subscription.seek`."""
        self._assignment.positions[partition] = offset
        self._unchecked.add(partition)

    def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """See `Subscription.commit`."""
        with contextlib.suppress(RedisError):
            for partition, offset in positions.items():
                self._bus.client.hset(self._offsets_key, str(partition), str(offset))

    def ranges(self) -> dict[TopicPartition, tuple[int, int]]:
        """See `Subscription.ranges`."""
        return self._bus.streams.ranges(self.assigned)

    def close(self) -> None:
        """See `Subscription.close`."""
        self._assignment.reconcile({})
        self._leases.close()

    def _settle(self) -> None:
        new = self._assignment.reconcile(self._leases.held())
        self._unchecked = (self._unchecked | new) & self.assigned
        with translate_redis_errors():
            self._leases.release()

    def _wait(self, seconds: float, limit: int) -> dict[TopicPartition, list[Message]]:
        if not self.assigned:
            self._leases.wait(seconds)
            return {}
        try:
            self._check()
            found = self._read(seconds, limit)
        except BusUnavailable:
            # The server may come back with a shorter log.
            self._unchecked = set(self.assigned)
            raise
        held = self._leases.held()
        found = {p: messages for p, messages in found.items() if self._assignment.holds(p, held)}
        for partition, messages in found.items():
            # The partition that was read last comes last next time, so that none starves.
            position = self._assignment.positions.pop(partition)
            self._assignment.positions[partition] = position + len(messages)
        return found

    def _check(self) -> None:
        """Raise PositionLost for a position that its log does not hold."""
        now = time.monotonic()
        partitions = self._unchecked
        if now - self._checked > _CHECK_S:
            partitions = set(self.assigned)
            self._checked = now
        if partitions:
            for partition, (begin, end) in self._bus.streams.ranges(sorted(partitions)).items():
                position = self._assignment.positions[partition]
                if not begin <= position <= end:
                    self._checked = 0.0
                    raise position_lost(partition, position, begin, end)
        self._unchecked = set()

    def _read(self, seconds: float, limit: int) -> dict[TopicPartition, list[Message]]:
        positions = dict(itertools.islice(self._assignment.positions.items(), limit))
        each = limit // len(positions)
        found = self._bus.streams.read(positions, each, seconds)
        full = {
            partition: positions[partition] + each
            for partition, messages in found.items()
            if len(messages) == each
        }
        room = limit - sum(map(len, found.values()))
        # COUNT is per stream: what quiet streams leave goes to the busy ones.
        if full and room // len(full) and len(full) < len(positions):
            more = self._bus.streams.read(full, room // len(full), 0.0)
            for partition, messages in more.items():
                found[partition] += messages
        return found
