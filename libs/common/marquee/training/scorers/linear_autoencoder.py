"""Fit of the linear autoencoder: a ridge regression in expectation over random fold-ins.

Inputs z of a user with N ratings are a random n of them (liked movies in one channel, the others in
a second); targets y are the liked movies left out. Over all draws E[z zᵀ] is n(n-1)/N(N-1) off the
diagonal and n/N on it, and E[z yᵀ] is n(N-n)/N(N-1), so no draw is made: this is EDLAE (Steck 2020,
Autoencoders that don't overfit towards the Identity), with sampled sizes in place of dropout. A
movie's own weights are constrained to 0, as in EASE (Steck 2019, Embarrassingly Shallow
Autoencoders); the intercept is free and carries popularity.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy import linalg

from marquee.arrays import Ints, Matrix
from marquee.features.interactions import RatingRows
from marquee.scoring.scorers.linear_autoencoder import LinearAutoencoder
from marquee.training.scorers.linear_autoencoder_moments import ExpectedGram

_BLOCK = 512


class LinearAutoencoderConfig(BaseModel):
    """Size of the fold-ins that the model is fitted to, and limits of its own size."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n: int = Field(3, ge=1)
    """Ratings in a fold-in."""
    time_share: float = Field(0.0, ge=0, le=1)
    """Share of fold-ins that are the first ratings in the order of time; others are random."""
    penalty: float = Field(1.0, gt=0)
    """Ridge penalty on the weights."""
    head: int = Field(2500, ge=1)
    """Movies with weights at most, those rated most often; channels · head unknowns are solved."""
    kept: int = Field(300, ge=1)
    """Weights kept of each input, those with the largest absolute values."""
    channels: int = Field(2, ge=1, le=2)
    """2: liked and not liked apart. 1: a movie counts as seen, whatever its rating."""
    max_users: int = Field(50_000, ge=1)
    """With more users, a sample is taken."""


def fit_linear_autoencoder(
    rows: RatingRows, n_movies: int, config: LinearAutoencoderConfig, seed: int = 0
) -> LinearAutoencoder:
    """Return the model of n_movies movie rows, fitted to users' ratings; `seed` samples users."""
    sample = _sample(rows, config.max_users, seed)
    gram = ExpectedGram.of(
        sample, n_movies, config.n, config.head, config.channels, config.time_share
    )
    weights = _solve(gram, config.penalty)
    intercept = gram.base_rate.copy()
    intercept[gram.head] -= (gram.means @ weights) / gram.total
    width = min(config.kept, len(gram.head))
    columns, values = _largest(weights, width)
    inputs = np.full(n_movies, -1, np.int32)
    inputs[gram.head] = np.arange(len(gram.head))
    shape = (config.channels, len(gram.head), width)
    return LinearAutoencoder(
        intercept.astype(np.float32),
        inputs,
        gram.head[columns].astype(np.int32).reshape(shape),
        values.reshape(shape),
    )


def _sample(rows: RatingRows, max_users: int, seed: int) -> RatingRows:
    """Return the ratings of users with two or more, of at most max_users of them."""
    users = np.flatnonzero(rows.sizes >= 2)
    if len(users) > max_users:
        users = np.sort(np.random.default_rng(seed).choice(users, max_users, replace=False))
    return rows.of_users(users)


class _Inverse(Protocol):
    """The inverse P, c·h × c·h, of the ridge's system matrix."""

    def times(self, right: Matrix) -> Matrix:
        """Return P · right, for c·h × t."""
        ...

    def columns(self, block: slice) -> Matrix:
        """Return a block of columns of P."""
        ...

    def between(self, rows: slice, columns: slice) -> Matrix:
        """Return the diagonal of a square block of P."""
        ...


@dataclass(frozen=True)
class _FullInverse:
    """P as a matrix, for many users."""

    inverse: Matrix

    def times(self, right: Matrix) -> Matrix:
        return self.inverse @ right

    def columns(self, block: slice) -> Matrix:
        return self.inverse[:, block]

    def between(self, rows: slice, columns: slice) -> Matrix:
        return np.diagonal(self.inverse[rows, columns])


