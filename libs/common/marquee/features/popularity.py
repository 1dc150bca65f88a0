"""Popularity of movies: sums per partition of `ratings`, added up by readers."""

from collections.abc import Mapping
from functools import cached_property

import numpy as np
import numpy.typing as npt

from marquee.arrays import Ints, Mask, Reals
from marquee.domain.likes import POSITIVE, likes_rule
from marquee.features.movie_table import MovieTable

SHRINKAGE = 25.0
"""Pseudo-ratings at the global mean in a movie's shrunk (damped) mean."""


class MovieSums:
    """Sums of each movie over all users: ratings, positive ratings, half stars.

    Keyed by movie id, not by row, since ratings may arrive before their movie. Stored are positive
    ratings by stars; where every rating is a like (`marquee.domain.likes`), all are read as such.
    """

    def __init__(self) -> None:
        self._parts: dict[int, dict[int, tuple[int, int, int]]] = {}

    def put(self, partition: int, movie_id: int, sums: tuple[int, int, int]) -> None:
        """Set one partition's sums of a movie: (ratings, positive, half stars)."""
        self._parts.setdefault(partition, {})[movie_id] = sums

    def replace(self, partition: int, rows: Mapping[int, tuple[int, int, int]]) -> None:
        """Set one partition's sums of all movies."""
        self._parts[partition] = dict(rows)

    def of(self, movie_id: int) -> tuple[int, int, int]:
        """Return (ratings, positive, half stars) of a movie over all partitions."""
        n = positive = half = 0
        for part in self._parts.values():
            if (sums := part.get(movie_id)) is not None:
                n, positive, half = n + sums[0], positive + sums[1], half + sums[2]
        return n, n if likes_rule() == "every-rating" else positive, half

    def arrays(self, movie_ids: Ints) -> Ints:
        """Return the sums of m movies, int64 m × 3: ratings, positive, half stars."""
        totals = np.zeros((len(movie_ids), 3), np.int64)
        rows = {int(movie_id): i for i, movie_id in enumerate(movie_ids)}
        for part in self._parts.values():
            for movie_id, sums in part.items():
                if (row := rows.get(movie_id)) is not None:
                    totals[row] += sums
        if likes_rule() == "every-rating":
            totals[:, 1] = totals[:, 0]
        return totals


def sums_of(movie_ids: Ints, half_stars: npt.NDArray[np.uint8]) -> dict[int, tuple[int, int, int]]:
    """Return movie id → (ratings, positive, half stars) of m ratings."""
    ids, inverse = np.unique(movie_ids, return_inverse=True)
    n = np.bincount(inverse, minlength=len(ids))
    positive = np.bincount(inverse, half_stars >= POSITIVE, len(ids)).astype(np.int64)
    half = np.bincount(inverse, half_stars, len(ids)).astype(np.int64)
    return {
        int(i): (int(a), int(b), int(c)) for i, a, b, c in zip(ids, n, positive, half, strict=True)
    }


class Popularity:
    """Popularity ranking: log(1 + positive ratings), ties by shrunk mean, then by movie id.

    Rows are those of a `MovieTable`: `popularity` and `mean` (stars) float64, `n` int64.
    """

    def __init__(self, sums: Ints) -> None:
        """Take the sums, m × 3: ratings, positive, half stars."""
        self._sums = sums.astype(np.int64)
        self._total = self._sums.sum(axis=0) if len(sums) else np.zeros(3, np.int64)

    @cached_property
    def global_mean(self) -> float:
        """Mean of all ratings in stars; 3.5 without ratings."""
        return float(self._total[2] / (2 * self._total[0])) if self._total[0] else 3.5

    @property
    def sums(self) -> Ints:
        return self._sums

    @property
    def n(self) -> Ints:
        return self._sums[:, 0]

    @property
    def positive(self) -> Ints:
        return self._sums[:, 1]

    @cached_property
    def popularity(self) -> Reals:
        """log(1 + positive ratings) of each movie."""
        return np.log1p(self._sums[:, 1])

    @cached_property
    def mean(self) -> Reals:
        """Shrunk mean rating of each movie in stars: (sum + 25 μ) / (n + 25)."""
        return (self._sums[:, 2] / 2 + SHRINKAGE * self.global_mean) / (
            self._sums[:, 0] + SHRINKAGE
        )

    def order(self, movie_ids: Ints, mask: Mask, k: int) -> Ints:
        """Return up to k rows where `mask` holds, most popular first."""
        rows = np.flatnonzero(mask)
        keys = (movie_ids[rows], -self.mean[rows], -self._sums[rows, 1])
        return rows[np.lexsort(keys)][:k]


class LivePopularity:
    """Popularity of a table's rows, kept up to date while sums and rows change."""

    def __init__(self, movies: MovieTable, sums: MovieSums) -> None:
        self._movies, self._sums = movies, sums
        self._totals = sums.arrays(movies.movie_ids)
        self._current: Popularity | None = None

    def update(self, movie_id: int) -> None:
        """Read a movie's sums again, and append its row if it is new."""
        if (missing := len(self._movies) - len(self._totals)) > 0:
            new = self._sums.arrays(self._movies.movie_ids[-missing:])
            self._totals = np.concatenate([self._totals, new])
        if (row := self._movies.index(movie_id)) >= 0:
            self._totals[row] = self._sums.of(movie_id)
        self._current = None

    def now(self) -> Popularity:
        """Return the current popularity of all rows; computed once between changes."""
        if self._current is None or len(self._current.n) != len(self._movies):
            missing = len(self._movies) - len(self._totals)
            self._totals = np.concatenate([self._totals, np.zeros((missing, 3), np.int64)])
            self._current = Popularity(self._totals)
        return self._current
