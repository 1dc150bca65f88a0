"""Confidence of predicted ratings: the probability of an error of at most half a star."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from marquee.arrays import Floating, Vector

TOLERANCE = 0.5
"""Stars that a rating may be off and still count as right."""

_STORED_NAMES = {"user": "viewer", "movie": "film"}
"""Names in bundles, which keep those of the first format."""
_PENALTY = 1.0
_ROUNDS = 25


@dataclass(frozen=True)
class Confidence:
    """Probability that a predicted rating is at most half a star off, by logistic regression.

    P = σ(constant + user · log(1 + m) + movie · log(1 + n) + spread · log(s)), with m ratings of
    the user, n of the movie, and s the spread of the user's ratings. Coefficients are
    sign-constrained: confidence never falls with more ratings, nor rises with their spread.
    """

    constant: float = 0.0
    user: float = 0.0
    movie: float = 0.0
    spread: float = 0.0

    def to_stored(self) -> dict[str, float]:
        """Return the coefficients under the names that they have in a bundle."""
        values = asdict(self)
        return {_STORED_NAMES.get(name, name): value for name, value in values.items()}

    @classmethod
    def from_stored(cls, values: Mapping[str, float]) -> "Confidence":
        """Return the confidence of a bundle, from what `to_stored` returned."""
        names = {stored: name for name, stored in _STORED_NAMES.items()}
        return cls(**{names.get(stored, stored): value for stored, value in values.items()})

    def of(
        self, log_user: Floating | float, log_movie: Floating, spread: Floating | float
    ) -> Vector:
        """Return the probabilities of m predictions.

        Args:
            log_user: log(1 + ratings of the user).
            log_movie: log(1 + ratings of the movie), m.
            spread: Damped standard deviation of the user's ratings, in stars.
        """
        logits = self.constant + self.user * log_user + self.movie * log_movie
        logits = logits + self.spread * np.log(spread)
        probabilities: Vector = (1 / (1 + np.exp(-logits))).astype(np.float32)
        return probabilities


def fit_confidence(
    log_user: Floating, log_movie: Floating, spread: Floating, errors: Floating
) -> Confidence:
    """Fit the logistic regression to m prediction errors (in stars) on held-out ratings.

    A coefficient of the wrong sign is dropped, the worst first, and the others are fitted again.
    """
    is_right = (np.abs(errors) <= TOLERANCE).astype(np.float64)
    columns = {"user": log_user, "movie": log_movie, "spread": -np.log(spread)}
    while True:
        inputs = np.stack([np.ones(len(is_right)), *columns.values()], axis=1)
        weights = _logistic_regression(inputs, is_right)
        slopes = dict(zip(columns, weights[1:].tolist(), strict=True))
        if not slopes or min(slopes.values()) >= 0:
            slopes["spread"] = -slopes.get("spread", 0.0)
            return Confidence(float(weights[0]), **slopes)
        del columns[min(slopes, key=lambda name: slopes[name])]


def _logistic_regression(inputs: Floating, labels: Floating) -> Floating:
    """Return the weights by Newton's method, with a small ridge that keeps few rows finite."""
    weights = np.zeros(inputs.shape[1])
    ridge = _PENALTY * np.eye(inputs.shape[1])
    for _ in range(_ROUNDS):
        probabilities = 1 / (1 + np.exp(-(inputs @ weights)))
        gradient = inputs.T @ (probabilities - labels) + ridge @ weights
        hessian = (inputs.T * (probabilities * (1 - probabilities))) @ inputs + ridge
        weights = weights - np.linalg.solve(hessian, gradient)
    return weights
