"""Layout of a movie's row, and the row that content predicts of a movie without ratings."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from marquee.arrays import Ints, Matrix, Vector
from marquee.domain.movies import Movie
from marquee.features.content_embedding import ContentEmbedding
from marquee.features.movie_vector import MovieVectors
from marquee.features.row_layout import RowLayout
from marquee.scoring.ridge import Ridge
from marquee.scoring.scorers.preference import PreferenceScorers

COLDNESS_HALVED_AT = 5.0
"""After this many ratings the cold-start offset of a new movie is half of what it was."""

_MIN_RATE = 1e-4


@dataclass(frozen=True)
class UserModelRowLayout:
    """The columns of a movie's row.

    The row of the preference scorers: ALS factor (`factors`), autoencoder output (`width`) and its
    prior, the same of the autoencoder of first ratings (`first`; 0: there is none); the share of
    each of `clusters` user clusters who liked the movie, log popularity, coldness (1: without
    ratings, falling to 0 with them), and the code of its `content`. All that precedes the coldness
    is `learned` from users.
    """

    factors: int
    width: int
    clusters: int
    content: int
    first: int = 0

    @classmethod
    def of(
        cls, preference: PreferenceScorers, learned: int, embedding: ContentEmbedding
    ) -> "UserModelRowLayout":
        """Return the layout of rows with `learned` columns: clusters are what the rest leaves."""
        factors, width = preference.factors.f, preference.autoencoder.e
        first = 0 if preference.first is None else preference.first.e
        return cls(factors, width, learned - preference.d - 1, embedding.e, first)

    @cached_property
    def columns(self) -> RowLayout:
        """The columns by name."""
        return RowLayout(
            factor=self.factors,
            output=self.width,
            output_prior=1,
            first_output=self.first,
            first_prior=int(self.first > 0),
            rates=self.clusters,
            popularity=1,
            coldness=1,
            code=self.content,
        )

    @property
    def learned(self) -> int:
        """Number of columns, the first ones, that are learned from users."""
        return self.columns.start("coldness")

    @property
    def d(self) -> int:
        """Length of a row."""
        return self.columns.width

    def outputs(self, rows: Matrix) -> Matrix:
        """Return the autoencoder's outputs, m × width, a view."""
        return self.columns.block(rows, "output")

    def first_outputs(self, rows: Matrix) -> Matrix:
        """Return the outputs of the autoencoder of first ratings, m × first, a view."""
        return self.columns.block(rows, "first_output")

    def rates(self, rows: Matrix) -> Matrix:
        """Return the share of each cluster's users who liked the movies, m × clusters, a view."""
        return self.columns.block(rows, "rates")

    def popularity(self, rows: Matrix) -> Vector:
        """Return log(1 + positive ratings), m; predicted where nobody has rated the movie."""
        return self.columns.column(rows, "popularity")

    def coldness(self, rows: Matrix) -> Vector:
        """Return the coldness, m, a view."""
        return self.columns.column(rows, "coldness")

    def codes(self, rows: Matrix) -> Matrix:
        """Return the codes of the movies' content, m × content."""
        return self.columns.block(rows, "code")

    def fan_clusters(self, rows: Matrix) -> npt.NDArray[np.int16]:
        """Return for each row the user cluster that likes it most beyond the average, m."""
        rates = self.rates(rows)
        lifts = rates / np.maximum(rates.mean(axis=1, keepdims=True), _MIN_RATE)
        clusters: npt.NDArray[np.int16] = lifts.argmax(axis=1).astype(np.int16)
        return clusters


@dataclass(frozen=True, eq=False)
class ColdRows:
    """Predicts what users would have taught of a row from genres, year and tags."""

    vectors: MovieVectors
    ridge: Ridge
    embedding: ContentEmbedding
    layout: UserModelRowLayout

    def predict(self, movies: Sequence[Movie], ratings: Ints) -> Matrix:
        """Return the rows, m × d, of m movies with this many `ratings` each (m)."""
        return self.complete(self.content(movies), ratings)

    def content(self, movies: Sequence[Movie]) -> Matrix:
        """Return the content rows of m movies: nothing in them comes from ratings."""
        sums = np.zeros((len(movies), 3), np.int64)
        return self.vectors.matrix(movies, sums)[:, self.vectors.content]

    def complete(self, content: Matrix, ratings: Ints) -> Matrix:
        """Return m × d rows from m content rows."""
        coldness = COLDNESS_HALVED_AT / (COLDNESS_HALVED_AT + ratings)
        rows: Matrix = np.hstack(
            [
                self.ridge.apply(content),
                coldness.astype(np.float32)[:, None],
                self.embedding.codes(content),
            ]
        )
        rates = self.layout.rates(rows)
        np.clip(rates, _MIN_RATE, 1, out=rates)
        return rows
