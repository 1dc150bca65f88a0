"""Consistent read of one partition from Redis at one position, while consumers write."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from marquee.events import MOVIES
from marquee.events.erasure import digest_of_user
from marquee.store.keys import PartitionKeys
from trainer.facts.canonical import PackedFacts

PAGE = 500
"""Most keys, fields or entries of one call."""
ATOMIC = 256
"""Most users that the final transaction reads."""
ROUNDS = 200
"""Attempts to catch up with changes before the reading is given up."""


@dataclass
class LivePartition:
    """Facts and derived rows of a partition at `position`.

    The position is None if the partition was never loaded, negative if it is being rebuilt.
    """

    keys: PartitionKeys
    position: int | None
    facts: PackedFacts
    complete: str = ""
    """The model version whose rows are complete."""
    rows: dict[str, bytes] = field(default_factory=dict)
    """Derived rows of that version by field."""
    changed: dict[int, int] = field(default_factory=dict)
    """Movie or user → offset of its last change, for changes since the training cut."""


class PartitionMoved(Exception):
    """The partition was loaded again, or its update stream is ahead of what was read."""


class PartitionReader:
    """One reading of one partition.

    Args:
        client: Client of Redis.
        keys: Keys of the partition.
        scanned_at: Position when the keys of users were listed.
        version: Model version whose rows are read too; empty: none.
        cut: Offset of the training cut of that version.
    """

    def __init__(
        self, client: Any, keys: PartitionKeys, scanned_at: int, version: str = "", cut: int = 0
    ) -> None:
        self._redis, self._keys = client, keys
        self._facts = PackedFacts()
        self._rows: dict[str, bytes] = {}
        self._began = scanned_at
        self._since = scanned_at
        """Users that changed at this offset or later have to be read (again)."""
        self._version, self._cut = version, cut
        self._entry, self._at = "0-0", 0

    def live(self, user_ids: set[int]) -> LivePartition:
        """Read everything, then read again what has changed meanwhile.

        Raises:
            PartitionMoved: The changes cannot be followed; read again from the start.
        """
        position, last = self._begin()
        if position is None or int(position) < 0:
            return LivePartition(self._keys, position and int(position), self.all(user_ids))
        self._at = int(position)
        self._entry = last[0][0].decode() if last else "0-0"
        if self._at < self._since:
            raise PartitionMoved
        self._read_all(user_ids)
        end = self._catch_up()
        live = LivePartition(self._keys, end, self._facts, rows=self._rows)
        if self._version:
            self._add_changed(live, end)
        return live

    def _add_changed(self, live: LivePartition, end: int) -> None:
        """Add the changes between the cut and the position.

        Raises:
            PartitionMoved: There are more changes since.
        """
        pipe = self._redis.pipeline(transaction=True)
        pipe.get(self._keys.position)
        pipe.get(self._keys.complete)
        pipe.zrangebyscore(self._keys.changed, self._cut, "+inf", withscores=True)
        position, complete, changed = pipe.execute()
        if int(position or -1) != end:
            raise PartitionMoved
        live.complete = (complete or b"").decode()
        live.changed = {int(entity): int(offset) for entity, offset in changed}

    def all(self, user_ids: set[int]) -> PackedFacts:
        """Read everything once."""
        self._read_all(user_ids)
        return self._facts

    def _begin(self) -> Any:
        pipe = self._redis.pipeline(transaction=True)
        pipe.get(self._keys.position)
        pipe.xrevrange(self._keys.updates, count=1)
        return pipe.execute()

    def _read_all(self, user_ids: set[int]) -> None:
        facts, keys = self._facts, self._keys
        for key, values in (
            (keys.movies, facts.movies),
            (keys.rules, facts.rules),
            (keys.sums, facts.sums),
        ):
            for name, value in self._redis.hscan_iter(key, count=PAGE):
                values[int(name)] = value
        for digest, offset in self._redis.zscan_iter(keys.erased, count=PAGE):
            facts.erased[digest] = int(offset)
        if self._version:
            for name, value in self._redis.hscan_iter(keys.rows(self._version), count=PAGE):
                self._rows[name.decode()] = value
        self._read_users(user_ids)

    def _read_users(self, user_ids: Iterable[int]) -> None:
        remaining = iter(user_ids)
        while page := list(islice(remaining, PAGE)):
            self._put_users(page, self._redis.mget([self._keys.user(i) for i in page]))

    def _put_users(self, user_ids: Sequence[int], values: Sequence[bytes | None]) -> None:
        if self._version and user_ids:
            self._read_rows(user_ids)
        for user_id, value in zip(user_ids, values, strict=True):
            if value is None:
                self._facts.users.pop(user_id, None)
            else:
                self._facts.users[user_id] = value

    def _read_rows(self, user_ids: Sequence[int]) -> None:
        names = [str(user_id) for user_id in user_ids]
        rows = self._redis.hmget(self._keys.rows(self._version), names)
        for name, row in zip(names, rows, strict=True):
            self._rows.pop(name, None)
            if row is not None:
                self._rows[name] = row

    def _catch_up(self) -> int:
        """Return the position of all data read so far."""
        for _ in range(ROUNDS):
            self._read_entries()
            before, ids = self._redis.get(self._keys.position), self._changed()
            if before is None or int(before) < self._since:
                raise PartitionMoved
            if len(ids) > ATOMIC:
                self._read_users(ids)
                self._since = int(before)
            elif (position := self._settle(ids)) is not None:
                return position
        raise PartitionMoved

    def _settle(self, ids: Sequence[int]) -> int | None:
        """Read the last changes in one transaction.

        Returns:
            The position, or None if there are more changes than of the users `ids`.
        """
        pipe = self._redis.pipeline(transaction=True)
        pipe.get(self._keys.position)
        pipe.zrangebyscore(self._keys.changed, self._since, "+inf", 0, ATOMIC + 1)
        pipe.zrangebyscore(self._keys.erased, self._began, "+inf", withscores=True)
        pipe.xrange(self._keys.updates, f"({self._entry}", "+", PAGE)
        if ids:
            pipe.mget([self._keys.user(i) for i in ids])
        position, changed, erased, entries, *values = pipe.execute()
        if position is None:
            raise PartitionMoved
        late = {*map(int, changed), *self._among([digest for digest, _ in erased])}
        is_all = self._keys.partition.topic == MOVIES or late <= set(ids)
        if not is_all or len(entries) == PAGE:
            return None
        self._apply(entries)
        if self._at != int(position):
            raise PartitionMoved
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
        """Return those of the users read who are on the erasure list."""
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
                raise PartitionMoved
            self._at, self._entry = int(fields[b"to"]), entry_id.decode()
            version = fields[b"version"].decode()
            for name, value in fields.items():
                kind, _, entity = name.decode().partition(":")
                if entity:
                    self._put(kind, entity, value, version)

    def _put(self, kind: str, entity: str, value: bytes, version: str) -> None:
        facts = self._facts
        hashes = {"film": facts.movies, "rules": facts.rules, "sums": facts.sums}
        if (values := hashes.get(kind)) is not None:
            _put(values, int(entity), value)
        elif version == self._version and kind in ("row", "part"):
            name = entity if kind == "row" else f"{kind}:{entity}"
            if value or (kind == "row" and self._keys.partition.topic == MOVIES):
                self._rows[name] = value
            else:
                self._rows.pop(name, None)


def _put(values: dict[int, bytes], entity: int, value: bytes) -> None:
    if value:
        values[entity] = value
    else:
        values.pop(entity, None)
