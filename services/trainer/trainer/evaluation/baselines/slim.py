"""SLIM: sparse weights between movies, none below 0, by the elastic net of scikit-learn."""

import numpy as np
from scipy import sparse
from sklearn.linear_model import enet_path
from threadpoolctl import threadpool_limits

from trainer.evaluation.baselines.models import MovieWeights, Scorer, most_liked

MAX_MOVIES = 1500
"""SLIM takes the most liked movies only: it solves a regression for each."""
_STEPS = 100
"""Most rounds of coordinate descent."""


def fit_slim(likes: sparse.csr_matrix, l1: float, l2: float) -> Scorer:
    """Return SLIM (Ning & Karypis 2011, "Sparse linear methods for top-n recommender systems").

    Each movie's likes x are regressed on those of all others, X: the minimum over w ≥ 0 of
    ‖x - Xw‖² / 2 + l1 ‖w‖₁ + l2 ‖w‖² / 2.

    Args:
        likes: users × movies, 1 or 0.
        l1: Penalty of the sum of the weights, so that most are 0.
        l2: Penalty of the squares of the weights.
    """
    head = most_liked(likes, MAX_MOVIES)
    chosen = np.asfortranarray(likes[:, head].toarray(), np.float64)
    gram = chosen.T @ chosen
    weights = np.zeros((len(head), len(head)), np.float32)
    alpha = (l1 + l2) / len(chosen)
    with threadpool_limits(1):
        for j in range(len(head)):
            column = gram[:, j].copy()
            gram[:, j] = gram[j] = 0.0  # no movie explains itself
            _, coefficients, _ = enet_path(
                chosen,
                chosen[:, j],
                l1_ratio=l1 / (l1 + l2),
                alphas=[alpha],
                precompute=gram,
                Xy=np.where(np.arange(len(head)) == j, 0.0, column),
                positive=True,
                check_input=False,
                max_iter=_STEPS,
                tol=1e-3,
            )
            gram[:, j] = gram[j] = column
            weights[:, j] = coefficients[:, 0]
    return MovieWeights(head, weights)
