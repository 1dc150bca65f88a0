"""Popularity of the last weeks: likes that count half as much after each half-life."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from marquee.arrays import Matrix, Vector
from marquee.features.dataset import Dataset
from marquee.features.interactions import RatingRows

_DAY = 86_400


@dataclass(frozen=True, eq=False)
class _SameForAll:
    """One score a movie."""

    movies: Vector

    def scores(self, shown: sparse.csr_matrix) -> Matrix:
        return np.tile(self.movies, (shown.shape[0], 1))


def age_matrix(dataset: Dataset) -> sparse.csr_matrix:
    """Return the ages of likes in days, users × movies, at the time of the last rating; plus 1.

    The 1 tells the youngest like from no like.
    """
    rows = RatingRows.of(dataset)
    end = dataset.times.max(initial=0)
    # A data set is ordered by user, as its rows are.
    ages = ((end - dataset.times) / _DAY + 1).astype(np.float32)
    liked = rows.liked
    place = (rows.owners[liked], rows.movies[liked])
    return sparse.csr_matrix((ages[liked], place), (len(rows), len(dataset.movies)))


def fit_recent_popularity(ages: sparse.csr_matrix, half_life: float) -> _SameForAll:
    """Return the popularity by decayed sums: log(1 + Σ 2^(-age / half-life)) of each movie.

    Args:
        ages: Ages of likes in days, plus 1, users × movies.
        half_life: Days.
    """
    weights = ages.copy()
    weights.data = np.exp2((1 - weights.data) / np.float32(half_life))
    sums = np.asarray(weights.sum(axis=0)).ravel()
    return _SameForAll(np.log1p(sums).astype(np.float32))
