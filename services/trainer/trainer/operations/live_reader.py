"""Reads the facts of a partition from Redis while consumers go on: all at one position.

Nothing is locked and no call is long: keys are found by SCAN, values read in pages. What a step
changes meanwhile is made good afterwards: the update stream carries the new movies, rules and sums,
the sorted set `changed` names the users to read again, and the last few come in one transaction
with the position. Redis is only read.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from marquee.errors import Conflict, StoreUnavailable
from marquee.events import RATINGS
from marquee.store.keys import Keys, PartitionKeys
from trainer.facts.canonical import PackedFacts
from trainer.operations.live_partition import PAGE, LivePartition, PartitionMoved, PartitionReader

TRIES = 5


class LiveReader:
    """Reads Redis. The users of all partitions are found by one scan; do it before reading."""

    def __init__(self, url: str, namespace: str, partitions: int, timeout: float = 5.0) -> None:
        self._namespace, self._partitions = namespace, partitions
        self._redis: Any = redis.Redis.from_url(
            url, socket_timeout=timeout, socket_connect_timeout=2.0, retry=Retry(NoBackoff(), 0)
        )
        self._users: dict[str, set[int]] = {}
        self._scanned_at: dict[str, int] = {}

    def scan(self, services: Sequence[str]) -> None:
        """Find the keys of users of all services in one pass."""
        with _answering():
            for service in services:
                for keys in Keys(self._namespace, service, self._partitions).all(RATINGS):
                    self._users[keys.user(0)[:-1]] = set()
                    # Without a position it is being loaded: all that comes counts as new.
                    position = self._redis.get(keys.position)
                    self._scanned_at[keys.position] = -1 if position is None else int(position)
            for key in self._redis.scan_iter(match=f"{self._namespace}:*:user:*", count=PAGE):
                prefix, _, user_id = key.decode().rpartition(":")
                if (held := self._users.get(f"{prefix}:")) is not None and user_id.isdigit():
                    held.add(int(user_id))

    def read(self, keys: PartitionKeys, version: str = "", cut: int = 0) -> LivePartition:
        """Return what a service holds of a partition; Conflict: it is loaded anew all the time.

        With a model `version` its rows too, and what has changed since the `cut` of its training.
        """
        with _answering():
            for _ in range(TRIES):
                try:
                    reading = PartitionReader(self._redis, keys, self._start(keys), version, cut)
                    return reading.live(self._users.get(keys.user(0)[:-1], set()))
                except PartitionMoved:
                    continue
        raise Conflict(f"{keys.partition} of {keys.prefix} changes faster than it can be read")

    def held(self, keys: PartitionKeys) -> PackedFacts:
        """Return what stands in a partition that nobody changes, complete or not."""
        user_ids = set(self._users.get(keys.user(0)[:-1], ()))
        with _answering():
            user_ids |= {int(i) for i, _ in self._redis.zscan_iter(keys.changed, count=PAGE)}
            return PartitionReader(self._redis, keys, 0).all(user_ids)

    def get(self, key: str) -> bytes | None:
        """Return a string's value."""
        with _answering():
            value: bytes | None = self._redis.get(key)
        return value

    def close(self) -> None:
        """Let go of the connection."""
        self._redis.close()

    def _start(self, keys: PartitionKeys) -> int:
        return self._scanned_at.get(keys.position, 0)


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
        raise StoreUnavailable(f"Redis: {error}") from None
