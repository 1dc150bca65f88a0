"""The blend of the neural model: a weighted sum of its signals, as learned on validation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from marquee.arrays import Ints, Matrix, Vector
from marquee.scoring.blending import weighted_sum
from marquee.scoring.evidence_weights import EvidenceWeights


@dataclass(frozen=True)
class NeuralBlend:
    """Learned weights by signal and evidence, the rating's weight, and the cold-start offset.

    The signals are `preference` and `first` (the autoencoders of random and of first ratings),
    `als`, `items` (item weights of long histories), `content`, `popularity`, `trend` and `rating`:
    names that bundles store. Older ones have `many`, the logarithm of `items`, in place of it, of
    `als` and of `content`.
    `cold_start_offset` is added to the score of a movie without ratings.
    """

    weights: EvidenceWeights
    cold_start_offset: float
    rating_weight: float = 0.0

    def to_stored(self) -> dict[str, Any]:
        """Return the form that a bundle stores."""
        weights = self.weights.to_stored() | {"rating": self.rating_weight}
        return {"weights": weights, "bonus": self.cold_start_offset}

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> "NeuralBlend":
        """Return the blend of a stored form."""
        weights = dict(stored["weights"])
        rating_weight = weights.pop("rating", 0.0)
        return cls(EvidenceWeights.from_stored(weights), stored["bonus"], rating_weight)

    def total(
        self, signals: Mapping[str, Matrix], coldness: Vector, n: int, times: Ints | None
    ) -> Vector:
        """Return the scores of m movies for a user of n ratings, without the rating's part.

        A movie without ratings (`coldness` 1) has no item weights. In their logarithm its
        preference stands in for them.
        """
        weights = self.weights.of(n, times)
        imputed = {**signals, "items": signals["items"] * (1 - coldness)}
        if "many" in signals:
            many, preference = signals["many"], signals["preference"]
            imputed["many"] = many + coldness * (preference - many)
        total = weighted_sum(imputed, weights)
        total += np.float32(self.cold_start_offset) * coldness
        return total.astype(np.float32, copy=False)
