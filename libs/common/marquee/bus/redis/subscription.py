"""Subscription on Redis Streams: partitions by leases, positions kept by the reader."""

import contextlib
import itertools
import time
from collections.abc import Mapping

from redis import Redis
from redis.exceptions import RedisError

from marquee.bus.api import Message, TopicPartition
from marquee.bus.assignment import Assignment, position_lost
from marquee.bus.redis.leases import Leases
from marquee.bus.redis.streams import Streams, translate_redis_errors
from marquee.errors import BusUnavailable

_BLOCK_S = 0.25
"""XREAD blocks no longer than this, so that a change of partitions is seen soon."""
_CHECK_S = 1.0
"""How often the range of an idle log is checked."""


class RedisSubscription:
    """See `Subscription`."""

    def __init__(
        self,
        client: "Redis",
        streams: Streams,
        leases: Leases,
        offsets_key: str,
        assignment: Assignment,
    ) -> None:
        self._client = client
        self._streams = streams
        self._leases = leases
        self._offsets_key = offsets_key
        self._assignment = assignment
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
            self._reconcile()
            left = max(0.0, deadline - time.monotonic())
            batches = self._wait(min(left, _BLOCK_S), limit)
            if batches:
                return batches
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
                self._client.hset(self._offsets_key, str(partition), str(offset))

    def ranges(self) -> dict[TopicPartition, tuple[int, int]]:
        """See `Subscription.ranges`."""
        return self._streams.ranges(self.assigned)

    def close(self) -> None:
        """See `Subscription.close`."""
        self._assignment.reconcile({})
        self._leases.close()

    def _reconcile(self) -> None:
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
            batches = self._read(seconds, limit)
        except BusUnavailable:
            # The server may come back with a shorter log.
            self._unchecked = set(self.assigned)
            raise
        tokens = self._leases.held()
        batches = {p: batch for p, batch in batches.items() if self._assignment.holds(p, tokens)}
        for partition, messages in batches.items():
            # The partition that was read last comes last next time, so that none starves.
            position = self._assignment.positions.pop(partition)
            self._assignment.positions[partition] = position + len(messages)
        return batches

    def _check(self) -> None:
        """Raise PositionLost for a position outside of its log."""
        now = time.monotonic()
        partitions = self._unchecked
        if now - self._checked > _CHECK_S:
            partitions = set(self.assigned)
            self._checked = now
        if partitions:
            for partition, (begin, end) in self._streams.ranges(sorted(partitions)).items():
                position = self._assignment.positions[partition]
                if not begin <= position <= end:
                    self._checked = 0.0
                    raise position_lost(partition, position, begin, end)
        self._unchecked = set()

    def _read(self, seconds: float, limit: int) -> dict[TopicPartition, list[Message]]:
        positions = dict(itertools.islice(self._assignment.positions.items(), limit))
        count = limit // len(positions)
        batches = self._streams.read(positions, count, seconds)
        full = {
            partition: positions[partition] + count
            for partition, messages in batches.items()
            if len(messages) == count
        }
        room = limit - sum(map(len, batches.values()))
        # COUNT is per stream: what quiet streams leave goes to the busy ones.
        if full and room // len(full) and len(full) < len(positions):
            more = self._streams.read(full, room // len(full), 0.0)
            for partition, messages in more.items():
                batches[partition] += messages
        return batches
