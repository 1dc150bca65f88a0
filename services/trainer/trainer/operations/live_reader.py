"""Consistent reads of facts from Redis at one position of each partition, while consumers write.

Nothing is locked and no call is long: keys are listed by SCAN, values are read in pages. What a
unit of work changes meanwhile is read afterwards: the update stream carries new movies, rules and
sums, the sorted set `changed` names the users to read again, and the last few are read in one
transaction with the position. Redis is only read.
"""

from collections.abc import Sequence
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from marquee.errors import Conflict
from marquee.events import RATINGS
from marquee.store.keys import Keys, PartitionKeys
from marquee.store.redis import translated_errors
from trainer.facts.canonical import PackedFacts
from trainer.operations.live_partition import PAGE, LivePartition, PartitionMoved, PartitionReader

TRIES = 5


class LiveReader:
    """Reads facts from Redis. `scan` lists the users of all partitions at once: call it first."""

    def __init__(self, url: str, namespace: str, partitions: int, timeout: float = 5.0) -> None:
        self._namespace, self._partitions = namespace, partitions
        self._redis: Any = redis.Redis.from_url(
            url, socket_timeout=timeout, socket_connect_timeout=2.0, retry=Retry(NoBackoff(), 0)
        )
        self._users: dict[str, set[int]] = {}
        self._scanned_at: dict[str, int] = {}

    def scan(self, services: Sequence[str]) -> None:
        """List the keys of users of all services in one pass."""
        with translated_errors():
            for service in services:
                for keys in Keys(self._namespace, service, self._partitions).all(RATINGS):
                    self._users[keys.user(0)[:-1]] = set()
                    # Without a position it is being loaded: all its users count as changed.
                    position = self._redis.get(keys.position)
                    self._scanned_at[keys.position] = -1 if position is None else int(position)
            for key in self._redis.scan_iter(match=f"{self._namespace}:*:user:*", count=PAGE):
                prefix, _, user_id = key.decode().rpartition(":")
                users = self._users.get(f"{prefix}:")
                if users is not None and user_id.removeprefix("-").isdigit():
                    users.add(int(user_id))

    def read(self, keys: PartitionKeys, version: str = "", cut: int = 0) -> LivePartition:
        """Read a partition of a service at one position.

        Args:
            keys: Keys of the partition.
            version: Model version whose derived rows are read too; empty: none.
            cut: Offset of that version's training cut, from which on changes are listed.

        Raises:
            Conflict: The partition changes faster than it can be read.
            StoreUnavailable: Redis does not answer.
        """
        with translated_errors():
            for _ in range(TRIES):
                try:
                    reader = PartitionReader(self._redis, keys, self._start(keys), version, cut)
                    return reader.live(self._users.get(keys.user(0)[:-1], set()))
                except PartitionMoved:
                    continue
        raise Conflict(f"{keys.partition} of {keys.prefix} changes faster than it can be read")

    def stored_facts(self, keys: PartitionKeys) -> PackedFacts:
        """Return the facts of a partition that no consumer changes, complete or not."""
        user_ids = set(self._users.get(keys.user(0)[:-1], ()))
        with translated_errors():
            user_ids |= {int(i) for i, _ in self._redis.zscan_iter(keys.changed, count=PAGE)}
            return PartitionReader(self._redis, keys, 0).all(user_ids)

    def get(self, key: str) -> bytes | None:
        """Return a string's value."""
        with translated_errors():
            value: bytes | None = self._redis.get(key)
        return value

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()

    def _start(self, keys: PartitionKeys) -> int:
        return self._scanned_at.get(keys.position, 0)
