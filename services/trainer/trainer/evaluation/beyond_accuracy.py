"""Beyond-accuracy metrics of lists: catalogue coverage, novelty, intra-list diversity."""

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
    """Statistics of the n movies of a data set, as the metrics need them.

    `genres`: n × 19, 1 or 0. `codes`: n × d unit vectors of genres, year and tags.
    `self_information`: n, in bits.
    """

    genres: Matrix
    codes: Matrix
    self_information: Reals

    def __len__(self) -> int:
        return len(self.self_information)

    @classmethod
    def of(cls, dataset: Dataset) -> "CatalogueStatistics":
        """Return the statistics of a data set."""
        movies, rows = dataset.movies, RatingRows.of(dataset)
        sums = rows.sums(len(movies))
        vectors = MovieVectors.fit(movies, sums)
        codes = unit(vectors.matrix(movies, sums)[:, vectors.content])
        masks = np.array([genre_mask(movie.genres) for movie in movies], np.uint32)
        shares = (sums[:, 0] + 1) / (len(rows) + 1)
        return cls(genre_matrix(masks), codes, -np.log2(shares))

    def coverage(self, shown: Ints) -> float:
        """Return the catalogue coverage: the share of the n movies that are in any list.

        Args:
            shown: Lists of movie rows, m × k, padded with -1.
        """
        return len(_distinct(shown)) / len(self) if len(self) else 0.0

    def coverage_by_genre(self, shown: Ints) -> dict[str, float]:
        """Return the share of each genre's movies in any of m lists, of genres with movies."""
        sizes = self.genres.sum(axis=0)
        covered = self.genres[_distinct(shown)].sum(axis=0)
        return {name: float(covered[i] / sizes[i]) for i, name in enumerate(GENRES) if sizes[i] > 0}

    def novelty(self, shown: Ints) -> Reals:
        """Return the mean self-information of the movies of each list, in bits.

        Self-information of a movie: -log2 of the share of users who rated it, with one more user
        who rated all (Zhou et al. 2010; Vargas & Castells 2011).

        Args:
            shown: Lists of movie rows, m × k, padded with -1.

        Returns:
            m values; 0 for an empty list.
        """
        present = shown >= 0
        bits: Reals = np.where(present, self.self_information[shown], 0.0).sum(axis=1)
        means: Reals = bits / np.maximum(1, present.sum(axis=1))
        return means

    def diversity(self, shown: Ints) -> Reals:
        """Return the intra-list diversity of each list (Ziegler et al. 2005).

        It is the mean of 1 - cosine of the movies' codes over all pairs of the list.

        Args:
            shown: Lists of movie rows, m × k, padded with -1.

        Returns:
            m values; 0 for a list of fewer than two movies.
        """
        diversities = np.zeros(len(shown))
        for start in range(0, len(shown), _CHUNK):
            chunk = shown[start : start + _CHUNK]
            present = chunk >= 0
            codes = self.codes[chunk] * present[:, :, None]
            n = present.sum(axis=1)
            # The cosines of all pairs, each twice, and of each movie with itself.
            total = (codes.sum(axis=1) ** 2).sum(axis=1)
            own = (codes**2).sum(axis=(1, 2))
            pairs = np.maximum(1, n * (n - 1))
            diversities[start : start + _CHUNK] = np.where(n > 1, 1 - (total - own) / pairs, 0.0)
        return diversities


def _distinct(shown: Ints) -> Ints:
    return np.setdiff1d(shown, [-1])
