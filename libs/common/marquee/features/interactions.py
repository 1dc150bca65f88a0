"""Ratings as user rows (CSR) over movie rows, and fold-ins for validation: random, first ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from marquee.arrays import Ints, Mask
from marquee.domain.likes import is_like
from marquee.features.dataset import Dataset, position_in
from marquee.features.time_order import in_order, unusable_times


@dataclass(frozen=True, eq=False)
class RatingRows:
    """Ratings of u users in compressed sparse rows, each user's in the order of time.

    Attributes:
        starts: int64 u + 1, where each user's ratings begin; the last entry is their number, n.
        movies: int64 n, the movie row of each rating.
        half_stars: uint8 n, 1 to 10.
        times: int64 n, seconds since 1970; None: unknown.
    """

    starts: Ints
    movies: Ints
    half_stars: npt.NDArray[np.uint8]
    times: Ints | None = None

    def __len__(self) -> int:
        return len(self.starts) - 1

    @classmethod
    def of(cls, dataset: Dataset) -> "RatingRows":
        """Return the rows of a data set: users by id, movies by their index in `dataset.movies`.

        Times that order nothing (`unusable_times`) are left out.
        """
        known = np.array([movie.movie_id for movie in dataset.movies], np.int64)
        movies, _ = position_in(known, dataset.movie_ids)
        users, owners = np.unique(dataset.user_ids, return_inverse=True)
        order = in_order(dataset)
        starts = np.concatenate([[0], np.cumsum(np.bincount(owners, minlength=len(users)))])
        times = None if unusable_times(dataset) else dataset.times[order]
        return cls(starts.astype(np.int64), movies[order], dataset.half_stars[order], times)

    @property
    def sizes(self) -> Ints:
        """Number of ratings of each user, u."""
        return np.diff(self.starts)

    @property
    def owners(self) -> Ints:
        """Index of the user of each rating, n."""
        return np.repeat(np.arange(len(self)), self.sizes)

    @property
    def liked(self) -> Mask:
        """Mask of the likes, n (`marquee.domain.likes`)."""
        return is_like(self.half_stars)

    def of_user(self, user: int) -> tuple[Ints, npt.NDArray[np.uint8]]:
        """Return the movie rows and half stars of one user."""
        at = slice(int(self.starts[user]), int(self.starts[user + 1]))
        return self.movies[at], self.half_stars[at]

    def times_of(self, user: int) -> Ints | None:
        """Return the times of one user's ratings, if they are known."""
        if self.times is None:
            return None
        return self.times[int(self.starts[user]) : int(self.starts[user + 1])]

    def of_users(self, users: Ints) -> "RatingRows":
        """Return the rows of some users."""
        sizes = self.sizes[users]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        at = np.repeat(self.starts[users] - starts[:-1], sizes) + np.arange(starts[-1])
        times = None if self.times is None else self.times[at]
        return RatingRows(starts, self.movies[at], self.half_stars[at], times)

    def sums(self, n_movies: int) -> Ints:
        """Return ratings, positive ratings and half stars of each movie, int64 n_movies × 3."""
        weights = (None, self.liked, self.half_stars)
        columns = [np.bincount(self.movies, w, minlength=n_movies) for w in weights]
        return np.stack(columns, axis=1).astype(np.int64)


@dataclass(frozen=True, eq=False)
class FoldIn:
    """A user known by some ratings, as a model meets them, and the likes that it should find.

    Attributes:
        inputs: int64 n, movie rows of the ratings that the model sees.
        half_stars: uint8 n, those ratings.
        held_out: int64 m, movie rows of the user's other liked movies.
        times: int64 n, seconds since 1970 of those ratings; None: unknown.
        asked_at: when a service would have been asked, seconds since 1970; 0: unknown.
    """

    inputs: Ints
    half_stars: npt.NDArray[np.uint8]
    held_out: Ints
    times: Ints | None = None
    asked_at: int = 0


def split_users(n: int, share: float, seed: int) -> tuple[Ints, Ints]:
    """Split n users at random.

    Args:
        n: number of users.
        share: the part of the users that is held out.
        seed: seed of the draw.

    Returns:
        Indexes of the training users, at least one of them, and of those held out; both ascending.
    """
    order = np.random.default_rng(seed).permutation(n)
    held_out = min(round(share * n), n - 1) if n else 0
    return np.sort(order[held_out:]), np.sort(order[:held_out])


def draw_fold_ins(
    rows: RatingRows, users: Ints, sizes: Sequence[int], draws: int, seed: int
) -> list[FoldIn]:
    """Return fold-ins of each size, `draws` times a user, that hold out at least one like."""
    generator = np.random.default_rng(seed)
    fold_ins = [
        _fold_in(rows, user, generator.permutation(len(rows.of_user(user)[0])), size)
        for user in users.tolist()
        for size in sizes
        for _ in range(draws)
    ]
    return [fold_in for fold_in in fold_ins if fold_in is not None]


def first_fold_ins(rows: RatingRows, user: int, sizes: Sequence[int]) -> list[FoldIn]:
    """Return the user's first ratings in time of each size, with later likes held out, if any."""
    order = np.arange(len(rows.of_user(user)[0]))
    fold_ins = [_fold_in(rows, user, order, size) for size in sizes]
    return [fold_in for fold_in in fold_ins if fold_in is not None]


def _fold_in(rows: RatingRows, user: int, order: Ints, size: int) -> FoldIn | None:
    """Return the fold-in that shows the first `size` ratings of an order; None: no like is left.

    It is asked for at the time of the next rating, or the newest one shown.
    """
    movies, half_stars = rows.of_user(user)
    times = rows.times_of(user)
    shown, others = order[:size], order[size:]
    held_out = movies[others][is_like(half_stars[others])]
    if not len(held_out) or len(shown) < size:
        return None
    if times is None:
        return FoldIn(movies[shown], half_stars[shown], held_out)
    known = times[shown]
    asked_at = max(int(known.max(initial=0)), int(times[others[0]]))
    return FoldIn(movies[shown], half_stars[shown], held_out, known, asked_at)
