"""Held-out ratings: some stop the training and choose the blend, others calibrate confidences."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from marquee.arrays import Ints, Mask
from marquee.features.interactions import FoldIn, RatingRows, first_fold_ins
from marquee.training.blending import Validation
from marquee.training.evidence_weights import EvidenceDraw
from neural.training.rating_split import RatingSplit

_MAX_USERS, _MAX_MOVIES = 150, 500
"""How many are held out for the calibration: more of them change it little."""


@dataclass(frozen=True, eq=False)
class CalibrationHoldout:
    """Ratings that the confidence is fitted on; none of them is trained on.

    Attributes:
        single: Single ratings of users who are trained on, a mask over all ratings.
        users: Rows of the users whose ratings are all held out.
        movies: Rows of the movies whose ratings are all held out.
    """

    single: Mask
    users: Ints
    movies: Ints

    def mask(self, rows: RatingRows) -> Mask:
        """Return all held-out ratings as a mask over `rows`."""
        whole: Mask = np.isin(rows.owners, self.users) | np.isin(rows.movies, self.movies)
        return whole | self.single


def hold_out_ratings(
    rows: RatingRows, long_history: int, share: float, seed: int
) -> tuple[Mask, Ints]:
    """Hold out a fifth of the ratings of some users.

    Args:
        rows: All ratings.
        long_history: Least ratings of a user with held-out ratings.
        share: Of all users to draw; at least one user keeps all ratings.
        seed: Of the draw.

    Returns:
        The held-out ratings as a mask, and the rows of their users.
    """
    rng = np.random.default_rng(seed)
    long = rng.permutation(np.flatnonzero(rows.sizes >= long_history))
    users = np.sort(long[: min(round(share * len(rows)), len(rows) - 1)])
    hidden = np.zeros(len(rows.movies), bool)
    for user in users:
        start, size = int(rows.starts[user]), int(rows.sizes[user])
        hidden[start + rng.permutation(size)[: size // 5]] = True
    return hidden, users


def draw_calibration_holdout(
    rows: RatingRows, hidden: Mask, n_movies: int, share: float, seed: int
) -> CalibrationHoldout:
    """Return half of the ratings `hidden`, and `share` of the other users and of the movies."""
    rng = np.random.default_rng([seed, 1])
    single = hidden & (rng.random(len(hidden)) < 0.5)
    others = np.setdiff1d(np.flatnonzero(rows.sizes > 0), rows.owners[hidden])
    users = rng.permutation(others)[: min(int(share * len(rows)), _MAX_USERS)]
    rated = np.unique(rows.movies)
    movies = rng.permutation(rated)[: min(int(share * n_movies), _MAX_MOVIES)]
    return CalibrationHoldout(single, np.sort(users), np.sort(movies))


def fold_in_of(ratings: RatingSplit, user: int) -> FoldIn:
    """Return the fold-in of a user: the ratings shown, and the liked movies held out."""
    movies, half_stars = ratings.shown.of_user(user)
    held_out = ratings.held_out.of_users(np.array([user]))
    times = ratings.shown.times_of(user)
    asked_at = 0 if times is None else int(times.max(initial=0))
    return FoldIn(movies, half_stars, held_out.movies[held_out.liked], times, asked_at)


def draw_evidence(
    rows: RatingRows, users: Ints, cases: Sequence[FoldIn], owners: Ints, sizes: Sequence[int]
) -> EvidenceDraw:
    """Return fold-ins of users with long histories, random and first ones, by size.

    Args:
        rows: All ratings.
        users: Rows of the users.
        cases: Fold-ins of four fifths of their histories.
        owners: The user of each case.
        sizes: Numbers of ratings besides.
    """
    drawn = EvidenceDraw.draw(rows, users, sizes, 1, seed=0)
    long = max([*sizes, *(int(np.median([len(case.inputs) for case in cases])),)]) + 1
    first = [
        (fold_in, user)
        for user in users.tolist()
        for fold_in in first_fold_ins(rows, user, (int(0.8 * rows.sizes[user]),))
        if len(fold_in.inputs) > max(sizes)
    ]
    in_time = Validation([fold_in for fold_in, _ in first], np.array([u for _, u in first], int))
    return EvidenceDraw(
        {**drawn.at_random, long: Validation(cases, owners)}, {**drawn.in_time, long: in_time}
    )
