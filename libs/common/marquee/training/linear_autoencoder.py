"""Fits the linear model of few ratings: the ridge that a random fold-in of n ratings expects.

Inputs z of a user with N ratings are a random n of them (liked movies in one channel, the others in
a second); targets y are the liked movies left out. Over all draws E[z zᵀ] is n(n-1)/N(N-1) off the
diagonal and n/N on it, and E[z yᵀ] is n(N-n)/N(N-1), so no draw is made. A movie's own weights
are held at 0, as in EASE (Steck 2019); the intercept is free and carries popularity.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy import linalg

from marquee.arrays import Ints, Matrix
from marquee.features.interactions import RatingRows
from marquee.scoring.linear_autoencoder import LinearAutoencoder
from marquee.training.linear_autoencoder_moments import ExpectedGram

_BLOCK = 512


class LinearAutoencoderConfig(BaseModel):
    """How many ratings the model expects, and how large it may grow."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n: int = Field(3, ge=1)
    """Ratings in a fold-in."""
    penalty: float = Field(1.0, gt=0)
    """Ridge penalty on the weights."""
    head: int = Field(2500, ge=1)
    """Only the movies rated most often have weights: a system of channels × head is solved."""
    kept: int = Field(300, ge=1)
    """Weights kept of each input movie, the largest ones."""
    channels: int = Field(2, ge=1, le=2)
    """2: liked and not liked apart. 1: a movie counts as seen, whatever its rating."""
    max_users: int = Field(50_000, ge=1)
    """More users than this are sampled."""


def fit_linear_autoencoder(
    rows: RatingRows, n_movies: int, config: LinearAutoencoderConfig, seed: int = 0
) -> LinearAutoencoder:
    """Return the model of n_movies movie rows, learned from the ratings of u users."""
    problem = _moments(rows, n_movies, config, seed)
    return _solution(problem, n_movies, config)


def _solution(
    problem: ExpectedGram, n_movies: int, config: LinearAutoencoderConfig
) -> LinearAutoencoder:
    """Return the model of the penalty of `config`; all else in it has made the problem."""
    weights = _solve(problem, config.penalty)
    intercept = problem.base_rate.copy()
    intercept[problem.head] -= (problem.means @ weights) / problem.total
    kept = min(config.kept, len(problem.head))
    columns, values = _largest(weights, kept)
    inputs = np.full(n_movies, -1, np.int32)
    inputs[problem.head] = np.arange(len(problem.head))
    shape = (config.channels, len(problem.head), kept)
    return LinearAutoencoder(
        intercept.astype(np.float32),
        inputs,
        problem.head[columns].astype(np.int32).reshape(shape),
        values.reshape(shape),
    )


def _moments(
    rows: RatingRows, n_movies: int, config: LinearAutoencoderConfig, seed: int
) -> ExpectedGram:
    sample = _sample(rows, config.max_users, seed)
    return ExpectedGram.of(sample, n_movies, config.n, config.head, config.channels)


def _sample(rows: RatingRows, max_users: int, seed: int) -> RatingRows:
    """Return the users with two ratings or more, at most max_users of them."""
    users = np.flatnonzero(rows.sizes >= 2)
    if len(users) > max_users:
        users = np.sort(np.random.default_rng(seed).choice(users, max_users, replace=False))
    return rows.of_users(users)


class _Inverse(Protocol):
    """The inverse P (c·h × c·h) of the ridge's system, whole or in parts."""

    def times(self, right: Matrix) -> Matrix:
        """Return P · right."""
        ...

    def columns(self, block: slice) -> Matrix:
        """Return some columns of P."""
        ...

    def between(self, rows: slice, columns: slice) -> Matrix:
        """Return the diagonal of a square block of P."""
        ...


@dataclass(frozen=True)
class _FullInverse:
    """P itself, for many users."""

    inverse: Matrix

    def times(self, right: Matrix) -> Matrix:
        return self.inverse @ right

    def columns(self, block: slice) -> Matrix:
        return self.inverse[:, block]

    def between(self, rows: slice, columns: slice) -> Matrix:
        return np.diagonal(self.inverse[rows, columns])


