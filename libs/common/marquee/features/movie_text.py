"""Text of movies as numbers: reduced TF-IDF of overviews, people, keywords and moods."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from marquee.arrays import Ints, Matrix, Vector, load_arrays, save_arrays
from marquee.domain.movie_fields import KINDS
from marquee.domain.movies import Movie

_FILE = "movie_text.npz"
_WORD = re.compile(r"[^\W\d_]{3,}")
_OVERVIEW = "overview"


def movie_terms(movie: Movie) -> Iterator[Counter[str]]:
    """Yield the terms of the overview and those of the free tags, with their numbers.

    A term begins with the field that it is of: a person is no word of an overview.
    """
    words = _WORD.findall((movie.overview or "").casefold())
    yield Counter(f"{_OVERVIEW}:{word}" for word in words)
    yield Counter(
        f"{kind}:{' '.join(name.casefold().split())}"
        for kind in KINDS
        for name in getattr(movie, kind) or ()
    )


@dataclass(frozen=True, eq=False)
class MovieText:
    """Encoder of movies' texts.

    Attributes:
        terms: t terms (`movie_terms`).
        rarity: float32 t, their inverse document frequencies.
        components: float32 t × w, the reduction.
    """

    terms: tuple[str, ...]
    rarity: Vector
    components: Matrix

    @property
    def width(self) -> int:
        """Columns of a row."""
        return int(self.components.shape[1])

    def rows(self, movies: Sequence[Movie]) -> Matrix:
        """Return the reduced rows, float32 n × w; zeros for a movie without a known term."""
        rows = np.zeros((len(movies), self.width), np.float32)
        for row, movie in zip(rows, movies, strict=True):
            columns, values = self.weighted_terms(movie)
            row[:] = values @ self.components[columns]
        return rows

    def weighted_terms(self, movie: Movie) -> tuple[Ints, Vector]:
        """Return the columns of a movie's terms and their TF-IDF.

        That of the overview and that of the free tags have length 1 each: a long overview is not
        to outweigh who made a movie.
        """
        columns: list[int] = []
        values: list[Vector] = []
        for counts in movie_terms(movie):
            known = {self._columns[t]: n for t, n in counts.items() if t in self._columns}
            if known:
                places, numbers = [*known], [*known.values()]
                weights = (1 + np.log(numbers)) * self.rarity[places]
                columns += places
                values.append(weights / np.linalg.norm(weights))
        joined = np.concatenate(values) if values else np.zeros(0)
        return np.array(columns, np.int64), joined.astype(np.float32)

    def save(self, directory: Path) -> None:
        """Write `movie_text.npz`; the terms are bytes, one a line, as their lengths differ."""
        terms = np.frombuffer("\n".join(self.terms).encode(), np.uint8)
        save_arrays(directory / _FILE, terms=terms, rarity=self.rarity, components=self.components)

    @classmethod
    def load(cls, directory: Path) -> "MovieText | None":
        """Read `movie_text.npz`; None where the training data had no texts."""
        if not (directory / _FILE).is_file():
            return None
        arrays = load_arrays(directory / _FILE)
        terms = arrays["terms"].tobytes().decode().split("\n")
        return cls(tuple(terms), arrays["rarity"], arrays["components"])

    @cached_property
    def _columns(self) -> dict[str, int]:
        return {term: i for i, term in enumerate(self.terms)}
