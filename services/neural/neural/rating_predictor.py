"""The RatingPredictor as served, in numpy: user vector and movie vector → rating in stars.

Rating = μ + user bias + movie bias + correction + ⟨user, movie⟩ + joint layers. A user is described
by bags of the rated movies' embeddings, as in SVD++ (Koren 2008, "Factorization Meets the
Neighborhood"), so a new user needs no training.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from safetensors.numpy import save as save_tensors

from marquee.arrays import Floating, Ints, Matrix, Vector, check_finite
from marquee.scoring.rating_biases import USER_DAMPING, damped_mean

Weights = Mapping[str, Matrix]

USER_NUMBERS, JOINT_NUMBERS = 3, 6
"""Numbers beside the vectors in a row for the user encoder, and for the joint layers."""

_WEIGHTS_FILE = "neural_model.safetensors"
_GELU_SCALE = np.float32(np.sqrt(2 / np.pi))


@dataclass(frozen=True, eq=False)
class UserVector:
    """A user to the network: `vector` d, `bias`, log(1 + ratings), `spread` of their ratings."""

    vector: Vector
    bias: float
    log_count: float
    spread: float


@dataclass(frozen=True, eq=False)
class NetworkMovieVectors:
    """m movies to the network: `vectors` m × d, `biases`, `corrections`, `log_counts` m each."""

    vectors: Matrix
    biases: Vector
    corrections: Vector
    log_counts: Vector

    def of(self, rows: Ints) -> "NetworkMovieVectors":
        """Return the movies at `rows`."""
        return NetworkMovieVectors(
            self.vectors[rows], self.biases[rows], self.corrections[rows], self.log_counts[rows]
        )


@dataclass(frozen=True, eq=False)
class RatingPredictor:
    """The trained weights by the names of the network's state.

    `mean` is μ, the mean of all ratings, `low` and `high` the ends of their scale, in stars.
    """

    weights: Weights
    mean: float
    low: float = 0.5
    high: float = 5.0

    def save(self, directory: Path) -> None:
        """Write the weights to `neural_model.safetensors`; the rest stands in the blend's file."""
        weights = {name: np.ascontiguousarray(array) for name, array in self.weights.items()}
        path = directory / _WEIGHTS_FILE
        check_finite(path, weights)
        path.write_bytes(save_tensors(weights))

    @classmethod
    def load(cls, directory: Path, mean: float, low: float, high: float) -> "RatingPredictor":
        """Read the weights that `save` wrote."""
        path = directory / _WEIGHTS_FILE
        weights = load_file(path)
        check_finite(path, weights)
        return cls(weights, mean, low, high)

    @property
    def d(self) -> int:
        """Length of a user's and of a movie's vector."""
        return int(self.weights["viewers.value.weight"].shape[1])

    def user(self, movies: Ints, stars: Vector, biases: Vector) -> UserVector:
        """Return the vector of a user.

        Args:
            movies: Rows of the movies that the user rated, n.
            stars: The ratings, n.
            biases: Biases of the same movies, n.
        """
        residuals = stars - np.float32(self.mean) - biases
        n = len(movies)
        bias = damped_mean(residuals, USER_DAMPING)
        squares = ((residuals - bias) ** 2).sum()
        spread = float(np.sqrt((squares + USER_DAMPING) / (n + USER_DAMPING)))
        value = self.weights["viewers.value.weight"][movies]
        seen = self.weights["viewers.seen.weight"][movies]
        root = np.float32(np.sqrt(n + 1))
        bags = [(residuals - bias) @ value / root, seen.sum(axis=0) / root]
        row = np.concatenate([*bags, [bias, np.log1p(n), spread]]).astype(np.float32)
        vector = row @ self.weights["viewers.linear.weight"].T + self._layers("viewers.layers", row)
        return UserVector(vector, bias, float(np.log1p(n)), spread)

    def bounded(self, stars: Floating) -> Floating:
        """Return ratings within the scale of the data."""
        within: Floating = np.clip(stars, self.low, self.high)
        return within

    def movies(self, content: Matrix) -> Matrix:
        """Return the vectors, m × d, that content (m × c) predicts of m movies without ratings."""
        return self._layers("films.new", content)

    def predict(self, user: UserVector, movies: NetworkMovieVectors) -> Vector:
        """Return the ratings in stars, m, not bounded."""
        q, z = movies.vectors, user.vector
        m = len(q)
        first = self.weights["joint.0.weight"]
        d = self.d
        # [z, q, z·q] times the first layer, with z the same in each row.
        inner = q @ (first[:, d : 2 * d] + first[:, 2 * d : 3 * d] * z).T
        inner += first[:, :d] @ z + self.weights["joint.0.bias"]
        numbers = np.empty((m, JOINT_NUMBERS), np.float32)
        numbers[:, 0], numbers[:, 1] = user.bias, movies.biases
        numbers[:, 2], numbers[:, 3] = user.log_count, movies.log_counts
        numbers[:, 4], numbers[:, 5] = user.spread, user.bias * movies.biases
        inner += numbers @ first[:, 3 * d :].T
        joint = gelu(inner) @ self.weights["joint.3.weight"][0] + self.weights["joint.3.bias"][0]
        baseline = np.float32(self.mean + user.bias) + movies.biases + movies.corrections
        rating: Vector = (baseline + q @ z + joint).astype(np.float32)
        return rating

    def _layers(self, name: str, rows: Matrix) -> Matrix:
        """Return linear → GELU → linear of n rows; dropout (`.2`) does nothing when serving."""
        weights = self.weights
        inner = gelu(rows @ weights[f"{name}.0.weight"].T + weights[f"{name}.0.bias"])
        outer: Matrix = inner @ weights[f"{name}.3.weight"].T + weights[f"{name}.3.bias"]
        return outer


def gelu(x: Matrix) -> Matrix:
    """Return the Gaussian error linear unit by tanh (Hendrycks & Gimpel 2016)."""
    cubic = x * (1 + np.float32(0.044715) * x * x)
    result: Matrix = 0.5 * x * (1 + np.tanh(_GELU_SCALE * cubic))
    return result
