"""Fit of implicit ALS (Hu, Koren and Volinsky 2008), with dislikes as explicit negatives."""

import numpy as np
from implicit.als import AlternatingLeastSquares
from pydantic import BaseModel, ConfigDict, Field
from scipy import sparse

from marquee.arrays import Matrix, Reals
from marquee.features.interactions import RatingRows, split_users
from marquee.scoring.scorers.als import AlsFactors

_PASSES = 2


class AlsConfig(BaseModel):
    """Number of factors, regularization and confidences."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    factors: int = Field(64, ge=1)
    iterations: int = Field(15, ge=1)
    max_users: int = Field(20_000, ge=1)
    """With more users, a sample gives item factors, which two passes over all users refine."""
    regularization: float = Field(60.0, gt=0)
    liked: float = Field(8.0, ge=1)
    """Confidence in a liked movie; that in a movie not rated is 1."""
    other: float = Field(4.0, ge=1)
    """Confidence in a movie that was rated and not liked."""


def fit_als(rows: RatingRows, n_movies: int, config: AlsConfig, seed: int) -> AlsFactors:
    """Return the ALS factors of n_movies movie rows; movies that nobody likes have zeros."""
    items = np.zeros((n_movies, config.factors), np.float32)
    users = np.zeros((len(rows), config.factors), np.float32)
    if rows.liked.any():
        sample = _sample(rows, config.max_users, seed)
        als = _als(config, config.iterations, seed)
        als.fit(_confidence(sample, n_movies, config), show_progress=False)
        if sample is not rows:
            items, als = als.item_factors, _als(config, _PASSES, seed)
            als.item_factors, als.user_factors = items, users
            als.fit(_confidence(rows, n_movies, config), show_progress=False)
        items = np.nan_to_num(np.asarray(als.item_factors, np.float32))
        users = np.nan_to_num(np.asarray(als.user_factors, np.float32))
    return AlsFactors(items, _gram(items, config), config.liked, config.other, _gram(users, config))


def _sample(rows: RatingRows, max_users: int, seed: int) -> RatingRows:
    if len(rows) <= max_users:
        return rows
    sample, _ = split_users(len(rows), 1 - max_users / len(rows), seed)
    return rows.of_users(sample)


def _als(config: AlsConfig, iterations: int, seed: int) -> AlternatingLeastSquares:
    return AlternatingLeastSquares(
        config.factors,
        regularization=config.regularization,
        iterations=iterations,
        num_threads=1,
        random_state=seed,
    )


def _confidence(rows: RatingRows, n_movies: int, config: AlsConfig) -> sparse.csr_matrix:
    """Return the confidences, u × n_movies: positive for likes, negative for dislikes."""
    confidence = np.where(rows.liked, config.liked, -config.other).astype(np.float32)
    return sparse.csr_matrix((confidence, rows.movies, rows.starts), (len(rows), n_movies))


def _gram(factors: Matrix, config: AlsConfig) -> Reals:
    gram = factors.T.astype(np.float64) @ factors
    gram[np.diag_indices_from(gram)] += config.regularization
    return gram
