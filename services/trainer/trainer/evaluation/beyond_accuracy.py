"""Beyond-accuracy metrics of lists, the second quality beside NDCG.

Popularity-weighted recall, concentration on few movies, calibration of genres, catalogue coverage,
novelty, intra-list diversity.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from marquee.arrays import Ints, Matrix, Reals, unit
from marquee.domain.genres import GENRES, multi_hot
from marquee.features.dataset import Dataset
from marquee.features.interactions import RatingRows
from marquee.features.movie_vector import MovieVectors
from marquee.training.ranking_metrics import weighted_recall_at_k

BETA = 0.5
"""Exponent of the popularity weight of a target (Steck 2011). 0 is plain recall, which popular
movies decide; with 1 each movie weighs the same in all, so that movies liked once or twice, mostly
noise, decide. One half lies between: a movie of 100 likes counts a tenth of one with a single like.
"""
_SMOOTHING = 0.01
"""Share of the history's distribution in the list's, so that the divergence is finite (Steck 2018).
"""
_HEAD = 10
"""Most shown movies whose share of the places is told."""
_CHUNK = 256
"""Lists whose movies are compared at once."""


@dataclass(frozen=True, eq=False)
class CatalogueStatistics:
    """Statistics of the n movies of a data set, as the metrics need them.

    `genres`: n × g, 1 or 0, in columns of the g `genre_names`. `codes`: n × d unit vectors of
    genres, year and tags.
    `self_information`: n, in bits. `likes`: n, positive ratings of each movie.
    """

    genres: Matrix
    codes: Matrix
    self_information: Reals
    likes: Ints
    genre_names: tuple[str, ...] = GENRES

    def __len__(self) -> int:
        return len(self.self_information)

    @classmethod
    def of(cls, dataset: Dataset) -> "CatalogueStatistics":
        """Return the statistics of a data set."""
        movies, rows = dataset.movies, RatingRows.of(dataset)
        sums = rows.sums(len(movies))
        vectors = MovieVectors.fit(movies, sums)
        codes = unit(vectors.matrix(movies, sums)[:, vectors.content])
        genres = multi_hot([movie.genres for movie in movies], vectors.genres)
        shares = (sums[:, 0] + 1) / (len(rows) + 1)
        return cls(genres, codes, -np.log2(shares), sums[:, 1], vectors.genres)

    @cached_property
    def target_weights(self) -> Reals:
        """Weight of each movie as a target, n: likes^-β, over the likes of the whole data set.

        So each target has at least one like, and a weight is the same in every split.
        """
        weights: Reals = np.maximum(self.likes, 1.0) ** -BETA
        return weights

    def weighted_recall(self, shown: Ints, targets: Sequence[Ints], k: int) -> Reals:
        """Return popularity-weighted recall@k of each list (Steck 2011).

        Args:
            shown: Lists of movie rows, m × at least k, padded with -1.
            targets: Rows of the relevant movies of each list, m.
            k: Cutoff.
        """
        return np.array(
            [
                weighted_recall_at_k(row, relevant, self.target_weights[relevant], k)
                for row, relevant in zip(shown, targets, strict=True)
            ]
        )

    def calibration(self, shown: Ints, histories: Sequence[Ints]) -> Reals:
        """Return the miscalibration of the genres of each list (Steck 2018), in nats.

        KL(p ‖ .99 q + .01 p): p is the genre distribution of the known likes, q that of the list; a
        movie spreads a weight of 1 over its genres. 0: the list has the genres in the shares of the
        likes.

        Args:
            shown: Lists of movie rows, m × k, padded with -1.
            histories: Rows of the known likes of each list's user, m.

        Returns:
            m values from 0 to 4.6; not a number for a user without likes that have genres.
        """
        genres = self.genres.astype(np.float64)
        shares = genres / np.maximum(1, genres.sum(axis=1, keepdims=True))
        divergences = np.full(len(shown), np.nan)
        for i, (row, history) in enumerate(zip(shown, histories, strict=True)):
            liked, listed = _distribution(shares[history]), _distribution(shares[row[row >= 0]])
            if liked.any():
                smoothed = (1 - _SMOOTHING) * listed + _SMOOTHING * liked
                present = liked > 0
                terms = liked[present] * np.log(liked[present] / smoothed[present])
                divergences[i] = terms.sum()
        return divergences

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
        names = enumerate(self.genre_names)
        return {name: float(covered[i] / sizes[i]) for i, name in names if sizes[i] > 0}

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


def most_shown_share(shown: Ints) -> float:
    """Return the share of lists that contain the most shown movie.

    Args:
        shown: Lists of movie rows without repetition, m × k, padded with -1.
    """
    counts = np.bincount(shown[shown >= 0])
    return float(counts.max(initial=0) / max(1, len(shown)))


def head_share(shown: Ints) -> float:
    """Return the share of all places that the ten most shown movies take.

    Args:
        shown: Lists of movie rows, m × k, padded with -1.
    """
    counts = np.sort(np.bincount(shown[shown >= 0]))[::-1]
    return float(counts[:_HEAD].sum() / max(1, counts.sum()))


def _distribution(weights: Reals) -> Reals:
    """Return the sums of r × g weights over the rows, as shares of their total; zeros of none."""
    sums = weights.sum(axis=0)
    shares: Reals = sums / max(sums.sum(), 1e-12)
    return shares


def _distinct(shown: Ints) -> Ints:
    return np.setdiff1d(shown, [-1])
