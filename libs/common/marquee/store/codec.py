"""Derived rows as they stand in Redis and travel on the update stream: packed, little endian."""

import struct
from dataclasses import dataclass

import numpy as np

from marquee.arrays import Vector

_MOVIE = struct.Struct("<Ihh")
_USER = struct.Struct("<h")
_SUMS = struct.Struct("<III")


@dataclass(frozen=True)
class DerivedMovieRow:
    """What a model derived for a movie: genre mask, year (0: unknown), cluster, vector float32 d."""

    genres: int
    year: int
    cluster: int
    vector: Vector

    def pack(self) -> bytes:
        """Return 8 bytes and 4 for each of d numbers."""
        head = _MOVIE.pack(self.genres, self.year, self.cluster)
        return head + np.asarray(self.vector, "<f4").tobytes()

    @classmethod
    def unpack(cls, data: bytes) -> "DerivedMovieRow":
        """Return the row that `pack` packed."""
        genres, year, cluster = _MOVIE.unpack_from(data)
        return cls(genres, year, cluster, np.frombuffer(data, "<f4", offset=_MOVIE.size))


@dataclass(frozen=True)
class DerivedUserRow:
    """What a model derived for a user: cluster (-1: none), and code float32 e."""

    cluster: int
    code: Vector

    def pack(self) -> bytes:
        """Return 2 bytes and 4 for each of e numbers."""
        return _USER.pack(self.cluster) + np.asarray(self.code, "<f4").tobytes()

    @classmethod
    def unpack(cls, data: bytes) -> "DerivedUserRow":
        """Return the row that `pack` packed."""
        (cluster,) = _USER.unpack_from(data)
        return cls(cluster, np.frombuffer(data, "<f4", offset=_USER.size))


def pack_sums(sums: tuple[int, int, int]) -> bytes:
    """Return a movie's sums (n, positive, half stars) in 12 bytes."""
    return _SUMS.pack(*sums)


def unpack_sums(data: bytes | None) -> tuple[int, int, int]:
    """Return a movie's sums; None is a movie that nobody rated."""
    if not data:
        return 0, 0, 0
    n, positive, half = _SUMS.unpack(data)
    return n, positive, half
