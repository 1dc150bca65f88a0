"""The blend of the neural model: a weighted sum of its signals, as learned on validation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from marquee.arrays import Ints, Matrix, Vector
from marquee.scoring.evidence_weights import EvidenceWeights
from marquee.scoring.scorers.recent_trend import TREND


@dataclass(frozen=True)
class NeuralBlend:
    """Learned weights by signal and evidence, the rating's weight, and the cold-start offset.

    The signals are `preference` and `first` (the autoencoders of random and of first ratings),
    `many` (item weights of long histories), `popularity`, `trend` and `rating`: names that bundles
    store.
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

        A movie without ratings (`coldness` 1) has no item weights: its preference stands in.
        """
        weights = self.weights.of(n, times)
        many = signals["many"] + coldness * (signals["preference"] - signals["many"])
        total: Vector = (
            np.float32(weights.get("preference", 0)) * signals["preference"]
            + np.float32(weights.get("many", 0)) * many
            + np.float32(weights.get("popularity", 0)) * signals["popularity"]
            + np.float32(self.cold_start_offset) * coldness
        ).astype(np.float32)
        for name in ("first", TREND):
            if name in signals:
                total += np.float32(weights.get(name, 0)) * signals[name]
        return total
