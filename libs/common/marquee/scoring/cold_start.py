"""What stands in for evidence where nobody has rated a movie: predictions from its content."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from marquee.arrays import Floating, Matrix, load_arrays, save_arrays
from marquee.domain.movies import GENRES
from marquee.features.movie_vector import MovieVectors
from marquee.scoring.ridge import Ridge

_PAIRS = np.triu_indices(len(GENRES), 1)


@dataclass(frozen=True)
class NewMovies:
    """Predictions for movies without a rating ("cold" ones), and how they stand beside the others.

    `prior`: content with pairs of genres → (log popularity, then the factors, if any). `rate`:
    intercept of the model of few ratings per positive rating. `slope`: its deviation per unit of a
    related signal. `offset` is added to a cold movie's mixed score: what was best for lists in which
    known movies were hidden.
    """

    prior: Ridge
    rate: float = 0.0
    slope: float = 0.0
    offset: float = 0.0

    def predict(self, content: Matrix) -> tuple[Matrix, Matrix]:
        """Return the log popularity, n, and the factors, n × f, of n × d content rows."""
        if len(self.prior.weights) > content.shape[1]:  # bundles of older code have no pairs
            content = with_pairs(content)
        predicted = self.prior.apply(content)
        return np.maximum(predicted[:, 0], 0), predicted[:, 1:]

    def fill(self, scores: Matrix, related: Matrix, prior: Matrix, cold: Matrix) -> Matrix:
        """Return scores of few ratings, n, with those of cold rows (`cold` 1, not 0) predicted."""
        rows = np.flatnonzero(cold)
        scores[rows] = self.rate * np.expm1(prior[rows]) + self.slope * related[rows]
        return scores

    def save(self, directory: Path) -> None:
        """Write `new_movies.npz`."""
        save_arrays(
            directory / "new_films.npz",
            weights=self.prior.weights,
            bias=self.prior.bias,
            numbers=np.array([self.rate, self.slope, self.offset], np.float64),
        )

    @classmethod
    def load(cls, directory: Path) -> "NewMovies":
        """Read `new_movies.npz`."""
        arrays = load_arrays(directory / "new_films.npz")
        return cls(Ridge(arrays["weights"], arrays["bias"]), *arrays["numbers"].tolist())


def with_pairs(content: Matrix) -> Matrix:
    """Return n × d content rows, genres first, followed by a column for each pair of genres.

    A movie of both is another kind of movie: what is liked of it is not the sum of the two.
    """
    genres = content[:, : len(GENRES)]
    pairs = genres[:, _PAIRS[0]] * genres[:, _PAIRS[1]]
    return np.concatenate([content, pairs], axis=1, dtype=np.float32)


def log_popularity(popularity: Floating, prior: Matrix, cold: Matrix) -> Matrix:
    """Return log(1 + positive ratings) of n rows; in cold rows the prior counts as ratings too."""
    scores: Matrix = popularity.astype(np.float32)
    rows = np.flatnonzero(cold)
    scores[rows] = np.log(np.exp(scores[rows]) + np.expm1(prior[rows]))
    return scores


def with_prior_popularity(
    rows: Matrix, movie_vectors: MovieVectors, prior: Matrix, cold: Matrix
) -> Matrix:
    """Return n × d movie vectors in which a cold movie has the popularity that is expected of it.

    Not yet known is not the same as unpopular: with 0 a new movie would resemble what nobody likes.
    """
    rows, block = rows.copy(), movie_vectors.blocks["popularity"]
    rows[:, block] = log_popularity(rows[:, block.start], prior, cold)[:, None]
    return rows
