"""Leases: ownership of partitions by group members on Redis, renewed by a thread.

The members of a group are in a sorted set for each topic, scored by the moment until which they
count as alive. Each member computes the same assignment from it and takes a lease for each of its
partitions: a key with a time to live, which only its owner may renew or delete.
"""

import contextlib
import itertools
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from marquee.bus.api import TopicPartition
from marquee.bus.assignment import assign_partitions
from marquee.bus.redis.faults import describe
from marquee.errors import BusUnavailable, MarqueeError

IDLE_S = 300.0
"""A member that has not polled for this long gives its partitions up, as with Kafka."""

_REGISTER = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('PEXPIRE', KEYS[1], ARGV[2] * 10)
return redis.call('ZRANGE', KEYS[1], 0, -1)
"""
_RENEW = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
_RELEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""


class Leases:
    """The leases of one member of a group.

    Args:
        client: The Redis client.
        prefix: Prefix of the keys.
        topics: The topics that the group reads.
        count: Returns the number of partitions of a topic.
        lease_s: Seconds after which the leases of a dead member end.
    """

    def __init__(
        self,
        client: "Redis",
        prefix: str,
        topics: Iterable[str],
        count: Callable[[str], int],
        lease_s: float,
    ) -> None:
        self.member = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self.error: MarqueeError | None = None
        self._client = client
        self._prefix = prefix
        self._topics = sorted(set(topics))
        self._count = count
        self._lease_s = lease_s
        self._tokens = itertools.count()
        self._held: dict[TopicPartition, tuple[int, float]] = {}
        self._wanted: set[TopicPartition] = set()
        self._polled = time.monotonic()
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
        self._thread.start()

    def held(self) -> dict[TopicPartition, int]:
        """Return the leased partitions, each with a token of its lease; a sign of life."""
        self._polled = time.monotonic()
        if not self._thread.is_alive():
            raise BusUnavailable("the thread that renews the leases has ended")
        with self._changed:
            return {
                partition: token
                for partition, (token, until) in self._held.items()
                if partition in self._wanted and until > self._polled
            }

    def release(self) -> None:
        """Release partitions assigned to others. Call it while none of them is being handled."""
        with self._changed:
            surplus = self._held.keys() - self._wanted
        if surplus:
            self._release(surplus)

    def wait(self, seconds: float) -> None:
        """Wait until a partition is leased, at most `seconds`."""
        with self._changed:
            self._changed.wait(seconds)

    def close(self) -> None:
        """Leave the group; the leases end at once, or by timeout when Redis is out of reach."""
        self._stopped.set()
        self._thread.join()
        with contextlib.suppress(BusUnavailable, RedisError):
            self._release(set(self._held))
            for topic in self._topics:
                self._client.zrem(self._members(topic), self.member)

    def _run(self) -> None:
        while not self._stopped.is_set():
            if time.monotonic() - self._polled < IDLE_S:
                try:
                    self._update()
                    self.error = None
                except MarqueeError as error:
                    self.error = error
                except RedisError as error:
                    self.error = BusUnavailable(f"Redis: {describe(error)}")
            self._stopped.wait(self._lease_s / 4)

    def _update(self) -> None:
        wanted: set[TopicPartition] = set()
        for topic in self._topics:
            members = self._register(topic)
            wanted |= assign_partitions(self.member, members, topic, self._count(topic))
        with self._changed:
            self._wanted = wanted
            owned = list(self._held)
        self._renew(owned)
        self._take(sorted(wanted.difference(owned)))

    def _register(self, topic: str) -> list[str]:
        reply: Any = self._client.eval(
            _REGISTER, 1, self._members(topic), self.member, str(self._milliseconds)
        )
        return [member.decode() for member in reply]

    def _renew(self, partitions: list[TopicPartition]) -> None:
        until = time.monotonic() + self._lease_s
        pipe = self._client.pipeline(transaction=False)
        for partition in partitions:
            pipe.eval(_RENEW, 1, self._lease(partition), self.member, str(self._milliseconds))
        for partition, renewed in zip(partitions, pipe.execute(), strict=True):
            with self._changed:
                if partition not in self._held:
                    continue
                token, _ = self._held.pop(partition)
                if renewed:
                    self._held[partition] = (token, until)

    def _take(self, partitions: list[TopicPartition]) -> None:
        until = time.monotonic() + self._lease_s
        pipe = self._client.pipeline(transaction=False)
        for partition in partitions:
            pipe.set(self._lease(partition), self.member, nx=True, px=self._milliseconds)
        for partition, taken in zip(partitions, pipe.execute(), strict=True):
            if taken:
                with self._changed:
                    self._held[partition] = (next(self._tokens), until)
                    self._changed.notify_all()

    def _release(self, partitions: set[TopicPartition]) -> None:
        with self._changed:
            for partition in partitions:
                self._held.pop(partition, None)
        pipe = self._client.pipeline(transaction=False)
        for partition in partitions:
            pipe.eval(_RELEASE, 1, self._lease(partition), self.member)
        pipe.execute()

    @property
    def _milliseconds(self) -> int:
        return int(self._lease_s * 1000)

    def _lease(self, partition: TopicPartition) -> str:
        return f"{self._prefix}lease:{{{partition}}}"

    def _members(self, topic: str) -> str:
        return f"{self._prefix}members:{topic}"
