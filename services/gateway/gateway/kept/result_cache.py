"""Cache of results, bounded in bytes: what was used least recently leaves first."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, Protocol, TypeVar

from marquee import telemetry

OVERHEAD_BYTES = 1500
"""Bytes that an entry takes besides its content: its key, what it depends on, and their objects."""


class Sized(Protocol):
    """What a cache holds."""

    @property
    def n_bytes(self) -> int:
        """Length of the content in bytes."""
        ...


V = TypeVar("V", bound=Sized)


class ResultCache(Generic[V]):
    """Values by key."""

    def __init__(self, max_bytes: int) -> None:
        """Hold nothing yet.

        Args:
            max_bytes: Bound of all entries; one that is larger alone is not held.
        """
        self._max, self._bytes = max_bytes, 0
        self._entries: OrderedDict[Hashable, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def n_bytes(self) -> int:
        """Bytes of all entries."""
        return self._bytes

    def get(self, key: Hashable) -> V | None:
        """Return the value of a key, which counts as used now; None: there is none."""
        value = self._entries.get(key)
        if value is not None:
            self._entries.move_to_end(key)
        return value

    def put(self, key: Hashable, value: V) -> None:
        """Set the value of a key."""
        self.drop(key)
        size = _size(value)
        if size > self._max:
            return
        self._entries[key] = value
        self._bytes += size
        while self._bytes > self._max:
            _, oldest = self._entries.popitem(last=False)
            self._bytes -= _size(oldest)
        self._measure()

    def drop(self, key: Hashable) -> None:
        """Remove the value of a key, if it has one."""
        if (value := self._entries.pop(key, None)) is not None:
            self._bytes -= _size(value)
            self._measure()

    def _measure(self) -> None:
        telemetry.RESULT_CACHE_BYTES.set(self._bytes)
        telemetry.RESULT_CACHE_ENTRIES.set(len(self._entries))


def _size(value: Sized) -> int:
    return value.n_bytes + OVERHEAD_BYTES
