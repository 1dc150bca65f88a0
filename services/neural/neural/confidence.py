"""How sure a predicted rating is: the probability that it is at most half a star off."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.floating]

NEAR = 0.5
"""Stars that a rating may be off and still count as right."""

_PENALTY = 1.0
_ROUNDS = 25


@dataclass(frozen=True)
class Confidence:
    """P(|error| ≤ NEAR) = σ(constant + viewer · log(1 + m) + film · log(1 + n) + spread · log(s)).

    m: ratings that the viewer gave, n: those that the film got, s: the spread of the viewer's. The
    first two slopes are not below 0 and the last not above: what knows more is never less sure, and
    of whom scatters his ratings nothing is surer.
    """

    constant: float = 0.0
    viewer: float = 0.0
    film: float = 0.0
    spread: float = 0.0

    def of(
        self, log_viewer: Reals | float, log_film: Reals, spread: Reals | float
    ) -> npt.NDArray[np.float32]:
        """Return the probabilities, m, from log(1 + ratings) of viewer and films and his spread."""
        logits = self.constant + self.viewer * log_viewer + self.film * log_film
        logits = logits + self.spread * np.log(spread)
        probabilities: npt.NDArray[np.float32] = (1 / (1 + np.exp(-logits))).astype(np.float32)
        return probabilities


def fit_confidence(log_viewer: Reals, log_film: Reals, spread: Reals, errors: Reals) -> Confidence:
    """Return the logistic regression of m `errors` in stars, of ratings that nothing has seen."""
    near = (np.abs(errors) <= NEAR).astype(np.float64)
    columns = {"viewer": log_viewer, "film": log_film, "spread": -np.log(spread)}
    while True:
        inputs = np.stack([np.ones(len(near)), *columns.values()], axis=1)
        weights = _logistic(inputs, near)
        slopes = dict(zip(columns, weights[1:].tolist(), strict=True))
        if not slopes or min(slopes.values()) >= 0:
            slopes["spread"] = -slopes.get("spread", 0.0)
            return Confidence(float(weights[0]), **slopes)
        del columns[min(slopes, key=lambda name: slopes[name])]


def _logistic(inputs: Reals, near: Reals) -> Reals:
    """Return the weights by Newton's method, under a small ridge that keeps few rows finite."""
    weights = np.zeros(inputs.shape[1])
    ridge = _PENALTY * np.eye(inputs.shape[1])
    for _ in range(_ROUNDS):
        found = 1 / (1 + np.exp(-(inputs @ weights)))
        gradient = inputs.T @ (found - near) + ridge @ weights
        hessian = (inputs.T * (found * (1 - found))) @ inputs + ridge
        weights = weights - np.linalg.solve(hessian, gradient)
    return weights
