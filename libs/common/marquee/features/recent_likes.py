"""Likes of movies by period of time, and the trend of recent popularity that they give.

Counts of whole periods can be added up by events in any order, taken back exactly, and read with
any half-life: a new model version may choose another one without reading ratings again.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from marquee.arrays import Ints, Reals
from marquee.features.interactions import RatingRows

PERIOD_DAYS = 28
"""Length of a period: popularity changes little within it, and decades fit into few hundreds."""
_PERIOD_SECONDS = PERIOD_DAYS * 86_400

PRIOR_LIKES = 50.0
"""Likes by all-time popularity that the recent ones are mixed with: few likes tell no trend."""

PeriodCounts = Mapping[int, tuple[int, int]]
"""Period → ratings and positive ratings of a movie in it, both above zero or the first alone."""


def period_of(time: int) -> int:
    """Return the period of a time in seconds since 1970; 0: the time is unknown."""
    return max(0, time) // _PERIOD_SECONDS


@dataclass(frozen=True, eq=False)
class RecentLikes:
    """Likes of m movies by period, as a table of numbers of likes with a row a movie.

    Attributes:
        counts: m × p, likes in each period; column 0 holds those of unknown time.
    """

    counts: sparse.csr_matrix

    @classmethod
    def of(cls, rows: RatingRows, n_movies: int) -> "RecentLikes | None":
        """Return the likes of users' ratings; None where times are not known."""
        if rows.times is None:
            return None
        liked = rows.liked
        return cls.counted(rows.movies[liked], rows.times[liked], n_movies)

    @classmethod
    def counted(cls, movies: Ints, times: Ints, n_movies: int) -> "RecentLikes":
        """Return the counts of likes of movie rows at times in seconds since 1970."""
        periods = np.maximum(times, 0) // _PERIOD_SECONDS
        shape = (n_movies, int(periods.max(initial=0)) + 1)
        ones = np.ones(len(movies), np.int64)
        return cls(sparse.csr_matrix((ones, (movies, periods)), shape))

    def period_at(self, times: Ints | None) -> int:
        """Return the period of the newest of some times, in seconds since 1970.

        It is the last one of the likes where no time is known, or a later one.
        """
        last = self.counts.shape[1] - 1
        newest = 0 if times is None else period_of(int(times.max(initial=0)))
        return min(newest, last) or last

    def decayed(self, half_life: float, now: int | None = None) -> Reals:
        """Return the sums of likes that count half as much after each half-life, m.

        Args:
            half_life: in days.
            now: the period that counts whole; later ones do not count. None: the last one.
        """
        last = self.counts.shape[1] - 1 if now is None else now
        ages = (last - np.arange(self.counts.shape[1])).astype(float)
        weights = np.where(ages >= 0, np.exp2(-ages * PERIOD_DAYS / half_life), 0.0)
        weights[0] = 0.0  # time unknown
        decayed: Reals = self.counts @ weights
        return decayed


def trend(decayed: Reals, likes: Ints) -> Reals:
    """Return the logarithm of each movie's share of recent likes over its share of all, m.

    Added to the log of popularity, it makes recent popularity of it. A movie is level, 0, where its
    recent likes are as many as its likes of all time let expect, and where nobody has liked it.

    Args:
        decayed: m, sums of likes that count less with age.
        likes: int64 m, likes of all time.
    """
    shares = likes / max(1, int(likes.sum()))
    recent = (decayed + PRIOR_LIKES * shares) / (decayed.sum() + PRIOR_LIKES)
    logs: Reals = np.zeros(len(likes))
    np.log(recent / np.maximum(shares, 1e-12), out=logs, where=likes > 0)
    return logs
