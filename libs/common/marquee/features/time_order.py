"""Usable times: whether the times of a data set order what each user rated; and that order."""

from dataclasses import dataclass
from typing import cast
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from marquee.arrays import Ints
from marquee.features.dataset import Dataset

_SEED = 42
_REASONS: WeakKeyDictionary[Dataset, str] = WeakKeyDictionary()
"""What `unusable_times` has found of the data sets in use."""
_USERS = 2000
"""Users looked at, at most."""
_PAIRS = 2000
"""Pairs of users whose common movies are compared."""
_AT_ONE_TIME = 0.5
"""Share of a user's ratings at one second beyond which their order is not known."""
_ONE_ORDER = 0.95
"""Share of pairs of movies in the same order from which all users have one order."""
_LEAST_PAIRS = 30
"""Pairs of movies to compare before an order is called common to all users."""


def mixed(ids: npt.NDArray[np.int64 | np.uint64], seed: int) -> npt.NDArray[np.uint64]:
    """Return SplitMix64 (Steele et al. 2014) of n ids."""
    with np.errstate(over="ignore"):
        hashes = ids.astype(np.uint64) + np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            hashes = (hashes ^ (hashes >> np.uint64(shift))) * np.uint64(factor)
        hashes ^= hashes >> np.uint64(31)
    return cast(npt.NDArray[np.uint64], hashes)


def in_order(dataset: Dataset) -> Ints:
    """Return the rows of a data set by user, then time; ratings at one second in a drawn order.

    The draw is a hash of seed, user and movie: it does not follow the ids, and other ratings do
    not change it.
    """
    drawn = mixed(mixed(dataset.user_ids, _SEED) ^ mixed(dataset.movie_ids, _SEED + 1), _SEED)
    return np.lexsort((drawn, dataset.times, dataset.user_ids))


def unusable_times(dataset: Dataset) -> str:
    """Return why the times of a data set order nothing; empty where they do.

    They do not where all are equal, where most users have most of their ratings at one second, and
    where all users have rated in one order, as in tables with a row number in place of a time.
    """
    reason = _REASONS.get(dataset)
    if reason is None:
        reason = _REASONS[dataset] = _unusable(dataset)
    return reason


def _unusable(dataset: Dataset) -> str:
    if not len(dataset) or dataset.times.min() == dataset.times.max():
        return "all ratings have one time"
    sample = _Histories.of(dataset)
    if not len(sample):
        return "no viewer has more than one rating"
    if np.mean([_is_at_one_time(times) for times in sample.times]) > _AT_ONE_TIME:
        return "most viewers have most of their ratings at one second"
    if sample.follow_ids() or sample.agree():
        return "all viewers have rated their films in one order"
    return ""


@dataclass(frozen=True, eq=False)
class _Histories:
    """Movie ids and times of a sample of users with two ratings and more, in order."""

    movie_ids: tuple[Ints, ...]
    times: tuple[Ints, ...]

    def __len__(self) -> int:
        return len(self.times)

    @classmethod
    def of(cls, dataset: Dataset) -> "_Histories":
        ordered = dataset.of_rows(in_order(dataset))
        _, starts, sizes = np.unique(ordered.user_ids, return_index=True, return_counts=True)
        able = np.flatnonzero(sizes > 1)
        users = np.sort(np.random.default_rng(_SEED).permutation(able)[:_USERS])
        own = [slice(starts[user], starts[user] + sizes[user]) for user in users]
        return cls(
            tuple(ordered.movie_ids[rows] for rows in own),
            tuple(ordered.times[rows] for rows in own),
        )

    def follow_ids(self) -> bool:
        """Return whether nearly all ratings of one user follow the ids of the movies, or fall."""
        later = rises = 0
        for movie_ids, times in zip(self.movie_ids, self.times, strict=True):
            is_later = np.diff(times) > 0
            later += int(is_later.sum())
            rises += int((np.diff(movie_ids)[is_later] > 0).sum())
        return _is_one_order(rises, later)

    def agree(self) -> bool:
        """Return whether random pairs of users rated their common movies in one order."""
        generator = np.random.default_rng(_SEED)
        compared = agreed = 0
        for first, second in generator.integers(0, len(self), (_PAIRS, 2)).tolist():
            if first == second:
                continue
            _, left, right = np.intersect1d(
                self.movie_ids[first], self.movie_ids[second], return_indices=True
            )
            order = np.argsort(self.times[first][left], kind="stable")
            steps = np.diff(self.times[first][left][order])
            others = np.diff(self.times[second][right][order])
            told = (steps > 0) & (others != 0)
            compared += int(told.sum())
            agreed += int((others[told] > 0).sum())
        return compared >= _LEAST_PAIRS and agreed >= _ONE_ORDER * compared


def _is_at_one_time(times: Ints) -> bool:
    return bool(np.unique(times, return_counts=True)[1].max() > _AT_ONE_TIME * len(times))


def _is_one_order(rises: int, pairs: int) -> bool:
    return pairs >= _LEAST_PAIRS and max(rises, pairs - rises) >= _ONE_ORDER * pairs
