"""Fits implicit ALS: liked films at one confidence, films rated and not liked as negative ones."""

import numpy as np
import numpy.typing as npt
from implicit.als import AlternatingLeastSquares
from pydantic import BaseModel, ConfigDict, Field
from scipy import sparse

from marquee.factors import Factors
from marquee.rating_rows import RatingRows


class FactorsConfig(BaseModel):
    """How many factors, and what counts how much."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    factors: int = Field(64, ge=1)
    iterations: int = Field(15, ge=1)
    regularization: float = Field(60.0, gt=0)
    liked: float = Field(8.0, ge=1)
    """Confidence in a liked film (1: as in a film not rated)."""
    other: float = Field(4.0, ge=1)
    """Confidence in a film that was rated and not liked."""


def fit_factors(rows: RatingRows, n_films: int, config: FactorsConfig, seed: int) -> Factors:
    """Return the ALS factors of n_films film rows; a film without a liking viewer has zeros."""
    confidence = np.where(rows.liked, config.liked, -config.other).astype(np.float32)
    shape = (len(rows), n_films)
    matrix = sparse.csr_matrix((confidence, rows.films, rows.starts), shape)
    items = np.zeros((n_films, config.factors), np.float32)
    users = np.zeros((len(rows), config.factors), np.float32)
    if rows.liked.any():
        als = AlternatingLeastSquares(
            config.factors, regularization=config.regularization,
            iterations=config.iterations, num_threads=1, random_state=seed,
        )  # fmt: skip
        als.fit(matrix, show_progress=False)
        items = np.nan_to_num(np.asarray(als.item_factors, np.float32))
        users = np.nan_to_num(np.asarray(als.user_factors, np.float32))
    grams = _gram(items, config), _gram(users, config)
    return Factors(items, grams[0], config.liked, config.other, grams[1])


def _gram(factors: npt.NDArray[np.float32], config: FactorsConfig) -> npt.NDArray[np.float64]:
    gram = factors.T.astype(np.float64) @ factors
    gram[np.diag_indices_from(gram)] += config.regularization
    return gram
