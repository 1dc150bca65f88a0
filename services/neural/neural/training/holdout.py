"""Ratings held out: some stop the training and judge the mix, others say how sure it may be."""

from dataclasses import dataclass

import numpy as np

from marquee.arrays import Ints, Mask
from marquee.features.interactions import FoldIn, RatingRows
from neural.training.rating_split import RatingSplit

_MOST_USERS, _MOST_MOVIES = 150, 500
"""How many are held out for the confidence: more of them say the same."""


@dataclass(frozen=True, eq=False)
class Unseen:
    """What the confidence is fitted on, none of it trained on: single ratings of known users
    (`asked`, of all ratings), all those of some `users`, and all those of some `movies` (rows)."""

    asked: Mask
    users: Ints
    movies: Ints

    def ratings(self, rows: RatingRows) -> Mask:
        """Return which ratings that is."""
        theirs: Mask = np.isin(rows.owners, self.users) | np.isin(rows.movies, self.movies)
        return theirs | self.asked


def hide(rows: RatingRows, long_history: int, share: float, seed: int) -> tuple[Mask, Ints]:
    """Return which ratings are held out, a fifth of some long histories, and whose they are."""
    rng = np.random.default_rng(seed)
    long = rng.permutation(np.flatnonzero(rows.sizes >= long_history))
    users = np.sort(long[: min(round(share * len(rows)), len(rows) - 1)])
    hidden = np.zeros(len(rows.movies), bool)
    for user in users:
        start, size = int(rows.starts[user]), int(rows.sizes[user])
        hidden[start + rng.permutation(size)[: size // 5]] = True
    return hidden, users


def set_aside(rows: RatingRows, hidden: Mask, n_movies: int, share: float, seed: int) -> Unseen:
    """Return half of the ratings `hidden`, and `share` of the other users and of the movies."""
    rng = np.random.default_rng([seed, 1])
    asked = hidden & (rng.random(len(hidden)) < 0.5)
    others = np.setdiff1d(np.flatnonzero(rows.sizes > 0), rows.owners[hidden])
    users = rng.permutation(others)[: min(int(share * len(rows)), _MOST_USERS)]
    rated = np.unique(rows.movies)
    movies = rng.permutation(rated)[: min(int(share * n_movies), _MOST_MOVIES)]
    return Unseen(asked, np.sort(users), np.sort(movies))


def case_of(rated: RatingSplit, user: int) -> FoldIn:
    """Return the fold-in of a user: what is shown, and the liked movies held out."""
    movies, half_stars = rated.shown.of_user(user)
    held_out = rated.held_out.of_users(np.array([user]))
    return FoldIn(movies, half_stars, held_out.movies[held_out.liked])
