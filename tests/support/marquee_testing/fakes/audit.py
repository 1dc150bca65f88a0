"""The audit log over sorted sets and hashes in memory: all but Redis is the gateway's own."""

from collections.abc import Sequence
from typing import Any

from gateway.state.audit_log import CHUNK, AuditLog
from marquee.audit.entries import Command, decode_member
from marquee.errors import StoreUnavailable
from marquee.store.keys import Keys

Scores = dict[bytes, int]


class FakeAudit(AuditLog):
    """Answers what the log asks Redis."""

    def __init__(self, values: dict[str, Any] | None = None) -> None:
        """Read and write `values`, such as those of a `MemoryStore`."""
        super().__init__("redis://127.0.0.1:1/0", Keys("n", "gateway", 4), 1000)
        self.values: dict[str, Any] = {} if values is None else values
        self.down = False

    @property
    def operations(self) -> list[dict[str, Any]]:
        """The entries of operations, oldest first."""
        members = self.values.get("n:audit:operations", {})
        ordered = sorted(members, key=lambda member: members[member])
        return [decode_member(member)[1] for member in ordered]

    async def _members(
        self, key: str, most: str, least: str, start: int
    ) -> list[tuple[bytes, int]]:
        below, top, low = most.startswith("("), float(most.lstrip("(")), float(least)
        found = [
            (int(score), member)
            for member, score in self._held(key).items()
            if low <= score and (score < top or (score == top and not below))
        ]
        page = sorted(found, reverse=True)[start : start + CHUNK]
        return [(member, score) for score, member in page]

    async def _of_moment(self, key: str, ms: int) -> list[bytes]:
        return [member for member, score in self._held(key).items() if score == ms]

    async def _field(self, key: str, movie_id: int) -> bytes | None:
        value: bytes | None = self._held(key).get(b"%d" % movie_id)
        return value

    def _held(self, key: str) -> dict[bytes, Any]:
        if self.down:
            raise StoreUnavailable("Redis is away")
        held: dict[bytes, Any] = self.values.get(key, {})
        return held

    async def _transaction(self, commands: Sequence[Command]) -> None:
        if self.down:
            raise StoreUnavailable("Redis is away")
        for name, key, *arguments in commands:
            held: Scores = self.values.setdefault(str(key), {})
            if name == "ZADD":
                held[bytes(arguments[1])] = int(arguments[0])  # type: ignore[arg-type]
            elif name == "ZREM":
                held.pop(bytes(arguments[0]), None)  # type: ignore[arg-type]