@dataclass(frozen=True)
class _WoodburyInverse:
    """P = 1/D - left · right (Woodbury), for few users: only a users × users matrix is inverted."""

    diagonal: Matrix
    left: Matrix
    right: Matrix

    def times(self, right: Matrix) -> Matrix:
        product: Matrix = right / self.diagonal[:, None] - self.left @ (self.right @ right)
        return product

    def columns(self, block: slice) -> Matrix:
        columns: Matrix = -(self.left @ self.right[:, block])
        diagonal = np.arange(block.start, block.stop)
        columns[diagonal, diagonal - block.start] += 1 / self.diagonal[block]
        return columns

    def between(self, rows: slice, columns: slice) -> Matrix:
        low_rank = np.einsum("ij,ji->i", self.left[rows], self.right[:, columns])
        own = 1 / self.diagonal[rows] if rows == columns else 0.0
        between: Matrix = own - low_rank
        return between


def _solve(gram: ExpectedGram, penalty: float) -> Matrix:
    """Return the weights, c·h × h, with a movie's own weights constrained to 0.

    The constraint is met by Lagrange multipliers, c of each movie, as in EASE.
    """
    h = len(gram.head)
    is_low_rank = gram.roots.shape[1] < gram.roots.shape[0] // 2
    invert = _woodbury_inverse if is_low_rank else _full_inverse
    inverse: _Inverse = invert(gram, penalty)
    weights = inverse.times(gram.cross)
    blocks = [slice(c * h, (c + 1) * h) for c in range(gram.channels)]
    own = np.stack([np.diagonal(weights[block]) for block in blocks], axis=1)
    corners = np.stack(
        [np.stack([inverse.between(a, b) for b in blocks], axis=1) for a in blocks], axis=1
    )
    multipliers = np.linalg.solve(corners.astype(np.float64), own[:, :, None].astype(np.float64))
    for c, block in enumerate(blocks):
        weights -= inverse.columns(block) * multipliers[:, c, 0].astype(np.float32)
    for block in blocks:
        np.fill_diagonal(weights[block], 0.0)
    return weights


def _full_inverse(gram: ExpectedGram, penalty: float) -> _FullInverse:
    system = gram.moments.copy()
    system[np.diag_indices_from(system)] += np.float32(penalty)
    factor = linalg.cholesky(system, overwrite_a=True, check_finite=False)
    inverse, _ = linalg.lapack.spotri(factor, overwrite_c=True)
    return _FullInverse(_mirrored(inverse))


def _mirrored(upper: Matrix) -> Matrix:
    """Complete a symmetric matrix from its upper half, in place and block by block."""
    for start in range(0, len(upper), _BLOCK):
        rows = slice(start, start + _BLOCK)
        upper[start + _BLOCK :, rows] = upper[rows, start + _BLOCK :].T
        corner = np.triu(upper[rows, rows])
        upper[rows, rows] = corner + np.triu(corner, 1).T
    return upper


def _woodbury_inverse(gram: ExpectedGram, penalty: float) -> _WoodburyInverse:
    diagonal = penalty + gram.spread
    mean = gram.means / np.sqrt(gram.total)
    roots = np.column_stack([gram.roots.toarray(), mean])
    signs = np.ones(roots.shape[1])
    signs[-1] = -1.0
    scaled = roots / diagonal[:, None]
    core = np.linalg.inv(np.diag(signs) + roots.T @ scaled)
    return _WoodburyInverse(
        diagonal.astype(np.float32),
        scaled.astype(np.float32),
        (core @ scaled.T).astype(np.float32),
    )


def _largest(weights: Matrix, width: int) -> tuple[Ints, Matrix]:
    """Return the columns, ascending, and the values of the largest weights of each row."""
    if width < weights.shape[1]:
        largest = np.argpartition(-np.abs(weights), width - 1, axis=1)[:, :width]
        columns = np.sort(largest, axis=1)
    else:
        columns = np.tile(np.arange(weights.shape[1]), (len(weights), 1))
    return columns, np.take_along_axis(weights, columns, axis=1)