@dataclass(frozen=True)
class _WoodburyInverse:
    """P = 1/D - left · right for few users (Woodbury): users × users is all that is inverted."""

    diagonal: Matrix
    left: Matrix
    right: Matrix

    def times(self, right: Matrix) -> Matrix:
        product: Matrix = right / self.diagonal[:, None] - self.left @ (self.right @ right)
        return product

    def columns(self, block: slice) -> Matrix:
        columns: Matrix = -(self.left @ self.right[:, block])
        places = np.arange(block.start, block.stop)
        columns[places, places - block.start] += 1 / self.diagonal[block]
        return columns

    def between(self, rows: slice, columns: slice) -> Matrix:
        low_rank = np.einsum("ij,ji->i", self.left[rows], self.right[:, columns])
        own = 1 / self.diagonal[rows] if rows == columns else 0.0
        between: Matrix = own - low_rank
        return between


def _solve(problem: ExpectedGram, penalty: float) -> Matrix:
    """Return the weights, c·h × h, a movie's own ones being 0."""
    h = len(problem.head)
    few = problem.roots.shape[1] < problem.roots.shape[0] // 2
    inverse: _Inverse = _low_rank(problem, penalty) if few else _whole(problem, penalty)
    weights = inverse.times(problem.cross)
    blocks = [slice(c * h, (c + 1) * h) for c in range(problem.channels)]
    own = np.stack([np.diagonal(weights[block]) for block in blocks], axis=1)
    corners = np.stack(
        [np.stack([inverse.between(a, b) for b in blocks], axis=1) for a in blocks], axis=1
    )
    excess = np.linalg.solve(corners.astype(np.float64), own[:, :, None].astype(np.float64))
    for c, block in enumerate(blocks):
        weights -= inverse.columns(block) * excess[:, c, 0].astype(np.float32)
    for block in blocks:
        np.fill_diagonal(weights[block], 0.0)
    return weights


def _whole(problem: ExpectedGram, penalty: float) -> _FullInverse:
    system = problem.moments.copy()
    system[np.diag_indices_from(system)] += np.float32(penalty)
    factor = linalg.cholesky(system, overwrite_a=True, check_finite=False)
    inverse, _ = linalg.lapack.spotri(factor, overwrite_c=True)
    return _FullInverse(_mirrored(inverse))


def _mirrored(upper: Matrix) -> Matrix:
    """Return a symmetric matrix of its upper half, in place and block by block."""
    for start in range(0, len(upper), _BLOCK):
        rows = slice(start, start + _BLOCK)
        upper[start + _BLOCK :, rows] = upper[rows, start + _BLOCK :].T
        corner = np.triu(upper[rows, rows])
        upper[rows, rows] = corner + np.triu(corner, 1).T
    return upper


def _low_rank(problem: ExpectedGram, penalty: float) -> _WoodburyInverse:
    diagonal = penalty + problem.spread
    mean = problem.means / np.sqrt(problem.total)
    roots = np.column_stack([problem.roots.toarray(), mean])
    signs = np.ones(roots.shape[1])
    signs[-1] = -1.0
    scaled = roots / diagonal[:, None]
    core = np.linalg.inv(np.diag(signs) + roots.T @ scaled)
    return _WoodburyInverse(
        diagonal.astype(np.float32),
        scaled.astype(np.float32),
        (core @ scaled.T).astype(np.float32),
    )


def _largest(weights: Matrix, kept: int) -> tuple[Ints, Matrix]:
    """Return the columns and values of the `kept` largest weights of each row, columns in order."""
    if kept < weights.shape[1]:
        chosen = np.argpartition(-np.abs(weights), kept - 1, axis=1)[:, :kept]
        columns = np.sort(chosen, axis=1)
    else:
        columns = np.tile(np.arange(weights.shape[1]), (len(weights), 1))
    return columns, np.take_along_axis(weights, columns, axis=1)
