"""The RatingPredictor as served, in numpy: user vector and movie vector → rating."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from marquee.arrays import Ints, Matrix
from neural.rating_biases import USER_DAMPING

Weights = Mapping[str, Matrix]

USER_NUMBERS, JOINT_NUMBERS = 3, 6
"""Numbers beside the vectors: of the user's bags, of the joint layers."""

_ROOT = np.float32(np.sqrt(2 / np.pi))


@dataclass(frozen=True, eq=False)
class UserVector:
    """A user to the network: `vector` d, `bias`, log(1 + ratings), `spread` of his ratings."""

    vector: Matrix
    bias: float
    log_count: float
    spread: float


@dataclass(frozen=True, eq=False)
class NetworkMovieVectors:
    """m movies to the network: `vectors` m × d, `biases`, `corrections`, `log_counts` m each."""

    vectors: Matrix
    biases: Matrix
    corrections: Matrix
    log_counts: Matrix

    def of(self, rows: Ints) -> "NetworkMovieVectors":
        """Return the movies at `rows`."""
        return NetworkMovieVectors(
            self.vectors[rows], self.biases[rows], self.corrections[rows], self.log_counts[rows]
        )


@dataclass(frozen=True, eq=False)
class RatingPredictor:
    """The trained weights by the names of the network's state, and the mean μ of all ratings."""

    weights: Weights
    mean: float

    @property
    def d(self) -> int:
        """Length of a user's and of a movie's vector."""
        return int(self.weights["viewers.value.weight"].shape[1])

    def user(self, movies: Ints, stars: Matrix, biases: Matrix) -> UserVector:
        """Return the vector of a user from rated movies (rows), his stars, the movies' biases."""
        rest = stars - np.float32(self.mean) - biases
        n = len(movies)
        bias = float(rest.sum()) / (n + USER_DAMPING)
        spread = float(np.sqrt((((rest - bias) ** 2).sum() + USER_DAMPING) / (n + USER_DAMPING)))
        value = self.weights["viewers.value.weight"][movies]
        seen = self.weights["viewers.seen.weight"][movies]
        root = np.float32(np.sqrt(n + 1))
        bags = [(rest - bias) @ value / root, seen.sum(axis=0) / root]
        row = np.concatenate([*bags, [bias, np.log1p(n), spread]]).astype(np.float32)
        vector = row @ self.weights["viewers.linear.weight"].T + self._layers("viewers.layers", row)
        return UserVector(vector, bias, float(np.log1p(n)), spread)

    def movies(self, content: Matrix) -> Matrix:
        """Return what content (m × c) says of m movies that nobody has rated, m × d."""
        return self._layers("films.new", content)

    def predict(self, user: UserVector, movies: NetworkMovieVectors) -> Matrix:
        """Return the ratings in stars, m, not clipped."""
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
        plain = np.float32(self.mean + user.bias) + movies.biases + movies.corrections
        rating: Matrix = (plain + q @ z + joint).astype(np.float32)
        return rating

    def _layers(self, name: str, rows: Matrix) -> Matrix:
        weights = self.weights
        inner = gelu(rows @ weights[f"{name}.0.weight"].T + weights[f"{name}.0.bias"])
        outer: Matrix = inner @ weights[f"{name}.3.weight"].T + weights[f"{name}.3.bias"]
        return outer


def gelu(x: Matrix) -> Matrix:
    """Return the Gaussian error linear unit by tanh (Hendrycks & Gimpel 2016)."""
    cubic = x * (1 + np.float32(0.044715) * x * x)
    result: Matrix = 0.5 * x * (1 + np.tanh(_ROOT * cubic))
    return result
