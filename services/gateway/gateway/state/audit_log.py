"""Audit log: reads what consumers and commands have left, and writes entries of operations."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import redis

from marquee import telemetry
from marquee.audit.entries import (
    ERASURES,
    FILMS,
    OPERATIONS,
    RULES,
    AuditEntry,
    AuditId,
    Command,
    decode_member,
)
from marquee.audit.operations import Operation, operations_key
from marquee.bus.api import TopicPartition
from marquee.bus.redis.faults import describe
from marquee.domain.ids import id_text
from marquee.errors import NotFound, StoreUnavailable
from marquee.events import MOVIES, RATINGS
from marquee.serving.update_stream import connect
from marquee.store.keys import Keys

TIMEOUT_S = 1.0
CHUNK = 200
"""Entries of one kind and partition that are read at once."""


@dataclass(frozen=True)
class AuditFilter:
    """What entries must be like; None: whatever.

    Attributes:
        movie_id: The film that they concern.
        actor: Who asked for it, or was named as who decided it.
        action: What was done.
        since: The first moment of them.
        until: The moment that they are before.
        operations: Whether operations are among them.
    """

    movie_id: int | None = None
    actor: str | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    operations: bool = False

    def allows(self, fields: Mapping[str, Any]) -> bool:
        """Return whether an entry of the right time and film is as asked for."""
        named = (fields["actor"], fields["decided_by"])
        return (self.actor is None or self.actor in named) and (
            self.action is None or self.action == fields["action"]
        )


@dataclass(frozen=True)
class StoredEntry:
    """An entry with its id."""

    entry_id: AuditId
    fields: dict[str, Any]

    def document(self) -> dict[str, Any]:
        """Return the entry as the API shows it."""
        return {"id": str(self.entry_id), **self.fields}


@dataclass(frozen=True)
class _Set:
    """A sorted set of entries: its key, kind and partition."""

    key: str
    kind: str
    partition: int


class AuditLog:
    """The entries in Redis; without an answer every method raises StoreUnavailable."""

    def __init__(self, url: str, keys: Keys, keep: int) -> None:
        """Connect to nothing yet.

        Args:
            url: Address of Redis.
            keys: Keys of the gateway.
            keep: Entries of operations that stay.
        """
        self._redis: Any = connect(url, TIMEOUT_S)
        self._keys, self._keep = keys, keep

    async def page(
        self, wanted: AuditFilter, limit: int, after: AuditId | None = None
    ) -> list[StoredEntry]:
        """Return up to `limit` entries, newest first, of those before the entry `after`."""
        found: list[StoredEntry] = []
        for one in self._sets(wanted):
            found += await self._newest(one, wanted, limit, after)
        return sorted(found, key=lambda entry: entry.entry_id, reverse=True)[:limit]

    async def get(self, entry_id: AuditId) -> StoredEntry:
        """Return an entry.

        Raises:
            NotFound: There is none of this id, or none any more.
        """
        key = self._set_of(entry_id).key
        for member in await self._of_moment(key, entry_id.ms):
            number, fields = decode_member(member)
            if number == entry_id.number:
                return StoredEntry(entry_id, fields)
        raise NotFound(f"there is no entry {entry_id}")

    async def has(self, entry_id: AuditId) -> bool:
        """Return whether there is an entry of this id."""
        try:
            await self.get(entry_id)
        except NotFound:
            return False
        return True

    async def rule(self, movie_id: int, kind: str) -> dict[str, Any] | None:
        """Return a film's promotion or block as it is stored now, None where there is none."""
        row = await self._field(self._keys.movie(movie_id).rules, movie_id)
        return orjson.loads(row).get(kind) if row else None

    async def film(self, movie_id: int) -> dict[str, Any] | None:
        """Return a film's row as it is stored now, None where there is none."""
        row = await self._field(self._keys.movie(movie_id).movies, movie_id)
        return dict(orjson.loads(row)) if row else None

    @asynccontextmanager
    async def operation(self, entry: AuditEntry) -> AsyncIterator[dict[str, Any]]:
        """Write the entry of an operation before it, and how it ended after it.

        Yields:
            A dictionary to put the state after the operation into, under `after`; without it the
            entry keeps saying that the outcome is unknown. Under `refused`: that there is no
            effect, so that no entry stays.
        """
        operation = Operation.of(self._keys.namespace, self._keep, entry)
        await self._transaction(operation.begin())
        outcome: dict[str, Any] = {}
        try:
            yield outcome
        finally:
            await self._end(operation, outcome)

    async def _end(self, operation: Operation, outcome: Mapping[str, Any]) -> None:
        """Write how an operation ended; where that fails, its entry keeps saying `unknown`."""
        try:
            if outcome.get("refused"):
                await self._transaction(operation.withdraw())
            elif "after" in outcome:
                await self._transaction(operation.finish(outcome["after"]))
        except StoreUnavailable as error:
            telemetry.log.warning(
                "the end of an operation is not in the audit",
                action=operation.entry.action,
                detail=str(error),
            )

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    def _sets(self, wanted: AuditFilter) -> list[_Set]:
        """Return the sorted sets in which there may be entries as asked for."""
        if wanted.movie_id is not None:
            partitions = [self._keys.movie(wanted.movie_id)]
        else:
            partitions = self._keys.all(MOVIES)
        numbers = [keys.partition.partition for keys in partitions]
        sets = [self._set(kind, number) for kind in (RULES, FILMS) for number in numbers]
        if wanted.operations and wanted.movie_id is None:
            sets.append(self._set(OPERATIONS, 0))
        return sets

    def _set_of(self, entry_id: AuditId) -> _Set:
        return self._set(entry_id.kind, entry_id.partition)

    def _set(self, kind: str, partition: int) -> _Set:
        if kind == OPERATIONS:
            return _Set(operations_key(self._keys.namespace), kind, 0)
        topic = RATINGS if kind == ERASURES else MOVIES
        keys = self._keys.of(TopicPartition(topic, partition))
        names = {RULES: keys.audit_rules, FILMS: keys.audit_films, ERASURES: keys.erasures}
        return _Set(names[kind], kind, partition)

    async def _newest(
        self, one: _Set, wanted: AuditFilter, limit: int, after: AuditId | None
    ) -> list[StoredEntry]:
        """Return up to `limit` entries of a sorted set, newest first."""
        found: list[StoredEntry] = []
        most, least = _limits(wanted, after)
        at = 0
        while len(found) < limit:
            members = await self._members(one.key, most, least, at)
            for member, ms in members:
                number, fields = decode_member(member)
                entry = StoredEntry(AuditId(ms, one.kind, one.partition, number), fields)
                if _is_wanted(entry, wanted, after):
                    found.append(entry)
            if len(members) < CHUNK:
                break
            at += CHUNK
        return found[:limit]

    async def _members(
        self, key: str, most: str, least: str, start: int
    ) -> list[tuple[bytes, int]]:
        """Return a chunk of the members between two scores with theirs, highest first."""
        reply = self._redis.zrevrangebyscore(key, most, least, start, CHUNK, withscores=True)
        return [(member, int(score)) for member, score in await _guarded(reply)]

    async def _of_moment(self, key: str, ms: int) -> list[bytes]:
        """Return the members of a time."""
        return list(await _guarded(self._redis.zrangebyscore(key, ms, ms)))

    async def _field(self, key: str, movie_id: int) -> bytes | None:
        """Return the field of a film in a hash."""
        value: bytes | None = await _guarded(self._redis.hget(key, str(int(movie_id))))
        return value

    async def _transaction(self, commands: Sequence[Command]) -> None:
        pipe = self._redis.pipeline(transaction=True)
        for command in commands:
            pipe.execute_command(*command)
        await _guarded(pipe.execute())


async def _guarded(reply: Any) -> Any:
    """Await a reply of Redis.

    Raises:
        StoreUnavailable: There is none, or an error.
    """
    try:
        return await reply
    except (redis.RedisError, OSError, TimeoutError) as error:
        raise StoreUnavailable(f"Redis: {describe(error)}") from None


def _limits(wanted: AuditFilter, after: AuditId | None) -> tuple[str, str]:
    """Return the highest and the lowest score, as Redis writes them."""
    most = "+inf" if wanted.until is None else f"({_ms(wanted.until)}"
    if after is not None and (wanted.until is None or after.ms < _ms(wanted.until)):
        most = str(after.ms)
    return most, "-inf" if wanted.since is None else str(_ms(wanted.since))


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _is_wanted(entry: StoredEntry, wanted: AuditFilter, after: AuditId | None) -> bool:
    if after is not None and entry.entry_id >= after:
        return False
    if wanted.movie_id is not None and str(entry.fields["movie_id"]) != id_text(wanted.movie_id):
        return False
    return wanted.allows(entry.fields)
