"""Packed form of derived rows in Redis and on the update stream, little endian."""

import struct
from dataclasses import dataclass

import numpy as np

from marquee.arrays import Vector

_MOVIE = struct.Struct("<Ihh")
_USER = struct.Struct("<h")


@dataclass(frozen=True)
class DerivedMovieRow:
    """A movie's row under a model: genre mask, year (0: unknown), cluster, vector (float32, d)."""

    genres: int
    year: int
    cluster: int
    vector: Vector

    def pack(self) -> bytes:
        """Return the packed row, 8 + 4 d bytes."""
        head = _MOVIE.pack(self.genres, self.year, self.cluster)
        return head + np.asarray(self.vector, "<f4").tobytes()

    @classmethod
    def unpack(cls, data: bytes) -> "DerivedMovieRow":
        """Return the row that was packed by `pack`."""
        genres, year, cluster = _MOVIE.unpack_from(data)
        return cls(genres, year, cluster, np.frombuffer(data, "<f4", offset=_MOVIE.size))


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
