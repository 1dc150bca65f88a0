"""How a movie's row is laid out, and what stands in it for a movie that nobody had rated."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from marquee.arrays import Matrix
from marquee.domain.movies import Movie
from marquee.features.movie_vector import MovieVectors
from marquee.features.pipeline import Pipeline
from marquee.scoring.ridge import Ridge
from neural.rating_predictor import NetworkMovieVectors, RatingPredictor

_NUMBERS = 7


@dataclass(frozen=True)
class Layout:
    """The numbers of a movie's row: vector of the RatingPredictor (`d`), output of the autoencoder
    (`width`) and its prior; bias, correction, log(1 + ratings), mean in stars, log popularity,
    coldness (1: new, nobody had rated it)."""

    d: int
    width: int

    @property
    def size(self) -> int:
        return self.d + self.width + _NUMBERS

    def outputs(self, rows: Matrix) -> Matrix:
        return rows[:, self.d : self.d + self.width]

    def prior(self, rows: Matrix) -> Matrix:
        return rows[:, -7]

    def rated(self, rows: Matrix) -> NetworkMovieVectors:
        """Return what the RatingPredictor takes."""
        return NetworkMovieVectors(rows[:, : self.d], rows[:, -6], rows[:, -5], rows[:, -4])

    def means(self, rows: Matrix) -> Matrix:
        return rows[:, -3]

    def popularity(self, rows: Matrix) -> Matrix:
        return rows[:, -2]

    def coldness(self, rows: Matrix) -> Matrix:
        return rows[:, -1]

    def join(self, movies: NetworkMovieVectors, preference: Matrix, others: Matrix) -> Matrix:
        """Return m × size rows: `preference` is output and prior; `others` mean to coldness."""
        numbers = np.stack([movies.biases, movies.corrections, movies.log_counts], axis=1)
        rows: Matrix = np.concatenate(
            [movies.vectors, preference, numbers, others], axis=1, dtype=np.float32
        )
        return rows


@dataclass(frozen=True, eq=False)
class NetworkMovieRows:
    """Movie → vector → scaler → encoder → KMeans, and the row that content alone predicts.

    `ridge` predicts from content: the autoencoder's output, its prior, log popularity.
    """

    vectors: MovieVectors
    pipeline: Pipeline
    ridge: Ridge
    layout: Layout

    def raw(self, movies: tuple[Movie, ...] | list[Movie]) -> Matrix:
        """Return the raw vectors of m movies: genres, year, tags."""
        sums = np.zeros((len(movies), 3), np.int64)
        return self.vectors.matrix(movies, sums)[:, self.vectors.content]

    def cold(self, raw: Matrix, predictor: RatingPredictor) -> tuple[Matrix, npt.NDArray[np.int16]]:
        """Return rows and clusters of m movies with raw vectors that nobody has rated."""
        content, clusters = self.pipeline.apply(raw)
        return self.cold_rows(content, self.ridge.apply(raw), predictor), clusters

    def cold_rows(self, content: Matrix, predicted: Matrix, predictor: RatingPredictor) -> Matrix:
        """Return the rows of m movies without ratings, with what the ridge predicts of them."""
        zeros = np.zeros(len(content), np.float32)
        vectors = predictor.movies(content)
        others = np.stack(
            [zeros + np.float32(predictor.mean), np.maximum(predicted[:, -1], 0), zeros + 1], axis=1
        )
        movies = NetworkMovieVectors(vectors, zeros, zeros, zeros)
        return self.layout.join(movies, predicted[:, :-1], others)
