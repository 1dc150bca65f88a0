"""Baseline of the rating network: mean, damped movie and user biases, counts of ratings."""

from dataclasses import dataclass, replace

import numpy as np

from marquee.arrays import Ints, Vector
from marquee.features.interactions import RatingRows
from marquee.scoring.rating_biases import MOVIE_DAMPING, USER_DAMPING, damped_means
from neural.rating_predictor import RatingPredictor, Weights

_ROUNDS = 10


@dataclass(frozen=True, eq=False)
class RatingStatistics:
    """`mean` μ in stars; `biases`, `counts` of i movies; `user_biases` of u users; float32.

    `low` and `high` are the ends of the scale: the lowest and the highest rating, in stars.
    """

    mean: float
    biases: Vector
    counts: Vector
    user_biases: Vector
    low: float
    high: float

    def predictor(self, weights: Weights) -> RatingPredictor:
        """Return the predictor of these weights."""
        return RatingPredictor(weights, self.mean, self.low, self.high)

    def of_users(self, users: Ints) -> "RatingStatistics":
        """Return the same with the biases of these users (rows) alone."""
        return replace(self, user_biases=self.user_biases[users])


def fit_rating_statistics(rows: RatingRows, n_movies: int) -> RatingStatistics:
    """Fit r ≈ μ + b_movie + b_user by alternating damped means (Koren 2010, section 2.1)."""
    stars = rows.half_stars / 2
    mean = float(stars.mean())
    owners, movies = rows.owners, rows.movies
    user_biases = np.zeros(len(rows))
    for _ in range(_ROUNDS):
        residuals = stars - mean - user_biases[owners]
        movie_biases = damped_means(movies, residuals, MOVIE_DAMPING, n_movies)
        residuals = stars - mean - movie_biases[movies]
        user_biases = damped_means(owners, residuals, USER_DAMPING, len(rows))
    # The last step is the movies', so that bias · (count + damping) is the sum of the residuals.
    residuals = stars - mean - user_biases[owners]
    movie_biases = damped_means(movies, residuals, MOVIE_DAMPING, n_movies)
    return RatingStatistics(
        mean,
        movie_biases.astype(np.float32),
        np.bincount(movies, minlength=n_movies).astype(np.float32),
        user_biases.astype(np.float32),
        float(stars.min()),
        float(stars.max()),
    )
