"""Moments of all random fold-ins of few ratings, as a ridge needs them; no fold-in is drawn."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from marquee.arrays import Ints, Matrix, Reals
from marquee.features.interactions import RatingRows


@dataclass(frozen=True)
class ExpectedGram:
    """The moments of the ridge for c channels of h movies: inputs have c·h rows.

    `roots` (c·h × u): the low-rank part of E[z zᵀ]; `spread` c·h: what its diagonal has besides;
    `means` c·h: E[z];
    `total`: weight of all users; `cross` (c·h × h): E[z yᵀ] less what the intercept explains;
    `base_rate` n_movies: E[y] / total.
    """

    head: Ints
    channels: int
    roots: sparse.csr_matrix
    spread: Reals
    means: Reals
    total: float
    cross: Matrix
    base_rate: Reals

    @classmethod
    def of(
        cls, rows: RatingRows, n_movies: int, n: int, limit: int, channels: int
    ) -> "ExpectedGram":
        """Return the moments of fold-ins of n ratings over the `limit` movies rated most often."""
        head = _head(rows, n_movies, limit)
        size = rows.sizes.astype(float)
        shown = np.minimum(n, np.maximum(1, rows.sizes // 2))
        weight = size**-0.5
        pair = shown * (shown - 1) / (size * (size - 1))
        once = shown / size
        inputs = _inputs(rows, head, n_movies, channels)
        likes = _likes(rows, head, n_movies)
        means = inputs @ (weight * once)
        spread = inputs @ (weight * (once - pair))
        held_out = weight * (1 - once)
        owners, liked = rows.owners, rows.liked
        rates = np.bincount(rows.movies[liked], held_out[owners[liked]], n_movies)
        total = max(float(weight.sum()), 1e-9)
        mixed = weight * shown * (size - shown) / (size * (size - 1))
        cross = (inputs @ sparse.diags(mixed) @ likes).toarray()
        cross -= np.outer(means, rates[head] / total)
        return cls(
            head, channels, (inputs @ sparse.diags(np.sqrt(weight * pair))).tocsr(),
            spread, means, total, cross.astype(np.float32), rates / total,
        )  # fmt: skip

    @cached_property
    def moments(self) -> Matrix:
        """E[z zᵀ] less what the intercept explains, c·h × c·h: the system without its penalty."""
        moments = (self.roots @ self.roots.T).toarray()
        moments -= np.outer(self.means, self.means / self.total)
        moments[np.diag_indices_from(moments)] += self.spread
        small: Matrix = moments.astype(np.float32)
        return small


def _head(rows: RatingRows, n_movies: int, limit: int) -> Ints:
    """Return the movie rows rated most often, at least once and at most `limit`, in order of row."""
    counts = np.bincount(rows.movies, minlength=n_movies)
    chosen = np.argsort(-counts, kind="stable")[:limit]
    return np.sort(chosen[counts[chosen] > 0])


def _places(head: Ints, n_movies: int) -> Ints:
    places = np.full(n_movies, -1, np.int64)
    places[head] = np.arange(len(head))
    return places


def _inputs(rows: RatingRows, head: Ints, n_movies: int, channels: int) -> sparse.csr_matrix:
    """Return which inputs (c·h) each of u users can show: 1 or 0."""
    places = _places(head, n_movies)[rows.movies]
    channel = np.where(rows.liked, 0, channels - 1)
    known = places >= 0
    at = (channel * len(head) + places)[known]
    ones = np.ones(len(at), np.float64)
    shape = (channels * len(head), len(rows))
    return sparse.csr_matrix((ones, (at, rows.owners[known])), shape)


def _likes(rows: RatingRows, head: Ints, n_movies: int) -> sparse.csr_matrix:
    """Return which of the h movies each of u users likes, u × h."""
    places = _places(head, n_movies)[rows.movies]
    chosen = (places >= 0) & rows.liked
    ones = np.ones(int(chosen.sum()), np.float64)
    shape = (len(rows), len(head))
    return sparse.csr_matrix((ones, (rows.owners[chosen], places[chosen])), shape)
