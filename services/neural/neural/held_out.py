"""Ratings held out of long histories: they stop the training and judge the mix."""

import numpy as np
import numpy.typing as npt

from marquee.rating_rows import Case, Ints, RatingRows
from neural.training import Rated


def hide(
    rows: RatingRows, long_history: int, share: float, seed: int
) -> tuple[npt.NDArray[np.bool_], Ints]:
    """Return which ratings are held out, a fifth of some long histories, and whose they are."""
    rng = np.random.default_rng(seed)
    long = rng.permutation(np.flatnonzero(rows.sizes >= long_history))
    viewers = np.sort(long[: min(round(share * len(rows)), len(rows) - 1)])
    hidden = np.zeros(len(rows.films), bool)
    for user in viewers:
        start, size = int(rows.starts[user]), int(rows.sizes[user])
        hidden[start + rng.permutation(size)[: size // 5]] = True
    return hidden, viewers


def only(rows: RatingRows, keep: npt.NDArray[np.bool_]) -> RatingRows:
    """Return the rows with only the ratings where `keep` is true."""
    starts = np.concatenate([[0], np.cumsum(keep)])[rows.starts]
    return RatingRows(starts, rows.films[keep], rows.half_stars[keep])


def case_of(rated: Rated, user: int) -> Case:
    """Return the fold-in of a viewer: what is shown, and the liked films held out."""
    films, half_stars = rated.shown.of_user(user)
    held_out = rated.held_out.of_users(np.array([user]))
    return Case(films, half_stars, held_out.films[held_out.liked])
