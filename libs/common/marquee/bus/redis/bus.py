"""The event bus on Redis Streams: one stream a partition, read from positions the reader keeps.

The consumer groups of Redis are not used: they keep positions of their own, which cannot be fenced
by the results. Leases decide who reads what (`marquee.bus.redis.leases`).
"""

import itertools
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from marquee.bus.api import Outgoing, Published, TopicPartition, TopicState
from marquee.bus.assignment import Assignment, partition_count_fault
from marquee.bus.redis.leases import Leases
from marquee.bus.redis.streams import Streams, translate_redis_errors
from marquee.bus.redis.subscription import RedisSubscription
from marquee.errors import Conflict, NotFound
from marquee.events.partitioning import partition_of_bytes

KEEP = 1_000_000
"""Entries of a partition that `trim` leaves by default."""

_CHUNK = 1000
"""Messages of one pipeline."""


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
                known = self._partition_count(topic)
                # Before the count, so that a topic that is there has one.
                self.client.hsetnx(self._ids_key, topic, secrets.token_hex(8))
                if known is None:
                    self.streams.create(self._topic_partitions(topic, count))
                    self.client.hsetnx(self._topics_key, topic, str(count))
                    known = self._partition_count(topic)
                if known is not None and known != count:
                    raise Conflict(partition_count_fault(topic, known, count))

    def partitions(self, topic: str) -> int:
        """See `Bus.partitions`."""
        if topic not in self._counts:
            with translate_redis_errors():
                count = self._partition_count(topic)
            if count is None:
                raise NotFound(f"no topic {topic}")
            self._counts[topic] = count
        return self._counts[topic]

    def topic(self, topic: str) -> TopicState:
        """See `Bus.topic`."""
        with translate_redis_errors():
            count = self._partition_count(topic)
            topic_id: Any = self.client.hget(self._ids_key, topic)
        if count is None or topic_id is None:
            raise NotFound(f"no topic {topic}")
        return TopicState(topic_id.decode(), count)

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
        assignment = Assignment(on_assigned, on_revoked)
        return RedisSubscription(self.client, self.streams, leases, f"{prefix}offsets", assignment)

    def close(self) -> None:
        """See `Bus.close`."""
        self.client.close()

    def trim(self, topic: str, keep: int = KEEP) -> int:
        """Drop all but about the last `keep` messages of each partition; return how many went.

        Only this call trims. Ids contain no time, so length is the only measure. A group whose
        position is trimmed away gets PositionLost.
        """
        partitions = self._topic_partitions(topic, self.partitions(topic))
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

    def _partition_count(self, topic: str) -> int | None:
        count: Any = self.client.hget(self._topics_key, topic)
        return None if count is None else int(count)

    def _topic_partitions(self, topic: str, count: int) -> list[TopicPartition]:
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
        """Close nothing: no message is ever pending."""
