"""Likes of movies by period of time in training data.

Counts of whole periods can be added up by events in any order, taken back exactly, and read with
any half-life: a new model version may choose another one without reading ratings again.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from marquee.arrays import Ints, Reals
from marquee.domain.rating_sums import PERIOD_SECONDS, period_of
from marquee.features.interactions import RatingRows
from marquee.features.trend import period_weights


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
        last = period_of(int(rows.times.max(initial=0)))  # there may be no like in it
        return cls.counted(rows.movies[liked], rows.times[liked], n_movies, last)

    @classmethod
    def counted(cls, movies: Ints, times: Ints, n_movies: int, last: int = 0) -> "RecentLikes":
        """Return the counts of likes.

        Args:
            movies: the liked movie rows, n.
            times: seconds since 1970 of the likes, n.
            n_movies: m.
            last: the period in which the data end, if no like is later.
        """
        periods = np.maximum(times, 0) // PERIOD_SECONDS
        shape = (n_movies, int(periods.max(initial=last)) + 1)
        ones = np.ones(len(movies), np.int64)
        return cls(sparse.csr_matrix((ones, (movies, periods)), shape))

    def period_at(self, time: int) -> int:
        """Return the period of a time in seconds since 1970.

        It is the last one of the data where the time is not known (0), or after it.
        """
        last = int(self.counts.shape[1]) - 1
        return min(period_of(time), last) or last

    def decayed(self, half_life: float, now: int | None = None) -> Reals:
        """Return the sums of likes that count half as much after each half-life, m.

        Args:
            half_life: in days.
            now: the period that counts whole; later ones do not count. None: the last one.
        """
        last = self.counts.shape[1] - 1 if now is None else now
        weights = period_weights(np.arange(self.counts.shape[1]), last, half_life)
        decayed: Reals = self.counts @ weights
        return decayed
