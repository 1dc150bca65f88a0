"""Weighted ridge regression of many targets."""

from dataclasses import dataclass

import numpy as np

from marquee.arrays import Floating, Matrix


@dataclass(frozen=True)
class Ridge:
    """y = x · weights + bias; `weights` float32 d × t, `bias` float32 t."""

    weights: Matrix
    bias: Matrix

    def apply(self, rows: Matrix) -> Matrix:
        """Return the t predictions of n × d rows (or of one row of d)."""
        predicted: Matrix = (rows @ self.weights + self.bias).astype(np.float32)
        return predicted


def fit_ridge(x: Matrix, y: Matrix, penalty: float, importance: Floating) -> Ridge:
    """Return the ridge of n × d rows on n × t targets; `importance` (n) weighs rows.

    Columns that are constant get no weight. Rows of no importance at all give the zero prediction.
    """
    total = float(importance.sum())
    if total <= 0 or not y.shape[1]:
        return Ridge(
            np.zeros((x.shape[1], y.shape[1]), np.float32), np.zeros(y.shape[1], np.float32)
        )
    if (importance == 0).any():  # often most movies: they would cost as much as the others
        known = importance > 0
        x, y, importance = x[known], y[known], importance[known]
    share = (importance / total)[:, None]
    x_mean, y_mean = (share * x).sum(0), (share * y).sum(0)
    rows = (x - x_mean) * np.sqrt(importance)[:, None]
    targets = (y - y_mean) * np.sqrt(importance)[:, None]
    gram = rows.T @ rows + penalty * np.eye(x.shape[1])
    weights = np.linalg.solve(gram, rows.T @ targets)
    return Ridge(weights.astype(np.float32), (y_mean - x_mean @ weights).astype(np.float32))
