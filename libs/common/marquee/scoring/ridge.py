"""Weighted ridge regression with several targets."""

from dataclasses import dataclass

import numpy as np

from marquee.arrays import Floating, Matrix, Vector


@dataclass(frozen=True)
class Ridge:
    """y = x · weights + bias; `weights` is float32 d × t, `bias` float32 t."""

    weights: Matrix
    bias: Vector

    def apply(self, rows: Matrix) -> Matrix:
        """Return the predictions, n × t, of n × d rows (or t, of one row of d)."""
        predicted: Matrix = (rows @ self.weights + self.bias).astype(np.float32)
        return predicted


def fit_ridge(x: Matrix, y: Matrix, penalty: float, importance: Floating) -> Ridge:
    """Fit a ridge regression; constant columns get no weight.

    Args:
        x: n × d.
        y: n × t.
        penalty: added to the diagonal of the Gram matrix; the bias is not penalised.
        importance: n, weights of the rows; if all are 0, the regression predicts 0.
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
