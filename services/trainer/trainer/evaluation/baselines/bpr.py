"""BPR: matrix factorization learned from pairs of a liked and another movie, by implicit."""

from dataclasses import dataclass

import numpy as np
from implicit.bpr import BayesianPersonalizedRanking
from scipy import sparse
from threadpoolctl import threadpool_limits

from marquee.arrays import Matrix, unit
from trainer.evaluation.baselines.models import Scorer
from trainer.evaluation.protocols.splits import SEED

_FACTORS = 64
_LEARNING_RATE = 0.05


@dataclass(frozen=True, eq=False)
class _Cosine:
    """Unit factors of movies, movies × factors; a movie scores its cosines to the shown ones."""

    units: Matrix

    def scores(self, shown: sparse.csr_matrix) -> Matrix:
        scores: Matrix = (shown @ self.units) @ self.units.T
        return scores


def fit_bpr(likes: sparse.csr_matrix, regularization: float, iterations: float) -> Scorer:
    """Return BPR (Rendle et al. 2009, "BPR: Bayesian personalized ranking from implicit feedback").

    Users who were not trained have no factors; as `similar_items` of implicit does, their movies
    are compared with all others by the cosine of the factors.

    Args:
        likes: users × movies, 1 or 0.
        regularization: Penalty of the factors.
        iterations: Passes over the likes.
    """
    with threadpool_limits(1):
        bpr = BayesianPersonalizedRanking(
            _FACTORS,
            learning_rate=_LEARNING_RATE,
            regularization=regularization,
            iterations=int(iterations),
            num_threads=1,
            random_state=SEED,
        )
        bpr.fit(likes, show_progress=False)
    factors = np.asarray(bpr.item_factors)[:, :_FACTORS]  # the last column is a bias
    return _Cosine(unit(factors.astype(np.float32)))
