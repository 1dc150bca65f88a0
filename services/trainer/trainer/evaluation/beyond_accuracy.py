"""What lists show of a catalogue: how much of it, how little known, and how unlike each other."""

from dataclasses import dataclass

import numpy as np

from marquee.arrays import Ints, Matrix, Reals, unit
from marquee.domain.movies import GENRES, genre_mask, genre_matrix
from marquee.features.dataset import Dataset
from marquee.features.interactions import RatingRows
from marquee.features.movie_vector import MovieVectors

_CHUNK = 256
"""Lists whose movies are compared at once."""


@dataclass(frozen=True, eq=False)
class CatalogueStatistics:
    """The movies of a data set: `genres` n × 19 (1 or 0), unit `codes` n × d of genres, year and
    tags, and `surprise` n: bits that one learns when somebody turns out to have rated the movie."""

    genres: Matrix
    codes: Matrix
    surprise: Reals

    def __len__(self) -> int:
        return len(self.surprise)

    @classmethod
    def of(cls, dataset: Dataset) -> "CatalogueStatistics":
        """Return the catalogue of a data set."""
        movies, rows = dataset.movies, RatingRows.of(dataset)
        sums = rows.sums(len(movies))
        vectors = MovieVectors.fit(movies, sums)
        codes = unit(vectors.matrix(movies, sums)[:, vectors.content])
        masks = np.array([genre_mask(movie.genres) for movie in movies], np.uint32)
        shares = (sums[:, 0] + 1) / (len(rows) + 1)
        return cls(genre_matrix(masks), codes, -np.log2(shares))

    def coverage(self, shown: Ints) -> float:
        """Return the share of the movies that are in any of m lists (movie rows, -1: none)."""
        return len(_distinct(shown)) / len(self) if len(self) else 0.0

    def coverage_by_genre(self, shown: Ints) -> dict[str, float]:
        """Return the share of each genre's movies that are in any of m lists; genres with movies."""
        sizes = self.genres.sum(axis=0)
        covered = self.genres[_distinct(shown)].sum(axis=0)
        return {name: float(covered[i] / sizes[i]) for i, name in enumerate(GENRES) if sizes[i] > 0}

    def novelty(self, shown: Ints) -> Reals:
        """Return the mean surprise of the movies of each of m lists, in bits (Zhou et al. 2010)."""
        there = shown >= 0
        bits: Reals = np.where(there, self.surprise[shown], 0.0).sum(axis=1)
        means: Reals = bits / np.maximum(1, there.sum(axis=1))
        return means

    def diversity(self, shown: Ints) -> Reals:
        """Return for each of m lists the mean of 1 - cosine over its pairs of movies (Ziegler et al.
        2005); 0 for a list of one movie."""
        found = np.zeros(len(shown))
        for start in range(0, len(shown), _CHUNK):
            chunk = shown[start : start + _CHUNK]
            there = chunk >= 0
            codes = self.codes[chunk] * there[:, :, None]
            n = there.sum(axis=1)
            # The cosines of all pairs, each twice, and of each movie with itself.
            total = (codes.sum(axis=1) ** 2).sum(axis=1)
            own = (codes**2).sum(axis=(1, 2))
            pairs = np.maximum(1, n * (n - 1))
            found[start : start + _CHUNK] = np.where(n > 1, 1 - (total - own) / pairs, 0.0)
        return found


def _distinct(shown: Ints) -> Ints:
    return np.setdiff1d(shown, [-1])
