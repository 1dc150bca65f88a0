"""The blend of the neural model: a weighted sum of its signals, as learned on validation."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from marquee.arrays import Matrix, Vector


@dataclass(frozen=True)
class NeuralBlend:
    """Learned `weights` by signal, and the `cold_start_offset` of a movie without ratings.

    The signals are `preference`, `many` (item weights of long histories), `popularity` and
    `rating`: names that bundles store.
    """

    weights: Mapping[str, float]
    cold_start_offset: float

    def total(self, signals: Mapping[str, Matrix], coldness: Vector) -> Vector:
        """Return the scores of n movies, without the rating's part.

        A movie without ratings (`coldness` 1) has no item weights: its preference stands in.
        """
        weights = self.weights
        many = signals["many"] + coldness * (signals["preference"] - signals["many"])
        total: Vector = (
            np.float32(weights.get("preference", 0)) * signals["preference"]
            + np.float32(weights.get("many", 0)) * many
            + np.float32(weights.get("popularity", 0)) * signals["popularity"]
            + np.float32(self.cold_start_offset) * coldness
        ).astype(np.float32)
        return total
