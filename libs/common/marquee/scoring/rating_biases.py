"""Damped means for baseline predictors of ratings: r ≈ μ + b_movie + b_user.

After Koren, "Factor in the Neighbors" (TKDD 2010), section 2.1: a mean over few ratings is pulled
towards 0 as if `damping` further ratings with a residual of 0 had been given.
"""

import numpy as np

from marquee.arrays import Floating, Ints, Reals

MOVIE_DAMPING, USER_DAMPING = 3.0, 5.0
"""Ratings with a residual of 0 that count beside those of a movie, and of a user."""


def damped_means(groups: Ints, residuals: Floating, damping: float, n_groups: int = 0) -> Reals:
    """Return the damped mean residual of each group.

    Args:
        groups: The group of each of m ratings, from 0.
        residuals: What is left of each rating to explain, m, in stars.
        damping: Ratings with a residual of 0 to count in each group.
        n_groups: The least number of groups to return, so that empty ones at the end get a 0.
    """
    counts = np.bincount(groups, minlength=n_groups)
    means: Reals = np.bincount(groups, residuals, n_groups) / (counts + damping)
    return means


def damped_mean(residuals: Floating, damping: float) -> float:
    """Return the damped mean of the residuals of one group; 0 where there are none."""
    return float(residuals.sum()) / (len(residuals) + damping)
