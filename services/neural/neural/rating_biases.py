"""Damped means of movies and users: what a rating is before any network looks at it."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from marquee.arrays import Matrix
from marquee.features.interactions import RatingRows

MOVIE_DAMPING, USER_DAMPING = 3.0, 5.0
"""Ratings that a bias of 0 weighs beside those of a movie, and of a user."""

_ROUNDS = 10


@dataclass(frozen=True, eq=False)
class Statistics:
    """`mean` μ in stars; `biases`, `counts` of i movies; `user_biases` of u users; float32."""

    mean: float
    biases: Matrix
    counts: Matrix
    user_biases: Matrix

    def of_users(self, users: npt.NDArray[np.int64]) -> "Statistics":
        """Return the same with the biases of these users (rows) alone."""
        return replace(self, user_biases=self.user_biases[users])


def statistics_of(rows: RatingRows, n_movies: int) -> Statistics:
    """Return the biases of a fit of r ≈ μ + b_movie + b_user, alternated (Koren 2010)."""
    stars = rows.half_stars / 2
    mean = float(stars.mean())
    owners, movies = rows.owners, rows.movies
    counts = np.bincount(movies, minlength=n_movies)
    movie_biases, user_biases = np.zeros(n_movies), np.zeros(len(rows))
    for _ in range(_ROUNDS):
        rest = stars - mean - user_biases[owners]
        movie_biases = np.bincount(movies, rest, n_movies) / (counts + MOVIE_DAMPING)
        rest = stars - mean - movie_biases[movies]
        user_biases = np.bincount(owners, rest, len(rows)) / (rows.sizes + USER_DAMPING)
    # The last step is the movies', so that bias · (n + damping) is the sum of what is left over.
    rest = stars - mean - user_biases[owners]
    movie_biases = np.bincount(movies, rest, n_movies) / (counts + MOVIE_DAMPING)
    return Statistics(
        mean,
        movie_biases.astype(np.float32),
        counts.astype(np.float32),
        user_biases.astype(np.float32),
    )
