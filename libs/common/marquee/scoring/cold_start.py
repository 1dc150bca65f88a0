"""Cold start: content-based predictions for movies without ratings."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from marquee.arrays import Floating, Matrix, Vector, load_arrays, save_arrays
from marquee.features.movie_vector import MovieVectors
from marquee.scoring.ridge import Ridge

_FILE = "new_films.npz"


@dataclass(frozen=True)
class ColdStartModel:
    """Predictions for cold movies (without a rating), and their offset in a ranking.

    Attributes:
        prior: content with pairs of genres → (log popularity, then what users teach of a movie).
        rate: intercept of the linear autoencoder per positive rating.
        slope: its deviation per unit of a related signal.
        offset: added to a cold movie's blended score; learned from lists with hidden movies.
    """

    prior: Ridge
    rate: float = 0.0
    slope: float = 0.0
    offset: float = 0.0

    def predict(self, content: Matrix) -> tuple[Vector, Matrix]:
        """Return the log popularity, n, and the learned columns, n × f, of n × d content rows."""
        pairs = len(self.prior.weights) - content.shape[1]
        if pairs > 0:  # bundles of older code have none
            content = with_pairs(content, _n_of_pairs(pairs))
        predicted = self.prior.apply(content)
        return np.maximum(predicted[:, 0], 0), predicted[:, 1:]

    def fill(self, scores: Vector, related: Vector, prior: Vector, cold: Vector) -> Vector:
        """Predict a linear autoencoder's scores, n, at cold rows, in place; return them.

        Args:
            scores: float32 n.
            related: float32 n, the related signal.
            prior: float32 n, expected log popularity.
            cold: float32 n, other than 0 where a row is cold.
        """
        rows = np.flatnonzero(cold)
        scores[rows] = self.rate * np.expm1(prior[rows]) + self.slope * related[rows]
        return scores

    def save(self, directory: Path) -> None:
        """Write `new_films.npz`."""
        save_arrays(
            directory / _FILE,
            weights=self.prior.weights,
            bias=self.prior.bias,
            numbers=np.array([self.rate, self.slope, self.offset], np.float64),
        )

    @classmethod
    def load(cls, directory: Path) -> "ColdStartModel":
        """Read `new_films.npz`."""
        arrays = load_arrays(directory / _FILE)
        return cls(Ridge(arrays["weights"], arrays["bias"]), *arrays["numbers"].tolist())


def with_pairs(content: Matrix, n_genres: int) -> Matrix:
    """Return n × d content rows, genres first, followed by a column for each pair of genres.

    A movie of both genres is another kind of movie: its popularity is not the sum of the two.
    """
    first, second = np.triu_indices(n_genres, 1)
    pairs = content[:, first] * content[:, second]
    return np.concatenate([content, pairs], axis=1, dtype=np.float32)


def _n_of_pairs(pairs: int) -> int:
    """Return the number of genres that make so many pairs."""
    return (1 + math.isqrt(1 + 8 * pairs)) // 2


def log_popularity(popularity: Floating, prior: Vector, cold: Vector) -> Vector:
    """Return log(1 + positive ratings) of n rows; at cold rows the prior counts as ratings too."""
    scores: Vector = popularity.astype(np.float32)
    rows = np.flatnonzero(cold)
    scores[rows] = np.log(np.exp(scores[rows]) + np.expm1(prior[rows]))
    return scores


def with_prior_popularity(
    rows: Matrix, movie_vectors: MovieVectors, prior: Vector, cold: Vector
) -> Matrix:
    """Return n × d movie vectors in which cold movies have their expected popularity.

    Unknown is not unpopular: with 0 a new movie would resemble movies without likes.
    """
    rows, block = rows.copy(), movie_vectors.blocks["popularity"]
    rows[:, block] = log_popularity(rows[:, block.start], prior, cold)[:, None]
    return rows
