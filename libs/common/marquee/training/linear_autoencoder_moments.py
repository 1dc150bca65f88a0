"""Closed-form expectation of Gram matrices over random fold-ins, without sampling any."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from marquee.arrays import Ints, Matrix, Reals
from marquee.features.interactions import RatingRows


@dataclass(frozen=True)
class ExpectedGram:
    """Expected moments of inputs z and targets y, for c channels of h movies and u users.

    Attributes:
        head: int64 h, rows of the movies that have weights.
        channels: c.
        roots: sparse c·h × u, whose product with its transpose is the low-rank part of E[z zᵀ].
        spread: float64 c·h, the rest of its diagonal.
        means: float64 c·h, E[z].
        total: weight of all users.
        cross: float32 c·h × h, E[z yᵀ] less the part that the intercept explains.
        base_rate: float64 n_movies, E[y] / total.
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
        """Return the moments of fold-ins of n ratings over the `limit` movies rated most often.

        Users weigh by 1 / √N, N being the number of their ratings.
        """
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
            head=head,
            channels=channels,
            roots=(inputs @ sparse.diags(np.sqrt(weight * pair))).tocsr(),
            spread=spread,
            means=means,
            total=total,
            cross=cross.astype(np.float32),
            base_rate=rates / total,
        )

    @cached_property
    def moments(self) -> Matrix:
        """E[z zᵀ] less the part that the intercept explains, float32 c·h × c·h."""
        moments = (self.roots @ self.roots.T).toarray()
        moments -= np.outer(self.means, self.means / self.total)
        moments[np.diag_indices_from(moments)] += self.spread
        single: Matrix = moments.astype(np.float32)
        return single


def _head(rows: RatingRows, n_movies: int, limit: int) -> Ints:
    """Return the rows of at most `limit` movies rated most often, at least once; ascending."""
    counts = np.bincount(rows.movies, minlength=n_movies)
    head = np.argsort(-counts, kind="stable")[:limit]
    return np.sort(head[counts[head] > 0])


def _index_in(head: Ints, n_movies: int) -> Ints:
    """Return the index of each of n_movies rows in `head`, -1 where it is not there."""
    index = np.full(n_movies, -1, np.int64)
    index[head] = np.arange(len(head))
    return index


def _inputs(rows: RatingRows, head: Ints, n_movies: int, channels: int) -> sparse.csr_matrix:
    """Return the inputs of whole histories, c·h × u: 1 or 0."""
    index = _index_in(head, n_movies)[rows.movies]
    channel = np.where(rows.liked, 0, channels - 1)
    known = index >= 0
    inputs = (channel * len(head) + index)[known]
    ones = np.ones(len(inputs), np.float64)
    shape = (channels * len(head), len(rows))
    return sparse.csr_matrix((ones, (inputs, rows.owners[known])), shape)


def _likes(rows: RatingRows, head: Ints, n_movies: int) -> sparse.csr_matrix:
    """Return the likes of u users among h movies, u × h: 1 or 0."""
    index = _index_in(head, n_movies)[rows.movies]
    liked = (index >= 0) & rows.liked
    ones = np.ones(int(liked.sum()), np.float64)
    shape = (len(rows), len(head))
    return sparse.csr_matrix((ones, (rows.owners[liked], index[liked])), shape)
