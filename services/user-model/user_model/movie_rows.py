"""How a movie's row is laid out, and how the row of a movie without ratings is predicted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from marquee.arrays import Matrix
from marquee.domain.movies import Movie
from marquee.features.content_embedding import ContentEmbedding
from marquee.features.movie_vector import MovieVectors
from marquee.scoring.preference import PreferenceScorers
from marquee.scoring.ridge import Ridge

PATIENCE = 5.0
"""After this many ratings a new movie's bonus is half of what it was."""

_LEAST = 1e-4


@dataclass(frozen=True)
class Layout:
    """The numbers of a movie's row: its taste, `factors` of ALS and then `outputs` of the
    autoencoder with their prior; the share of each of `clusters` clusters of users who liked it,
    log popularity, coldness (1: new), and the code of its `content`. All before the coldness is
    `learned` from users."""

    factors: int
    width: int
    clusters: int
    content: int

    @property
    def learned(self) -> int:
        return self.factors + self.width + self.clusters + 2

    @property
    def d(self) -> int:
        return self.learned + 1 + self.content

    def taste(self, rows: Matrix) -> Matrix:
        return rows[:, : self.factors + self.width + 1]

    def outputs(self, rows: Matrix) -> Matrix:
        return rows[:, self.factors : self.factors + self.width]

    def rates(self, rows: Matrix) -> Matrix:
        start = self.factors + self.width + 1
        return rows[:, start : start + self.clusters]

    def popularity(self, rows: Matrix) -> Matrix:
        return rows[:, self.learned - 1]

    def coldness(self, rows: Matrix) -> Matrix:
        return rows[:, self.learned]

    def codes(self, rows: Matrix) -> Matrix:
        return rows[:, self.learned + 1 :]

    def likers(self, rows: Matrix) -> npt.NDArray[np.int16]:
        """Return for each row the cluster of users that likes it most beyond the average."""
        rates = self.rates(rows)
        lifts = rates / np.maximum(rates.mean(axis=1, keepdims=True), _LEAST)
        likers: npt.NDArray[np.int16] = lifts.argmax(axis=1).astype(np.int16)
        return likers


def layout_of(taste: PreferenceScorers, learned: int, space: ContentEmbedding) -> Layout:
    """Return the layout of rows with so many numbers `learned`: what is no taste is clusters'."""
    factors, width = taste.factors.f, int(taste.autoencoder.outputs.shape[1])
    return Layout(factors, width, learned - factors - width - 2, space.e)


@dataclass(frozen=True, eq=False)
class ColdRows:
    """Predicts what users would have taught of a row from genres, year and tags."""

    vectors: MovieVectors
    ridge: Ridge
    space: ContentEmbedding
    layout: Layout

    def predict(self, movies: Sequence[Movie], ratings: npt.NDArray[np.int64]) -> Matrix:
        """Return the rows, m × d, of m movies that have so many `ratings` (m)."""
        return self.complete(self.content(movies), ratings)

    def content(self, movies: Sequence[Movie]) -> Matrix:
        """Return the content rows of m movies: nothing in them comes from ratings."""
        sums = np.zeros((len(movies), 3), np.int64)
        return self.vectors.matrix(movies, sums)[:, self.vectors.content]

    def complete(self, content: Matrix, ratings: npt.NDArray[np.int64]) -> Matrix:
        """Return m × d rows from m content rows."""
        coldness = (PATIENCE / (PATIENCE + ratings)).astype(np.float32)[:, None]
        rows: Matrix = np.hstack([self.ridge.apply(content), coldness, self.space.codes(content)])
        rates = self.layout.rates(rows)
        np.clip(rates, _LEAST, 1, out=rates)
        return rows
