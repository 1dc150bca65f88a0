"""How sure a predicted rating is: the probability that it is at most half a star off."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from marquee.arrays import Floating

NEAR = 0.5
"""Stars that a rating may be off and still count as right."""

_STORED_NAMES = {"user": "viewer", "movie": "film"}
"""Names in bundles, which keep those of the first format."""
_PENALTY = 1.0
_ROUNDS = 25


@dataclass(frozen=True)
class Confidence:
    """P(|error| ≤ NEAR) = σ(constant + user · log(1 + m) + movie · log(1 + n) + spread · log(s)).

    m: ratings that the user gave, n: those that the movie got, s: the spread of the user's. The
    first two slopes are not below 0 and the last not above: what knows more is never less sure, and
    of whom scatters his ratings nothing is surer.
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
    ) -> npt.NDArray[np.float32]:
        """Return the probabilities, m, from log(1 + ratings) of user and movies and his spread."""
        logits = self.constant + self.user * log_user + self.movie * log_movie
        logits = logits + self.spread * np.log(spread)
        probabilities: npt.NDArray[np.float32] = (1 / (1 + np.exp(-logits))).astype(np.float32)
        return probabilities


def fit_confidence(
    log_user: Floating, log_movie: Floating, spread: Floating, errors: Floating
) -> Confidence:
    """Return the logistic regression of m `errors` in stars, of ratings that nothing has seen."""
    near = (np.abs(errors) <= NEAR).astype(np.float64)
    columns = {"user": log_user, "movie": log_movie, "spread": -np.log(spread)}
    while True:
        inputs = np.stack([np.ones(len(near)), *columns.values()], axis=1)
        weights = _logistic(inputs, near)
        slopes = dict(zip(columns, weights[1:].tolist(), strict=True))
        if not slopes or min(slopes.values()) >= 0:
            slopes["spread"] = -slopes.get("spread", 0.0)
            return Confidence(float(weights[0]), **slopes)
        del columns[min(slopes, key=lambda name: slopes[name])]


def _logistic(inputs: Floating, near: Floating) -> Floating:
    """Return the weights by Newton's method, under a small ridge that keeps few rows finite."""
    weights = np.zeros(inputs.shape[1])
    ridge = _PENALTY * np.eye(inputs.shape[1])
    for _ in range(_ROUNDS):
        found = 1 / (1 + np.exp(-(inputs @ weights)))
        gradient = inputs.T @ (found - near) + ridge @ weights
        hessian = (inputs.T * (found * (1 - found))) @ inputs + ridge
        weights = weights - np.linalg.solve(hessian, gradient)
    return weights
