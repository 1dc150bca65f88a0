"""Store of API keys in Redis: one hash, id → key without its secret."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import redis

from marquee.access.api_keys import ApiKey, create_key
from marquee.audit.entries import AuditEntry
from marquee.audit.operations import Operation
from marquee.bus.redis.faults import describe
from marquee.errors import Conflict, NotFound, StoreUnavailable

TIMEOUT_S = 5.0
_Change = tuple[str, ApiKey | None, ApiKey]
"""An action, and the key before and after it."""


@dataclass(frozen=True)
class Who:
    """Who changes keys and why, and how many entries of operations the audit keeps."""

    actor: str
    reason: str = ""
    keep: int = 10_000

    def entry(self, action: str, before: ApiKey | None, after: ApiKey) -> AuditEntry:
        """Return the audit entry of a change."""
        return AuditEntry(
            at=datetime.now(UTC),
            actor=self.actor,
            authtype="system",
            action=action,
            subject=after.name,
            reason=self.reason,
            before=None if before is None else _shown(before),
            after=_shown(after),
        )


def keys_name(namespace: str) -> str:
    """Return the Redis key of the hash."""
    return f"{namespace}:access:keys"


class KeyStore:
    """The keys of one namespace, for commands.

    Without Redis each method raises StoreUnavailable.
    """

    def __init__(self, url: str, namespace: str, who: Who) -> None:
        """Connect to nothing yet; `who` changes keys, which the audit keeps."""
        self._namespace, self._who = namespace, who
        self._redis: Any = redis.Redis.from_url(
            url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
        )
        self._name = keys_name(namespace)

    def all(self) -> list[ApiKey]:
        """Return all keys, oldest first, those that are no longer valid too."""
        try:
            values = self._redis.hvals(self._name)
        except (redis.RedisError, OSError) as error:
            raise StoreUnavailable(f"keys: {describe(error)}") from error
        return sorted((ApiKey.model_validate_json(v) for v in values), key=lambda k: k.created)

    def add(self, key: ApiKey) -> None:
        """Store a new key.

        Raises:
            Conflict: Another valid key has its name.
        """
        if self._valid(key.name):
            raise Conflict(
                f"there is a valid key {key.name!r}; rotate it, revoke it, or take another name"
            )
        self._write([("key.created", None, key)], [key])

    def rotate(self, name: str, overlap: timedelta) -> tuple[ApiKey, str]:
        """Give a caller a new key; the one before stays valid for `overlap`.

        Returns:
            The new key, with the scopes, the limit and the lifetime of the one before, and its
            text.

        Raises:
            NotFound: No valid key has the name.
        """
        now = datetime.now(UTC)
        newest = self._newest(name)
        lifetime = newest.expires - newest.created if newest.expires else None
        key, text = create_key(name, newest.scopes, lifetime, newest.rate)
        until = now + overlap
        ending = [
            old.model_copy(update={"expires": until})
            for old in self._valid(name)
            if old.expires is None or old.expires > until
        ]
        self._write([("key.rotated", newest, key)], [key, *ending])
        return key, text

    def revoke(self, name: str) -> list[ApiKey]:
        """End the keys of a name, or the key of an id, now; return them.

        Raises:
            NotFound: No valid key has the name or id.
        """
        found = [key for key in self._valid() if name in (key.name, key.id)]
        if not found:
            raise NotFound(f"there is no valid key {name!r}")
        ended = [key.model_copy(update={"revoked": datetime.now(UTC)}) for key in found]
        changes = [("key.revoked", old, key) for old, key in zip(found, ended, strict=True)]
        self._write(changes, ended)
        return ended

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()

    def _valid(self, name: str | None = None) -> list[ApiKey]:
        now = datetime.now(UTC)
        return [k for k in self.all() if name in (None, k.name) and k.refusal(now) is None]

    def _newest(self, name: str) -> ApiKey:
        keys = self._valid(name)
        if not keys:
            raise NotFound(f"there is no valid key {name!r}")
        return keys[-1]

    def _write(self, changes: Sequence[_Change], keys: Sequence[ApiKey]) -> None:
        """Store keys, with an audit entry of each change, in one transaction."""
        pipe = self._redis.pipeline(transaction=True)
        for key in keys:
            pipe.hset(self._name, key.id, key.model_dump_json())
        for change in changes:
            operation = Operation.of(self._namespace, self._who.keep, self._who.entry(*change))
            for command in operation.done():
                pipe.execute_command(*command)
        try:
            pipe.execute()
        except (redis.RedisError, OSError) as error:
            raise StoreUnavailable(f"keys: {describe(error)}") from error


def _shown(key: ApiKey) -> dict[str, Any]:
    """Return what the audit tells of a key: all but what its secret could be tried against."""
    return key.model_dump(mode="json", exclude={"digest"})
