"""The store protocol: atomic, fenced writes and batched reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from marquee.store.keys import PartitionKeys

Command = tuple[bytes | str | int | float, ...]
"""A Redis command: name, key, arguments."""


@dataclass(frozen=True)
class ReadRequest:
    """What to read in one round trip: strings, hash fields, members of sorted sets."""

    strings: Sequence[str] = ()
    fields: Mapping[str, Sequence[str]] | None = None
    scores: Mapping[str, Sequence[bytes]] | None = None


@dataclass(frozen=True)
class ReadResult:
    """The values of a `ReadRequest`; what does not exist is None."""

    strings: dict[str, bytes | None]
    fields: dict[tuple[str, str], bytes | None]
    scores: dict[tuple[str, bytes], float | None]


class Store(Protocol):
    """What a consumer needs of Redis. Every call may raise StoreUnavailable."""

    def position(self, keys: PartitionKeys) -> int | None:
        """Return the next offset to read, None for a partition that was never loaded."""
        ...

    def read(self, reads: ReadRequest) -> ReadResult:
        """Return values in one round trip."""
        ...

    def scan(self, key: str) -> dict[bytes, bytes]:
        """Return all fields of a hash."""
        ...

    def changed_since(self, keys: PartitionKeys, offset: int) -> list[int]:
        """Return the ids whose last change has at least this offset."""
        ...

    def write(
        self,
        keys: PartitionKeys,
        expected: int | None,
        position: int | None,
        commands: Sequence[Command],
    ) -> None:
        """Apply commands and set the position, all or nothing.

        FenceLost, and nothing is written, unless the stored position is `expected` (None: absent).
        `position` None leaves it absent. After StoreUnavailable the outcome is unknown.
        """
        ...
