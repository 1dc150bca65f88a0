"""The store protocol: atomic, fenced writes and batched reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from marquee.store.keys import PartitionKeys

Command = tuple[bytes | str | int | float, ...]
"""A Redis command: name, key, arguments."""


@dataclass(frozen=True)
class ReadRequest:
    """Values to read in one round trip: strings, hash fields, members of sorted sets."""

    strings: Sequence[str] = ()
    fields: Mapping[str, Sequence[str]] | None = None
    scores: Mapping[str, Sequence[bytes]] | None = None


@dataclass(frozen=True)
class ReadResult:
    """The values of a `ReadRequest` by key, and member; None for those that do not exist."""

    strings: dict[str, bytes | None]
    fields: dict[tuple[str, str], bytes | None]
    scores: dict[tuple[str, bytes], float | None]


class Store(Protocol):
    """The store of one consumer; every call may raise StoreUnavailable."""

    def position(self, keys: PartitionKeys) -> int | None:
        """Return the next offset to read, None for an empty partition."""
        ...

    def read(self, request: ReadRequest, /) -> ReadResult:
        """Return values in one round trip."""
        ...

    def scan(self, key: str) -> dict[bytes, bytes]:
        """Return all fields of a hash."""
        ...

    def changed_since(self, keys: PartitionKeys, offset: int) -> list[int]:
        """Return the ids of movies or users whose last change has at least this offset."""
        ...

    def write(
        self,
        keys: PartitionKeys,
        expected: int | None,
        position: int | None,
        commands: Sequence[Command],
    ) -> None:
        """Apply commands and set the position, all or nothing.

        Args:
            keys: The keys of the partition.
            expected: The position that must be stored, None for an empty partition.
            position: The new position; None leaves it absent.
            commands: The commands to apply.

        Raises:
            FenceLost: Another position is stored; nothing is written.
            StoreUnavailable: The outcome is unknown.
        """
        ...
