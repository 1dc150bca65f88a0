"""Rating sums of a movie: its ratings counted over all time and by period, and their packed form.

Packed form, little endian: ratings, positive ratings, half stars (uint32 each). If any rating has a
known time, follow the width w of a count (uint8: 1, 2 or 4 bytes, the least that all fit into) and,
by rising period, records of period (uint16), ratings and positive ratings (w bytes each). So equal
ratings give equal bytes. Values of 12 bytes, as once written, have no periods.

Whole counts can be taken back exactly, come in any order, and are read with any half-life.
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from marquee.domain.likes import POSITIVE
from marquee.domain.ratings import LATEST, Ratings

PERIOD_DAYS = 28
"""Length of a period: popularity changes little within it, and decades fit into few hundreds."""
PERIOD_SECONDS = PERIOD_DAYS * 86_400

PeriodCounts = Mapping[int, tuple[int, int]]
"""Period → ratings and positive ratings of a movie in it, the former above zero."""

_HEAD = struct.Struct("<III")
TOTALS_SIZE = _HEAD.size
"""Bytes of the packed form before the periods."""
_RECORDS = {1: struct.Struct("<HBB"), 2: struct.Struct("<HHH"), 4: struct.Struct("<HII")}
"""Record of a period by width of its counts."""


def period_of(time: int) -> int:
    """Return the period of a time in seconds since 1970; 0: the time is unknown."""
    return min(max(0, time), LATEST) // PERIOD_SECONDS


def period_end(time: int) -> int:
    """Return when the period of a time ends, in seconds since 1970."""
    return (period_of(time) + 1) * PERIOD_SECONDS


@cache
def record_dtype(width: int) -> np.dtype[np.void]:
    """Return the dtype of the records with counts of `width` bytes: period, ratings, positive."""
    count = f"<u{width}"
    return np.dtype([("period", "<u2"), ("ratings", count), ("positive", count)])


@dataclass(frozen=True, slots=True)
class RatingSums:
    """Sums of a movie's ratings: their number, that of the positive ones, half stars, periods.

    Attributes:
        n: number of ratings.
        positive: number of ratings of more than 3.5 stars.
        half_stars: sum of half stars.
        records: the packed records of the periods after their width; empty without any. They stay
            packed, since apps keep those of all movies and most readers need none.
    """

    n: int = 0
    positive: int = 0
    half_stars: int = 0
    records: bytes = b""

    @property
    def totals(self) -> tuple[int, int, int]:
        """The sums over all time: ratings, positive ratings, half stars."""
        return self.n, self.positive, self.half_stars

    @property
    def periods(self) -> PeriodCounts:
        """The counts by period, rising."""
        if not self.records:
            return {}
        rows = _RECORDS[self.records[0]].iter_unpack(self.records[1:])
        return {period: (ratings, positive) for period, ratings, positive in rows}

    def added(self, half: int, time: int, sign: int = 1) -> "RatingSums":
        """Return the sums with one rating more, or with one less if `sign` is -1.

        Args:
            half: the rating in half stars.
            time: its time in seconds since 1970; 0: unknown.
            sign: 1 or -1.
        """
        positive = sign * (half >= POSITIVE)
        records = self.records
        if period := period_of(time):
            records = _packed(_changed(dict(self.periods), period, sign, positive))
        return RatingSums(
            self.n + sign, self.positive + positive, self.half_stars + sign * half, records
        )

    def pack(self) -> bytes:
        """Return the packed form."""
        return _HEAD.pack(self.n, self.positive, self.half_stars) + self.records

    @classmethod
    def unpack(cls, data: bytes | None) -> "RatingSums":
        """Return the sums of a packed form; None is a movie without ratings."""
        if not data:
            return cls()
        n, positive, half = _HEAD.unpack_from(data)
        return cls(n, positive, half, data[TOTALS_SIZE:])


def _changed(
    periods: dict[int, tuple[int, int]], period: int, ratings: int, positive: int
) -> PeriodCounts:
    """Return counts with a change of one period; a period without ratings vanishes.

    Nothing falls below zero: what a value of 12 bytes had not counted cannot be taken back.
    """
    before = periods.pop(period, (0, 0))
    n = before[0] + ratings
    if n > 0:
        periods[period] = n, min(n, max(0, before[1] + positive))
    return periods


def _packed(periods: PeriodCounts) -> bytes:
    if not periods:
        return b""
    width = _width(max(ratings for ratings, _ in periods.values()))
    pack = _RECORDS[width].pack
    return bytes([width]) + b"".join(pack(period, *periods[period]) for period in sorted(periods))


def _width(largest: int) -> int:
    return 1 if largest < 1 << 8 else 2 if largest < 1 << 16 else 4


def sums_by_movie(
    movie_ids: npt.NDArray[np.int64],
    half_stars: npt.NDArray[np.uint8],
    times: npt.NDArray[np.int64] | None = None,
) -> dict[int, RatingSums]:
    """Return movie id → sums of n ratings.

    Args:
        movie_ids: the rated movies.
        half_stars: the ratings in half stars.
        times: seconds since 1970, 0 where unknown; None: all are.
    """
    ids, index = np.unique(movie_ids, return_inverse=True)
    is_positive = half_stars >= POSITIVE
    counts = [np.bincount(index, w, len(ids)) for w in (None, is_positive, half_stars)]
    records = [b""] * len(ids) if times is None else _records(index, is_positive, times, len(ids))
    columns = [column.astype(np.int64).tolist() for column in counts]
    return {
        int(i): RatingSums(*sums) for i, *sums in zip(ids.tolist(), *columns, records, strict=True)
    }


def sums_of_users(users: Iterable[Ratings]) -> dict[int, RatingSums]:
    """Return movie id → sums of the ratings of users."""
    rated = [
        (movie_id, half, ratings.times.get(movie_id, 0))
        for ratings in users
        for movie_id, half in ratings.rated.items()
    ]
    movies, halves, times = np.array(rated, np.int64).reshape(-1, 3).T
    return sums_by_movie(movies, halves.astype(np.uint8), times)


def _records(
    movies: npt.NDArray[np.int64],
    is_positive: npt.NDArray[np.bool_],
    times: npt.NDArray[np.int64],
    n_movies: int,
) -> list[bytes]:
    """Return the packed records of each of m movies, from n ratings by index of the movie."""
    periods = np.clip(times, 0, LATEST) // PERIOD_SECONDS
    known = periods > 0
    pairs, index = np.unique((movies[known] << 16) | periods[known], return_inverse=True)
    owners, ratings = pairs >> 16, np.bincount(index, minlength=len(pairs))
    positive = np.bincount(index, is_positive[known], len(pairs))
    bounds = np.searchsorted(owners, np.arange(n_movies + 1)).tolist()
    largest = np.zeros(n_movies, np.int64)
    np.maximum.at(largest, owners, ratings)
    joined = {}
    for width in _RECORDS:  # counts that are too large wrap around in records that are not used
        table = np.empty(len(pairs), record_dtype(width))
        table["period"], table["ratings"], table["positive"] = pairs & 0xFFFF, ratings, positive
        joined[width] = table.tobytes()
    packed = []
    for a, b, most in zip(bounds[:-1], bounds[1:], largest.tolist(), strict=True):
        width = _width(most)
        size = _RECORDS[width].size
        packed.append(bytes([width]) + joined[width][a * size : b * size] if b > a else b"")
    return packed
