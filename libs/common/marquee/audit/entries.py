"""Audit entries, and their form in Redis.

An entry is a member of a sorted set whose score is its time in milliseconds since 1970. A member
begins with its number in 20 digits, so that entries of one millisecond keep their order.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict

from marquee.domain.texts import Text
from marquee.errors import NotFound

RULES, FILMS, ERASURES, OPERATIONS = "rules", "films", "erasures", "operations"
"""Kinds of entries; each has sorted sets of its own, so that none displaces those of another."""
DONE, UNKNOWN = "done", "unknown"
Command = tuple[str | bytes | int, ...]
"""A Redis command: name, key, arguments."""

REASON = Text(500)
"""The form of a reason."""
_DIGITS = 20
_KINDS = "|".join((RULES, FILMS, ERASURES, OPERATIONS))
_ID = re.compile(rf"({_KINDS})-(\d{{1,4}})-(\d{{1,16}})-(\d{{1,15}})", re.ASCII)


@dataclass(frozen=True, order=True)
class AuditId:
    """Name of an entry: ids are ordered by time.

    Attributes:
        ms: Its time in milliseconds since 1970.
        kind: Kind of the entry.
        partition: Partition of the log that its event is in.
        number: Offset of the event there; of an operation, which has none, a random number.
    """

    ms: int
    kind: str
    partition: int
    number: int

    def __str__(self) -> str:
        return f"{self.kind}-{self.partition}-{self.number}-{self.ms}"

    @classmethod
    def parse(cls, text: str) -> "AuditId":
        """Return the id of a text.

        Raises:
            NotFound: It is none, so there is no such entry.
        """
        found = _ID.fullmatch(text)
        if found is None:
            raise NotFound(f"there is no entry {text[:100]!r}")
        return cls(int(found[4]), found[1], int(found[2]), int(found[3]))

    @classmethod
    def of(cls, kind: str, at: datetime, partition: int, number: int) -> "AuditId":
        """Return the id of an entry of a time."""
        return cls(max(0, int(at.timestamp() * 1000)), kind, partition, number)


class AuditEntry(BaseModel):
    """What somebody did, and the state before and after it.

    Attributes:
        at: When it was accepted.
        actor: Who asked for it: the name of a key, or `open access`; of an event that a producer
            put on the bus, whom it names.
        authtype: How the actor was known: `api_key`, `unauthenticated` (open access), `system` (a
            command), or `unknown` (the bus).
        decided_by: The person whom the caller named.
        action: What was done; for events their type.
        movie_id: The film, for what concerns one.
        subject: Otherwise the name of the model, the segments or the key.
        before: State before: the rule, or the fields that changed; None where there was none.
        after: State after it, in the same form.
        outcome: `unknown` where an answer never came: it was begun, and may have taken effect.
        reverts: The entry that it takes back.
    """

    model_config = ConfigDict(frozen=True)

    at: datetime
    actor: str
    authtype: str = UNKNOWN
    decided_by: str | None = None
    action: str
    movie_id: int | str | None = None
    subject: str | None = None
    reason: str = ""
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    event_id: str | None = None
    reverts: str | None = None
    outcome: Literal["done", "unknown"] = "done"

    def member(self, number: int) -> bytes:
        """Return the member of a sorted set."""
        return encode_member(number, self.model_dump(mode="json"))


def encode_member(number: int, fields: Mapping[str, Any]) -> bytes:
    """Return the member of a sorted set for an entry of a number."""
    return b"%0*d" % (_DIGITS, number) + orjson.dumps(dict(fields))


def decode_member(member: bytes) -> tuple[int, dict[str, Any]]:
    """Return the number and the fields of a member."""
    return int(member[:_DIGITS]), orjson.loads(member[_DIGITS:])


def put_commands(key: str, entry_id: AuditId, member: bytes, keep: int) -> list[Command]:
    """Return the commands that add an entry, and remove the oldest ones beyond `keep`."""
    return [
        ("ZADD", key, entry_id.ms, member),
        ("ZREMRANGEBYRANK", key, 0, -keep - 1),
    ]


def changed_fields(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Return two states without the fields that are equal in both; None stays None."""
    if before is None or after is None:
        return (None if before is None else dict(before), None if after is None else dict(after))
    names = [n for n in before.keys() | after.keys() if before.get(n) != after.get(n)]
    return tuple({n: s[n] for n in sorted(names) if n in s} for s in (before, after))  # type: ignore[return-value]
