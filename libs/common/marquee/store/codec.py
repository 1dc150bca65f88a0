"""Packed form of derived rows in Redis and on the update stream, little endian.

A movie's row begins with its genres. Where all are of MovieLens' nineteen they are a mask of fixed
bits, the form of before there were other genres. Else the highest bit is set, the others are the
length of the names, and the names stand at the end, in UTF-8, one a line.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from marquee.arrays import Vector
from marquee.domain.genres import GENRES

_BITS = {name: 1 << bit for bit, name in enumerate(GENRES)}
_NAMED = 1 << 31
_MOVIE = struct.Struct("<Ihh")
_USER = struct.Struct("<h")


@dataclass(frozen=True)
class DerivedMovieRow:
    """A movie's row under a model: genres, year (0: unknown), cluster, vector (float32, d)."""

    genres: tuple[str, ...]
    year: int
    cluster: int
    vector: Vector

    def pack(self) -> bytes:
        """Return the packed row: 8 + 4 d bytes, and the names of genres beyond the nineteen."""
        vector = np.asarray(self.vector, "<f4").tobytes()
        mask = _compact_mask(self.genres)
        if mask is not None:
            return _MOVIE.pack(mask, self.year, self.cluster) + vector
        names = "\n".join(self.genres).encode()
        return _MOVIE.pack(_NAMED | len(names), self.year, self.cluster) + vector + names

    @classmethod
    def unpack(cls, data: bytes) -> "DerivedMovieRow":
        """Return the row that was packed by `pack`; of a mask, names come in its order."""
        head, year, cluster = _MOVIE.unpack_from(data)
        if not head & _NAMED:
            vector = np.frombuffer(data, "<f4", offset=_MOVIE.size)
            return cls(_names_of(head), year, cluster, vector)
        end = len(data) - (head ^ _NAMED)
        vector = np.frombuffer(data[_MOVIE.size : end], "<f4")
        return cls(tuple(data[end:].decode().split("\n")), year, cluster, vector)


@dataclass(frozen=True)
class DerivedUserRow:
    """A user's row under a model: cluster (-1: none), code (float32, e)."""

    cluster: int
    code: Vector

    def pack(self) -> bytes:
        """Return the packed row, 2 + 4 e bytes."""
        return _USER.pack(self.cluster) + np.asarray(self.code, "<f4").tobytes()

    @classmethod
    def unpack(cls, data: bytes) -> "DerivedUserRow":
        """Return the row that was packed by `pack`."""
        (cluster,) = _USER.unpack_from(data)
        return cls(cluster, np.frombuffer(data, "<f4", offset=_USER.size))


def _compact_mask(genres: Sequence[str]) -> int | None:
    """Return the mask of fixed bits, None where a genre is not one of the nineteen."""
    mask = 0
    for name in genres:
        if (bit := _BITS.get(name)) is None:
            return None
        mask |= bit
    return mask


@lru_cache(4096)
def _names_of(mask: int) -> tuple[str, ...]:
    return tuple(name for name, bit in _BITS.items() if mask & bit)
