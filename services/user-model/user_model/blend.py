"""The blend of the user model: a sum of its signals, weighted by evidence, as learned."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from marquee.arrays import Ints, Vector, load_json, save_json
from marquee.scoring.blending import weighted_sum
from marquee.scoring.evidence_weights import EvidenceWeights

_FILE = "mix.json"


@dataclass(frozen=True)
class UserModelBlend:
    """The blend of signals into a score.

    Attributes:
        weights: Learned weights by signal and evidence.
        cold_start_offset: Added to the score of a movie without ratings.
        reach: Clusters nearest to a user in which neighbours are searched.
        near: Most neighbours of a user.
    """

    weights: EvidenceWeights
    cold_start_offset: float
    reach: int
    near: int

    def total(
        self, signals: Mapping[str, Vector], coldness: Vector, n: int, times: Ints | None
    ) -> Vector:
        """Return the scores of m movies for a user of n ratings with times, if these are known.

        Nobody has liked a movie without ratings (`coldness` 1): the user's clusters stand in for
        the neighbours.
        """
        near, clusters = signals["near"], signals["clusters"]
        imputed = {**signals, "near": near + coldness * (clusters - near)}
        scores = weighted_sum(imputed, self.weights.of(n, times))
        total = scores + np.float32(self.cold_start_offset) * coldness
        return total.astype(np.float32, copy=False)

    def save(self, directory: Path) -> None:
        """Write `mix.json`, whose keys are those of the first format."""
        stored = {
            "weights": self.weights.to_stored(),
            "bonus": self.cold_start_offset,
            "reach": self.reach,
            "near": self.near,
        }
        save_json(directory / _FILE, stored)

    @classmethod
    def load(cls, directory: Path) -> "UserModelBlend":
        """Read what `save` wrote."""
        stored = load_json(directory / _FILE)
        weights = EvidenceWeights.from_stored(stored["weights"])
        return cls(weights, stored["bonus"], stored["reach"], stored["near"])
