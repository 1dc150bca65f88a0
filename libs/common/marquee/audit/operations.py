"""Audit of operations, which have no event: trainings, rollbacks, segments, keys of callers.

The entry of a call is written before the call takes effect, with the outcome `unknown`, and once
more when the answer is there. So a process that dies between leaves exactly one entry.
"""

import secrets
from dataclasses import dataclass
from typing import Any

from marquee.audit.entries import (
    DONE,
    OPERATIONS,
    UNKNOWN,
    AuditEntry,
    AuditId,
    Command,
    put_commands,
)


def operations_key(namespace: str) -> str:
    """Return the Redis key of the entries of operations."""
    return f"{namespace}:audit:operations"


@dataclass(frozen=True)
class Operation:
    """An operation and its entry; it has begun, and how it ends is not known yet."""

    key: str
    entry_id: AuditId
    entry: AuditEntry
    keep: int

    @classmethod
    def of(cls, namespace: str, keep: int, entry: AuditEntry) -> "Operation":
        """Return the operation of an entry."""
        number = secrets.randbits(48)
        entry_id = AuditId.of(OPERATIONS, entry.at, 0, number)
        begun = entry.model_copy(update={"outcome": UNKNOWN})
        return cls(operations_key(namespace), entry_id, begun, keep)

    def begin(self) -> list[Command]:
        """Return the commands that write the entry before the operation."""
        return put_commands(self.key, self.entry_id, self._member(self.entry), self.keep)

    def done(self) -> list[Command]:
        """Return the commands that write the entry of what the same transaction does."""
        done = self.entry.model_copy(update={"outcome": DONE})
        return put_commands(self.key, self.entry_id, self._member(done), self.keep)

    def finish(self, after: dict[str, Any] | None) -> list[Command]:
        """Return the commands, of one transaction, that say how it ended."""
        done = self.entry.model_copy(update={"outcome": DONE, "after": after})
        return [*self.withdraw(), ("ZADD", self.key, self.entry_id.ms, self._member(done))]

    def withdraw(self) -> list[Command]:
        """Return the command that removes the entry of an operation that was refused."""
        return [("ZREM", self.key, self._member(self.entry))]

    def _member(self, entry: AuditEntry) -> bytes:
        return entry.member(self.entry_id.number)
