"""Layout of a movie's row, and the row that content predicts of a movie without ratings."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from marquee.arrays import Matrix, Vector, load_arrays, save_arrays
from marquee.domain.movies import Movie
from marquee.features.content_embedding import ContentEmbedding
from marquee.features.movie_vector import MovieVectors
from marquee.features.pipeline import Pipeline
from marquee.features.row_layout import RowLayout
from marquee.scoring.ridge import Ridge
from neural.rating_predictor import NetworkMovieVectors, RatingPredictor


@dataclass(frozen=True)
class NeuralRowLayout:
    """The columns of a movie's row.

    The RatingPredictor's vector (`d`), output and prior of the autoencoder (`width` + 1) and of
    that of first ratings (`first_width` + 1), the ALS factor (`factors`), six numbers: bias,
    correction, log(1 + ratings), mean in stars, log popularity, and coldness (1: added after the
    training, so that nobody could have rated it; else 0), and the code of its content (`codes`).
    Bundles of before have no first ratings, or neither factor nor code.
    """

    d: int
    width: int
    first_width: int = 0
    factors: int = 0
    codes: int = 0

    @cached_property
    def columns(self) -> RowLayout:
        """The columns by name."""
        return RowLayout(
            vector=self.d,
            output=self.width,
            prior=1,
            first_output=self.first_width,
            first_prior=int(self.first_width > 0),
            factor=self.factors,
            bias=1,
            correction=1,
            log_count=1,
            mean=1,
            popularity=1,
            coldness=1,
            code=self.codes,
        )

    def outputs(self, rows: Matrix) -> Matrix:
        """Return the autoencoder's outputs, m × width."""
        return self.columns.block(rows, "output")

    def prior(self, rows: Matrix) -> Vector:
        """Return the autoencoder's priors, m."""
        return self.columns.column(rows, "prior")

    def first_outputs(self, rows: Matrix) -> Matrix:
        """Return the outputs of the autoencoder of first ratings, m × first_width."""
        return self.columns.block(rows, "first_output")

    def first_prior(self, rows: Matrix) -> Vector:
        """Return the priors of the autoencoder of first ratings, m."""
        return self.columns.column(rows, "first_prior")

    def factor(self, rows: Matrix) -> Matrix:
        """Return the ALS factors, m × factors."""
        return self.columns.block(rows, "factor")

    def code(self, rows: Matrix) -> Matrix:
        """Return the unit codes of the content, m × codes."""
        return self.columns.block(rows, "code")

    def preference(self, rows: Matrix) -> Matrix:
        """Return outputs and priors of both autoencoders, and factors, side by side."""
        block = slice(self.columns.start("output"), self.columns.start("bias"))
        preference: Matrix = rows[..., block]
        return preference

    def rating_inputs(self, rows: Matrix) -> NetworkMovieVectors:
        """Return the movies as the RatingPredictor takes them."""
        columns = self.columns
        return NetworkMovieVectors(
            columns.block(rows, "vector"),
            columns.column(rows, "bias"),
            columns.column(rows, "correction"),
            columns.column(rows, "log_count"),
        )

    def means(self, rows: Matrix) -> Vector:
        """Return the movies' mean ratings in stars, m."""
        return self.columns.column(rows, "mean")

    def popularity(self, rows: Matrix) -> Vector:
        """Return log(1 + positive ratings), m; predicted where nobody has rated the movie."""
        return self.columns.column(rows, "popularity")

    def coldness(self, rows: Matrix) -> Vector:
        """Return a view of the coldness, m, which may be assigned."""
        return self.columns.column(rows, "coldness")

    @property
    def preference_width(self) -> int:
        """Numbers of a movie that `preference` returns."""
        return self.columns.start("bias") - self.columns.start("output")

    def join(
        self, movies: NetworkMovieVectors, preference: Matrix, others: Matrix, codes: Matrix
    ) -> Matrix:
        """Return m rows.

        Args:
            movies: The movies to the RatingPredictor.
            preference: Outputs and priors of both autoencoders, and factors, as of `preference`.
            others: Mean in stars, log popularity and coldness, m × 3.
            codes: Of the content, m × codes.
        """
        numbers = np.stack([movies.biases, movies.corrections, movies.log_counts], axis=1)
        rows: Matrix = np.concatenate(
            [movies.vectors, preference, numbers, others, codes], axis=1, dtype=np.float32
        )
        return rows


@dataclass(frozen=True, eq=False)
class NetworkMovieRows:
    """Movie → vector → scaler → encoder → KMeans, and the row that content alone predicts.

    `ridge` predicts from content: outputs and priors of the autoencoders, factors, log popularity.
    """

    vectors: MovieVectors
    pipeline: Pipeline
    ridge: Ridge
    layout: NeuralRowLayout
    embedding: ContentEmbedding | None = None

    def save(self, directory: Path) -> None:
        """Write the files of the movie vectors and of the pipeline, and `new_films.npz`."""
        self.vectors.save(directory)
        self.pipeline.save(directory)
        save_arrays(directory / "new_films.npz", weights=self.ridge.weights, bias=self.ridge.bias)
        if self.embedding is not None:
            self.embedding.save(directory)

    @classmethod
    def load(cls, directory: Path, layout: NeuralRowLayout) -> "NetworkMovieRows":
        """Read what `save` wrote."""
        ridge = load_arrays(directory / "new_films.npz")
        return cls(
            MovieVectors.load(directory),
            Pipeline.load(directory),
            Ridge(ridge["weights"], ridge["bias"]),
            layout,
            ContentEmbedding.load(directory) if layout.codes else None,
        )

    def raw(self, movies: Sequence[Movie]) -> Matrix:
        """Return the raw vectors of m movies: genres, year, tags."""
        sums = np.zeros((len(movies), 3), np.int64)
        return self.vectors.matrix(movies, sums)[:, self.vectors.content]

    def cold(self, raw: Matrix, predictor: RatingPredictor) -> tuple[Matrix, npt.NDArray[np.int16]]:
        """Return rows and clusters of m movies without ratings, from their raw vectors."""
        content, clusters = self.pipeline.apply(raw)
        return self.cold_rows(content, self.ridge.apply(raw), self.codes(raw), predictor), clusters

    def codes(self, raw: Matrix) -> Matrix:
        """Return the codes of the content, m × codes, of raw vectors; none in older bundles."""
        if self.embedding is None:
            return np.zeros((len(raw), 0), np.float32)
        return self.embedding.codes(raw)

    def cold_rows(
        self, content: Matrix, predicted: Matrix, codes: Matrix, predictor: RatingPredictor
    ) -> Matrix:
        """Return the rows of m movies without ratings.

        Args:
            content: Encoded content, m × c: the RatingPredictor predicts a movie's vector from it.
            predicted: What the ridge predicts, m rows: outputs, priors, factors, log popularity.
            codes: Codes of the content, m × codes.
            predictor: The RatingPredictor.
        """
        zeros = np.zeros(len(content), np.float32)
        vectors = predictor.movies(content)
        others = np.stack(
            [zeros + np.float32(predictor.mean), np.maximum(predicted[:, -1], 0), zeros + 1], axis=1
        )
        movies = NetworkMovieVectors(vectors, zeros, zeros, zeros)
        return self.layout.join(movies, predicted[:, :-1], others, codes)
