"""Closed-form expectation of Gram matrices over random fold-ins, without sampling any."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from marquee.arrays import Ints, Mask, Matrix, Reals
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
        cls,
        rows: RatingRows,
        n_movies: int,
        n: int,
        limit: int,
        channels: int,
        time_share: float = 0.0,
    ) -> "ExpectedGram":
        """Return the moments of fold-ins of n ratings over the `limit` movies rated most often.

        Users weigh by 1 / √N, N being the number of their ratings. A share of the fold-ins are the
        first ratings in the order of time, of about n.
        """
        head = _head(rows, n_movies, limit)
        parts = []
        if time_share < 1:
            parts.append(_random_part(rows, n_movies, n, head, channels).scaled(1 - time_share))
        if time_share > 0:
            parts.append(_time_part(rows, n_movies, n, head, channels).scaled(time_share))
        return _gram(parts, head, channels)

    @cached_property
    def moments(self) -> Matrix:
        """E[z zᵀ] less the part that the intercept explains, float32 c·h × c·h."""
        moments = (self.roots @ self.roots.T).toarray()
        moments -= np.outer(self.means, self.means / self.total)
        moments[np.diag_indices_from(moments)] += self.spread
        single: Matrix = moments.astype(np.float32)
        return single


@dataclass(frozen=True)
class _Moments:
    """Sums over fold-ins, not yet centred; fields as of `ExpectedGram`, `cross` and `rates` raw."""

    roots: sparse.csr_matrix
    spread: Reals
    means: Reals
    total: float
    cross: sparse.csr_matrix
    rates: Reals

    def scaled(self, share: float) -> "_Moments":
        """Return the moments with all weights multiplied by a share."""
        return _Moments(
            self.roots * np.sqrt(share),
            self.spread * share,
            self.means * share,
            self.total * share,
            self.cross * share,
            self.rates * share,
        )


def _random_part(rows: RatingRows, n_movies: int, n: int, head: Ints, channels: int) -> _Moments:
    """Return the expected moments of random fold-ins, in closed form."""
    size = rows.sizes.astype(float)
    shown = np.minimum(n, np.maximum(1, rows.sizes // 2))
    weight = size**-0.5
    pair = shown * (shown - 1) / (size * (size - 1))
    once = shown / size
    inputs = _inputs(rows, head, n_movies, channels)
    held_out = weight * (1 - once)
    owners, liked = rows.owners, rows.liked
    mixed = weight * shown * (size - shown) / (size * (size - 1))
    return _Moments(
        roots=(inputs @ sparse.diags(np.sqrt(weight * pair))).tocsr(),
        spread=inputs @ (weight * (once - pair)),
        means=inputs @ (weight * once),
        total=max(float(weight.sum()), 1e-9),
        cross=inputs @ sparse.diags(mixed) @ _likes(rows, head, n_movies),
        rates=np.bincount(rows.movies[liked], held_out[owners[liked]], n_movies).astype(np.float64),
    )


_LENGTHS = (1 / 3, 2 / 3, 1.0, 5 / 3, 8 / 3)
"""Lengths of a user's prefixes in time, in shares of n: a service meets all of about n."""


def _time_part(rows: RatingRows, n_movies: int, n: int, head: Ints, channels: int) -> _Moments:
    """Return the moments of users' first ratings in the order of time, of several lengths."""
    parts = [_prefixes(rows, n_movies, n, share, head, channels) for share in _LENGTHS]
    return _Moments(
        roots=sparse.hstack([part.roots for part in parts]).tocsr(),
        spread=np.zeros(channels * len(head)),
        means=np.sum([part.means for part in parts], axis=0),
        total=max(float(sum(part.total for part in parts)), 1e-9),
        cross=sum((part.cross for part in parts[1:]), parts[0].cross),
        rates=np.sum([part.rates for part in parts], axis=0),
    )


def _prefixes(
    rows: RatingRows, n_movies: int, n: int, share: float, head: Ints, channels: int
) -> _Moments:
    """Return the moments of one prefix a user, of a share of n ratings."""
    sizes = rows.sizes
    half = np.minimum(n, np.maximum(1, sizes // 2))
    lengths = np.minimum(np.maximum(1, np.rint(half * share)), sizes - 1).astype(np.int64)
    owners = rows.owners
    shown = np.arange(len(owners)) - rows.starts[owners] < lengths[owners]
    weight = sizes.astype(float) ** -0.5 / len(_LENGTHS)
    inputs = _inputs(rows, head, n_movies, channels, shown)
    liked = rows.liked & ~shown
    return _Moments(
        roots=(inputs @ sparse.diags(np.sqrt(weight))).tocsr(),
        spread=np.zeros(channels * len(head)),
        means=inputs @ weight,
        total=float(weight.sum()),
        cross=inputs @ sparse.diags(weight) @ _likes(rows, head, n_movies, ~shown),
        rates=np.bincount(rows.movies[liked], weight[owners[liked]], n_movies).astype(np.float64),
    )


def _gram(parts: Sequence[_Moments], head: Ints, channels: int) -> ExpectedGram:
    """Return the moments of all parts together, less what the intercept explains."""
    total = max(sum(part.total for part in parts), 1e-9)
    means = np.sum([part.means for part in parts], axis=0)
    rates = np.sum([part.rates for part in parts], axis=0)
    cross = sum((part.cross for part in parts[1:]), parts[0].cross).toarray()
    cross -= np.outer(means, rates[head] / total)
    return ExpectedGram(
        head=head,
        channels=channels,
        roots=sparse.hstack([part.roots for part in parts]).tocsr(),
        spread=np.sum([part.spread for part in parts], axis=0),
        means=means,
        total=total,
        cross=cross.astype(np.float32),
        base_rate=rates / total,
    )


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


def _inputs(
    rows: RatingRows, head: Ints, n_movies: int, channels: int, shown: Mask | None = None
) -> sparse.csr_matrix:
    """Return the inputs of histories, or of the ratings shown of them, c·h × u: 1 or 0."""
    index = _index_in(head, n_movies)[rows.movies]
    channel = np.where(rows.liked, 0, channels - 1)
    known = index >= 0 if shown is None else (index >= 0) & shown
    inputs = (channel * len(head) + index)[known]
    ones = np.ones(len(inputs), np.float64)
    shape = (channels * len(head), len(rows))
    return sparse.csr_matrix((ones, (inputs, rows.owners[known])), shape)


def _likes(
    rows: RatingRows, head: Ints, n_movies: int, held_out: Mask | None = None
) -> sparse.csr_matrix:
    """Return the likes of u users among h movies, or those held out, u × h: 1 or 0."""
    index = _index_in(head, n_movies)[rows.movies]
    liked = (index >= 0) & rows.liked
    if held_out is not None:
        liked &= held_out
    ones = np.ones(int(liked.sum()), np.float64)
    shape = (len(rows), len(head))
    return sparse.csr_matrix((ones, (rows.owners[liked], index[liked])), shape)
