"""Reads the facts of a partition from Redis while consumers go on: all at one position.

Nothing is locked and no call is long: keys are found by SCAN, values read in pages. What a step
changes meanwhile is made good afterwards: the update stream carries the new films, rules and sums,
the sorted set `changed` names the viewers to read again, and the last few come in one transaction
with the position. Redis is only read.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from marquee.erased import digest_of_user
from marquee.errors import Conflict, StoreUnavailable
from marquee.events import MOVIES, RATINGS
from marquee.store import Keys, PartitionKeys
from trainer.packed_facts import PackedFacts

PAGE = 500
"""Keys, fields or entries of one call."""
ATOMIC = 256
"""Viewers that the transaction at the end reads at most."""
TRIES = 5
ROUNDS = 200


@dataclass
class Live:
    """What a service holds of a partition at `position`.

    None: the partition was never loaded. Negative: it is being rebuilt.
    """

    keys: PartitionKeys
    position: int | None
    facts: PackedFacts
    complete: str = ""
    """The model version whose rows are complete."""
    rows: dict[str, bytes] = field(default_factory=dict)
    """Derived rows of that version by field."""
    changed: dict[int, int] = field(default_factory=dict)
    """Film or viewer → offset of its last change, of all changes since the training cut."""


class Moved(Exception):
    """The partition was loaded anew, or its update stream is ahead of what was read."""


class LiveFacts:
    """Reads Redis. The users of all partitions are found by one scan; do it before reading."""

    def __init__(self, url: str, namespace: str, partitions: int, timeout: float = 5.0) -> None:
        self._namespace, self._partitions = namespace, partitions
        self._redis: Any = redis.Redis.from_url(
            url, socket_timeout=timeout, socket_connect_timeout=2.0, retry=Retry(NoBackoff(), 0)
        )
        self._users: dict[str, set[int]] = {}
        self._scanned_at: dict[str, int] = {}

    def scan(self, services: Sequence[str]) -> None:
        """Find the keys of viewers of all services in one pass."""
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

    def read(self, keys: PartitionKeys, with_rows: bool = False) -> Live:
        """Return what a service holds of a partition; Conflict: it is loaded anew all the time."""
        with _answering():
            for _ in range(TRIES):
                try:
                    return _Reading(self._redis, keys, self._start(keys)).live(
                        self._users.get(keys.user(0)[:-1], set()), with_rows
                    )
                except Moved:
                    continue
        raise Conflict(f"{keys.partition} of {keys.prefix} changes faster than it can be read")

    def held(self, keys: PartitionKeys) -> PackedFacts:
        """Return what stands in a partition that nobody changes, complete or not."""
        user_ids = set(self._users.get(keys.user(0)[:-1], ()))
        with _answering():
            user_ids |= {int(i) for i, _ in self._redis.zscan_iter(keys.changed, count=PAGE)}
            return _Reading(self._redis, keys, 0).all(user_ids)

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


class _Reading:
    """One reading of one partition."""

    def __init__(self, client: Any, keys: PartitionKeys, scanned_at: int) -> None:
        self._redis, self._keys = client, keys
        self._facts = PackedFacts()
        self._rows: dict[str, bytes] = {}
        self._began = scanned_at
        self._since = scanned_at
        """Viewers that changed at this offset or later have to be read (again)."""
        self._version = ""
        self._entry, self._at = "0-0", 0

    def live(self, user_ids: set[int], with_rows: bool) -> Live:
        """Read everything, then make good what has changed meanwhile."""
        position, last, complete = self._begin()
        self._version = complete.decode() if complete and with_rows else ""
        if position is None or int(position) < 0:
            return Live(self._keys, position and int(position), self.all(user_ids))
        self._at = int(position)
        self._entry = last[0][0].decode() if last else "0-0"
        if self._at < self._since:
            raise Moved
        self._read_all(user_ids)
        end = self._catch_up()
        return Live(self._keys, end, self._facts, self._version, self._rows)

    def all(self, user_ids: set[int]) -> PackedFacts:
        """Read everything once."""
        self._read_all(user_ids)
        return self._facts

    def _begin(self) -> Any:
        pipe = self._redis.pipeline(transaction=True)
        pipe.get(self._keys.position)
        pipe.xrevrange(self._keys.updates, count=1)
        pipe.get(self._keys.complete)
        return pipe.execute()

    def _read_all(self, user_ids: set[int]) -> None:
        facts, keys = self._facts, self._keys
        for key, held in (
            (keys.films, facts.films),
            (keys.rules, facts.rules),
            (keys.sums, facts.sums),
        ):
            for name, value in self._redis.hscan_iter(key, count=PAGE):
                held[int(name)] = value
        for digest, offset in self._redis.zscan_iter(keys.erased, count=PAGE):
            facts.erased[digest] = int(offset)
        if self._version:
            for name, value in self._redis.hscan_iter(keys.rows(self._version), count=PAGE):
                self._rows[name.decode()] = value
        self._read_users(user_ids)

    def _read_users(self, user_ids: Iterable[int]) -> None:
        wanted = iter(user_ids)
        while page := list(islice(wanted, PAGE)):
            self._put_users(page, self._redis.mget([self._keys.user(i) for i in page]))

    def _put_users(self, user_ids: Sequence[int], values: Sequence[bytes | None]) -> None:
        for user_id, value in zip(user_ids, values, strict=True):
            if value is None:
                self._facts.users.pop(user_id, None)
            else:
                self._facts.users[user_id] = value

    # --- what changes meanwhile

    def _catch_up(self) -> int:
        """Return the position at which all that was read stands."""
        for _ in range(ROUNDS):
            self._read_entries()
            before, ids = self._redis.get(self._keys.position), self._changed()
            if before is None or int(before) < self._since:
                raise Moved
            if len(ids) > ATOMIC:
                self._read_users(ids)
                self._since = int(before)
            elif (position := self._settle(ids)) is not None:
                return position
        raise Moved

    def _settle(self, ids: Sequence[int]) -> int | None:
        """Read the last changes in one transaction; None: there are more of them than `ids`."""
        pipe = self._redis.pipeline(transaction=True)
        pipe.get(self._keys.position)
        pipe.zrangebyscore(self._keys.changed, self._since, "+inf", 0, ATOMIC + 1)
        pipe.zrangebyscore(self._keys.erased, self._began, "+inf", withscores=True)
        pipe.xrange(self._keys.updates, f"({self._entry}", "+", PAGE)
        if ids:
            pipe.mget([self._keys.user(i) for i in ids])
        position, changed, erased, entries, *values = pipe.execute()
        if position is None:
            raise Moved
        late = {*map(int, changed), *self._among([digest for digest, _ in erased])}
        is_all = self._keys.partition.topic == MOVIES or late <= set(ids)
        if not is_all or len(entries) == PAGE:
            return None
        self._apply(entries)
        if self._at != int(position):
            raise Moved
        self._facts.erased |= {digest: int(offset) for digest, offset in erased}
        if ids:
            self._put_users(ids, values[0])
        return int(position)

    def _changed(self) -> list[int]:
        if self._keys.partition.topic == MOVIES:
            return []
        ids: list[int] = []
        while True:
            page = self._redis.zrangebyscore(
                self._keys.changed, self._since, "+inf", len(ids), PAGE
            )
            ids += map(int, page)
            if len(page) < PAGE:
                erased = self._redis.zrangebyscore(self._keys.erased, self._began, "+inf")
                return list({*ids, *self._among(erased)})

    def _among(self, erased: Sequence[bytes]) -> list[int]:
        """Return the viewers held who are on the erasure list."""
        if not erased:
            return []
        listed = set(erased)
        return [user_id for user_id in self._facts.users if digest_of_user(user_id) in listed]

    def _read_entries(self) -> None:
        while True:
            entries = self._redis.xrange(self._keys.updates, f"({self._entry}", "+", PAGE)
            self._apply(entries)
            if len(entries) < PAGE:
                return

    def _apply(self, entries: Iterable[tuple[bytes, Mapping[bytes, bytes]]]) -> None:
        for entry_id, fields in entries:
            if int(fields[b"from"]) > self._at or int(fields[b"to"]) < self._at:
                raise Moved
            self._at, self._entry = int(fields[b"to"]), entry_id.decode()
            version = fields[b"version"].decode()
            for name, value in fields.items():
                kind, _, entity = name.decode().partition(":")
                if entity:
                    self._put(kind, entity, value, version)

    def _put(self, kind: str, entity: str, value: bytes, version: str) -> None:
        facts = self._facts
        hashes = {"film": facts.films, "rules": facts.rules, "sums": facts.sums}
        if (held := hashes.get(kind)) is not None:
            _put(held, int(entity), value)
        elif version == self._version and kind in ("row", "part"):
            name = entity if kind == "row" else f"{kind}:{entity}"
            if value or (kind == "row" and self._keys.partition.topic == MOVIES):
                self._rows[name] = value
            else:
                self._rows.pop(name, None)


def _put(held: dict[int, bytes], entity: int, value: bytes) -> None:
    if value:
        held[entity] = value
    else:
        held.pop(entity, None)


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
        raise StoreUnavailable(f"Redis: {error}") from None
