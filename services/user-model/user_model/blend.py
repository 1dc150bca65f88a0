"""The blend of the user model: a weighted sum of its signals, as learned on validation."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from marquee.arrays import Vector, load_json, save_json
from marquee.scoring.blending import weighted_sum

_FILE = "mix.json"


@dataclass(frozen=True)
class UserModelBlend:
    """The blend of signals into a score.

    Attributes:
        weights: Learned weights by signal.
        cold_start_offset: Added to the score of a movie without ratings.
        reach: Clusters nearest to a user in which neighbours are searched.
        near: Most neighbours of a user.
    """

    weights: Mapping[str, float]
    cold_start_offset: float
    reach: int
    near: int

    def total(self, signals: Mapping[str, Vector], coldness: Vector) -> Vector:
        """Return the scores of n movies.

        Nobody has liked a movie without ratings (`coldness` 1): the user's clusters stand in for
        the neighbours.
        """
        near, clusters = signals["near"], signals["clusters"]
        imputed = {**signals, "near": near + coldness * (clusters - near)}
        scores = weighted_sum(imputed, self.weights)
        total = scores + np.float32(self.cold_start_offset) * coldness
        return total.astype(np.float32, copy=False)

    def save(self, directory: Path) -> None:
        """Write `mix.json`, whose keys are those of the first format."""
        stored = {
            "weights": dict(self.weights),
            "bonus": self.cold_start_offset,
            "reach": self.reach,
            "near": self.near,
        }
        save_json(directory / _FILE, stored)

    @classmethod
    def load(cls, directory: Path) -> "UserModelBlend":
        """Read what `save` wrote."""
        stored = load_json(directory / _FILE)
        return cls(stored["weights"], stored["bonus"], stored["reach"], stored["near"])
