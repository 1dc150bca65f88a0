"""Facts of one user: ratings in half stars, viewed and dismissed movies, and their packed form.

Packed form, little endian: version 1 (uint8), three counts (uint32 each), then movie ids of the
ratings (uint32 each), their half stars (uint8 each), viewed ids, dismissed ids (uint32 each), and,
if any is known, the times of the ratings (uint32 each, seconds since 1970, 0: unknown): 9 bytes a
rating. Order is the order of the last change, so the newest rating stands last. A reader that does
not know the times ends before them.
"""

import struct
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from marquee.domain.likes import is_like
from marquee.errors import StoreUnavailable

_HEADER = struct.Struct("<BIII")
_VERSION = 1
LATEST = 2**32 - 1
"""The last time, in seconds since 1970, that the packed form holds (the year 2106)."""


def half_stars(rating: float) -> int:
    """Return a rating in stars as half stars, 1 to 10."""
    return round(rating * 2)


def stars(half: int) -> float:
    """Return half stars as stars."""
    return half / 2


@dataclass
class Ratings:
    """One user's facts; the dictionaries keep the order of change.

    Attributes:
        rated: movie id → half stars.
        viewed: ids of movies seen.
        dismissed: ids of movies that are not interesting.
        times: movie id → seconds since 1970, of the ratings whose time is known.
    """

    rated: dict[int, int] = field(default_factory=dict)
    viewed: dict[int, None] = field(default_factory=dict)
    dismissed: dict[int, None] = field(default_factory=dict)
    times: dict[int, int] = field(default_factory=dict)

    def rate(self, movie_id: int, half: int, at: int = 0) -> int | None:
        """Set a rating; return the half stars that it replaces, if any.

        Args:
            movie_id: The movie.
            half: The rating in half stars.
            at: Its time in seconds since 1970; 0 or less: unknown.
        """
        before = self.rated.pop(movie_id, None)
        self.rated[movie_id] = half
        self.times.pop(movie_id, None)
        if at > 0:
            self.times[movie_id] = min(at, LATEST)
        return before

    def unrate(self, movie_id: int) -> int | None:
        """Remove a rating; return the half stars that it had, if any."""
        self.times.pop(movie_id, None)
        return self.rated.pop(movie_id, None)

    def view(self, movie_id: int) -> None:
        """Mark a movie as viewed, newest last."""
        self.viewed.pop(movie_id, None)
        self.viewed[movie_id] = None

    def dismiss(self, movie_id: int) -> None:
        """Mark a movie as not interesting."""
        self.dismissed[movie_id] = None

    def restore(self, movie_id: int) -> None:
        """Take back a dismissal."""
        self.dismissed.pop(movie_id, None)

    @property
    def positive(self) -> int:
        """Number of likes among the ratings (`marquee.domain.likes`)."""
        return sum(is_like(half) for half in self.rated.values())

    @property
    def seen(self) -> set[int]:
        """Movies that a list must not contain: rated, viewed or dismissed."""
        return {*self.rated, *self.viewed, *self.dismissed}

    def __bool__(self) -> bool:
        return bool(self.rated or self.viewed or self.dismissed)

    def pack(self) -> bytes:
        """Return the packed form."""
        times = np.fromiter((self.times.get(i, 0) for i in self.rated), "<u4", len(self.rated))
        return b"".join(
            (
                _HEADER.pack(_VERSION, len(self.rated), len(self.viewed), len(self.dismissed)),
                np.fromiter(self.rated, "<u4", len(self.rated)).tobytes(),
                bytes(self.rated.values()),
                np.fromiter(self.viewed, "<u4", len(self.viewed)).tobytes(),
                np.fromiter(self.dismissed, "<u4", len(self.dismissed)).tobytes(),
                times.tobytes() if times.any() else b"",
            )
        )

    @classmethod
    def unpack(cls, data: bytes | None) -> "Ratings":
        """Return the facts of a packed form; None is a user without facts.

        Raises:
            StoreUnavailable: The packed form has another version.
        """
        if data is None:
            return cls()
        version, n, viewed, dismissed = _HEADER.unpack_from(data)
        if version != _VERSION:
            raise StoreUnavailable(f"packed ratings have version {version}, expected {_VERSION}")
        at = _HEADER.size
        movie_ids = np.frombuffer(data, "<u4", n, at).tolist()
        halves = data[at + 4 * n : at + 5 * n]
        seen = np.frombuffer(data, "<u4", viewed + dismissed, at + 5 * n).tolist()
        at += 5 * n + 4 * len(seen)
        times = np.frombuffer(data, "<u4", n, at).tolist() if len(data) > at else []
        return cls(
            dict(zip(movie_ids, halves, strict=True)),
            dict.fromkeys(seen[:viewed]),
            dict.fromkeys(seen[viewed:]),
            {movie_id: time for movie_id, time in zip(movie_ids, times, strict=False) if time},
        )


@dataclass(frozen=True)
class RatedMovies:
    """A user's ratings as arrays, oldest change first.

    Attributes:
        movie_ids: int64 n.
        stars: float32 n, 0.5 to 5.
        times: int64 n, seconds since 1970, 0 where unknown; None: all are.
    """

    movie_ids: npt.NDArray[np.int64]
    stars: npt.NDArray[np.float32]
    times: npt.NDArray[np.int64] | None = None

    @classmethod
    def of(cls, ratings: Ratings) -> "RatedMovies":
        """Return the arrays of a user's ratings, oldest change first."""
        n = len(ratings.rated)
        return cls(
            np.fromiter(ratings.rated, np.int64, n),
            np.fromiter(ratings.rated.values(), np.float32, n) / np.float32(2),
            np.fromiter((ratings.times.get(i, 0) for i in ratings.rated), np.int64, n),
        )

    @property
    def liked(self) -> npt.NDArray[np.bool_]:
        """Which ratings are likes, n."""
        return is_like(np.rint(self.stars * 2).astype(np.int64))


UserId = Annotated[int, Field(ge=1, le=2**63 - 1)]


Stars = Annotated[float, Field(ge=0.5, le=5.0, multiple_of=0.5)]
