"""Movie vectors: genres, year, tag relevance, texts, mean rating and popularity as numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from marquee.arrays import Ints, Mask, Matrix, Reals, Vector, load_arrays, save_arrays
from marquee.domain.genres import (
    GENRES,
    catalogue_genres,
    genre_arrays,
    genres_from_arrays,
    multi_hot,
)
from marquee.domain.movies import Movie
from marquee.features.movie_text import MovieText
from marquee.features.popularity import SHRINKAGE
from marquee.features.row_layout import RowLayout

_FILE = "movies_vector.npz"
_YEARS = (1930, 1950, 1960, 1970, 1980, 1990, 2000, 2010, 2020)
_SHARES = {
    "genres": 0.35, "year": 0.1, "tags": 0.52, "text": 0.4, "rating": 0.02, "popularity": 0.01,
}  # fmt: skip
"""Share of each block in the variance of scaled vectors: equal fame is little likeness. That of
texts comes on top, where there are any."""
_WIDTH = 10.0
"""Standard deviation, in years, of the bell around each centre."""


@dataclass(frozen=True, eq=False)
class MovieVectors:
    """Vectoriser of movies.

    Blocks of a vector, in order: genres (multi-hot), year (radial basis functions around fixed
    years, all 0 when unknown), tags (relevance), text (reduced overview and free tags, of no column
    where the catalogue had none), rating (shrunk mean in stars, less μ), popularity (log(1 +
    positive ratings)).

    Attributes:
        tags: the fitted vocabulary.
        mean_rating: μ, the mean of all ratings in stars.
        genres: those of the catalogue at the training; another one has no column.
        text: encoder of texts; None where the catalogue had none.
    """

    tags: tuple[str, ...]
    mean_rating: float
    genres: tuple[str, ...] = GENRES
    text: MovieText | None = None

    @classmethod
    def fit(
        cls, movies: Sequence[Movie], sums: Ints, max_tags: int = 1200, min_movies: int = 3
    ) -> "MovieVectors":
        """Return the vectoriser with the tags of most relevance that `min_movies` movies have.

        Args:
            movies: n movies.
            sums: int64 n × 3: ratings, positive ratings, half stars of each movie.
            max_tags: limit of the vocabulary.
            min_movies: movies that a tag needs.
        """
        movies_with: dict[str, int] = {}
        relevance: dict[str, float] = {}
        for movie in movies:
            for tag, value in movie.tags.items():
                movies_with[tag] = movies_with.get(tag, 0) + 1
                relevance[tag] = relevance.get(tag, 0.0) + value
        common = [tag for tag, n in movies_with.items() if n >= min_movies]
        chosen = sorted(common, key=lambda tag: (-relevance[tag], tag))[:max_tags]
        n, _, half = sums.sum(axis=0) if len(sums) else (0, 0, 0)
        genres = catalogue_genres(movie.genres for movie in movies)
        return cls(tuple(sorted(chosen)), float(half / (2 * n)) if n else 3.5, genres)

    @property
    def d(self) -> int:
        """Length of a vector."""
        return self.blocks.width

    @cached_property
    def blocks(self) -> RowLayout:
        """Layout of a vector."""
        return RowLayout(
            genres=len(self.genres),
            year=len(_YEARS),
            tags=len(self.tags),
            text=self.text.width if self.text else 0,
            rating=1,
            popularity=1,
        )

    @property
    def content(self) -> slice:
        """Columns of genres, year, tags and text, which need no ratings."""
        return slice(0, self.blocks["text"].stop)

    def vector(self, movie: Movie, sums: tuple[int, int, int] = (0, 0, 0)) -> Vector:
        """Return the vector of one movie with its sums (ratings, positive ratings, half stars)."""
        row: Vector = self.matrix([movie], np.array([sums], np.int64))[0]
        return row

    def matrix(self, movies: Sequence[Movie], sums: Ints) -> Matrix:
        """Return the vectors, float32 n × d, of n movies with their sums, n × 3."""
        rows = np.zeros((len(movies), self.d), np.float32)
        rows[:, self.blocks["genres"]] = multi_hot([movie.genres for movie in movies], self.genres)
        rows[:, self.blocks["year"]] = _year_bells([movie.year for movie in movies])
        self._put_tags(movies, rows[:, self.blocks["tags"]])
        if self.text:
            rows[:, self.blocks["text"]] = self.text.rows(movies)
        n, positive, half = sums.T
        mean = (half / 2 + SHRINKAGE * self.mean_rating) / (n + SHRINKAGE)
        rows[:, self.blocks["rating"]] = (mean - self.mean_rating)[:, None]
        rows[:, self.blocks["popularity"]] = np.log1p(positive)[:, None]
        return rows

    def column_weights(self, total: float) -> Reals:
        """Return weights of the standardised columns, d: the blocks share the variance `total`."""
        weights = np.zeros(self.d)
        for name, block in self.blocks.items():
            size = max(1, block.stop - block.start)
            weights[block] = np.sqrt(total * _SHARES[name] / size)
        return weights

    def variance_floor(self, rows: Matrix) -> Reals:
        """Return the variance to add to each column before scaling, d.

        Tags get the mean variance of the tag columns in `rows` (n × d), texts likewise, other
        columns 0. Otherwise a tag of three movies, scaled to variance 1, would outweigh any genre.
        """
        floor = np.zeros(self.d)
        for name in ("tags", "text"):
            block = self.blocks[name]
            if block.stop > block.start and len(rows):
                floor[block] = rows[:, block].var(axis=0).mean()
        return floor

    def has_tags(self, rows: Matrix) -> Mask:
        """Return which of n × d vectors have any tag of the vocabulary, bool n."""
        return np.asarray((rows[:, self.blocks["tags"]] > 0).any(axis=1), bool)

    def save(self, directory: Path) -> None:
        """Write `movies_vector.npz`, and `movie_text.npz` where there are texts."""
        arrays = {"tags": np.array(self.tags, np.str_), "mean_rating": np.array(self.mean_rating)}
        save_arrays(directory / _FILE, **arrays, **genre_arrays(self.genres))
        if self.text:
            self.text.save(directory)

    @classmethod
    def load(cls, directory: Path) -> "MovieVectors":
        """Read what `save` wrote."""
        arrays = load_arrays(directory / _FILE)
        tags, text = tuple(arrays["tags"].tolist()), MovieText.load(directory)
        return cls(tags, float(arrays["mean_rating"]), genres_from_arrays(arrays), text)

    @cached_property
    def _columns(self) -> Mapping[str, int]:
        return {tag: i for i, tag in enumerate(self.tags)}

    def _put_tags(self, movies: Sequence[Movie], block: Matrix) -> None:
        for i, movie in enumerate(movies):
            for tag, value in movie.tags.items():
                if (column := self._columns.get(tag)) is not None:
                    block[i, column] = value


def _year_bells(years: Sequence[int | None]) -> Matrix:
    """Return exp(-(year - centre)² / 2·10²) for each centre, n × 9; zeros for an unknown year."""
    known = np.array([year is not None for year in years], bool)
    values = np.array([year or 0 for year in years], np.float32)
    clipped = np.clip(values, _YEARS[0], _YEARS[-1])[:, None]
    bells = np.exp(-((clipped - np.array(_YEARS)) ** 2) / (2 * _WIDTH**2)) * known[:, None]
    return np.asarray(bells, np.float32)
