"""Two-channel EASE: a baseline that sees likes and dislikes, like Marquee's own models.

The other baselines see liked movies alone, so a gain over them may be owed to the low ratings and
not to the models. Here every movie has two columns, liked and not liked (3.5 stars and less), and
the ridge regression of EASE (Steck 2019) leads from both to the liked ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from marquee.arrays import Matrix
from marquee.domain.likes import is_like
from marquee.features.dataset import Dataset
from marquee.features.interactions import RatingRows
from trainer.evaluation.baselines.models import Scorer, fit_ease
from trainer.evaluation.protocols.cases import EvaluationCase


@dataclass(frozen=True, eq=False)
class _LikedColumns:
    """EASE of both columns of each movie, of which the first, liked, is its score."""

    ease: Scorer

    def scores(self, shown: sparse.csr_matrix) -> Matrix:
        return self.ease.scores(shown)[:, : shown.shape[1] // 2]


def fit_two_channel_ease(both: sparse.csr_matrix, penalty: float) -> Scorer:
    """Return EASE of likes and dislikes, users × 2 movies, 1 or 0: likes first."""
    return _LikedColumns(fit_ease(both, penalty))


def two_channel_matrix(dataset: Dataset) -> sparse.csr_matrix:
    """Return likes and dislikes of a data set, users × 2 movies, 1 or 0: likes first."""
    rows, n_movies = RatingRows.of(dataset), len(dataset.movies)
    columns = rows.movies + np.where(rows.liked, 0, n_movies)
    ones = np.ones(len(columns), np.float32)
    return sparse.csr_matrix((ones, (rows.owners, columns)), (len(rows), 2 * n_movies))


def two_channel_fold_ins(cases: Sequence[EvaluationCase], n_movies: int) -> sparse.csr_matrix:
    """Return the input for m cases, m × 2 movies, 1 or 0; a viewed movie counts as liked."""
    columns = [
        case.movies + np.where(case.viewed | is_like(case.half_stars), 0, n_movies)
        for case in cases
    ]
    starts = np.cumsum([0, *map(len, columns)])
    joined = np.concatenate([np.zeros(0, np.int64), *columns])
    ones = np.ones(len(joined), np.float32)
    return sparse.csr_matrix((ones, joined, starts), (len(cases), 2 * n_movies))
