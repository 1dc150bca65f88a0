"""Splits into training and test users: ten folds (strong generalization), or a cut by time.

In strong generalization no rating of a test user is trained on; some are shown as fold-ins (Liang
et al. 2018, "Variational Autoencoders for Collaborative Filtering").
"""

from dataclasses import dataclass
from typing import cast

import numpy as np

from marquee.arrays import Ints
from marquee.features.dataset import Dataset

FOLDS = 10
SEED = 42
"""Seed of the folds and of every draw. A user's fold depends on the id alone: it never changes."""

TIME_SHARE = 0.8
"""Share of the ratings before the moment at which the data are cut by time."""


@dataclass(frozen=True, eq=False)
class Split:
    """`train`: what all that is fitted sees. `test`: all ratings of the tested users.

    `cut`: the time from which on ratings are to be predicted; None where users are held out whole.
    """

    name: str
    train: Dataset
    test: Dataset
    cut: int | None = None

    def tuning(self) -> tuple[Dataset, Dataset]:
        """Return the ratings of training users as (training, validation), a tenth of the users."""
        held_out = fold_of(self.train.user_ids, SEED + 1) == 0
        return self.train.of_rows(~held_out), self.train.of_rows(held_out)


def split_by_user(dataset: Dataset, fold: int) -> Split:
    """Return the split that tests the users of a fold, 0 to 9: none of their ratings is trained."""
    tested = fold_of(dataset.user_ids) == fold
    return Split(f"fold-{fold}", dataset.of_rows(~tested), dataset.of_rows(tested))


def split_by_time(dataset: Dataset) -> Split:
    """Return the split at the time before which lie four fifths of the ratings.

    Tested are the users who rated after it; what they rated before is trained.
    """
    cut = int(np.quantile(dataset.times, TIME_SHARE)) if len(dataset) else 0
    later = dataset.times >= cut
    tested = np.isin(dataset.user_ids, np.unique(dataset.user_ids[later]))
    return Split("by-time", dataset.of_rows(~later), dataset.of_rows(tested), cut)


def fold_of(user_ids: Ints, seed: int = SEED) -> Ints:
    """Return the fold, 0 to 9, of each of n users: SplitMix64 (Steele et al. 2014) of the id."""
    with np.errstate(over="ignore"):
        mixed = user_ids.astype(np.uint64) + np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        mixed ^= mixed >> np.uint64(31)
    return cast(Ints, (mixed % np.uint64(FOLDS)).astype(np.int64))
