"""Splits into training and test users: ten folds (strong generalization), or a cut by time.

In strong generalization no rating of a test user is trained on; some are shown as fold-ins (Liang
et al. 2018, "Variational Autoencoders for Collaborative Filtering").
"""

from dataclasses import dataclass
from typing import cast

import numpy as np

from marquee.arrays import Ints
from marquee.features.dataset import Dataset
from marquee.features.time_order import mixed

FOLDS = 10
SEED = 42
"""Seed of the folds and of every draw. A user's fold depends on the id alone: it never changes."""

CUTS = (0.7, 0.8, 0.9)
"""Shares of the ratings, by time, before the moments at which the data are cut."""


@dataclass(frozen=True, eq=False)
class Split:
    """`train`: what all that is fitted sees. `test`: all ratings of the tested users.

    `cut`: the time from which on ratings are to be predicted; None where users are held out whole.
    `share`: that of the ratings before the cut.
    """

    name: str
    train: Dataset
    test: Dataset
    cut: int | None = None
    share: float = 0.0

    @property
    def title(self) -> str:
        """The name for readers."""
        return self.name.replace("-", " ") if self.cut is None else f"a cut at {self.share:.0%}"

    def tuning(self) -> "Split":
        """Return the split of the training data on which baselines are tuned.

        A tenth of the users is tested; of a cut by time those who rated after an earlier cut, with
        the same share of the training ratings before it.
        """
        name = f"{self.name}-validation"
        if self.cut is not None:
            return split_by_time(self.train, self.share, name)
        held_out = fold_of(self.train.user_ids, SEED + 1) == 0
        return Split(name, self.train.of_rows(~held_out), self.train.of_rows(held_out))


def split_by_user(dataset: Dataset, fold: int) -> Split:
    """Return the split that tests the users of a fold, 0 to 9: none of their ratings is trained."""
    tested = fold_of(dataset.user_ids) == fold
    return Split(f"fold-{fold}", dataset.of_rows(~tested), dataset.of_rows(tested))


def split_by_time(dataset: Dataset, share: float, name: str = "") -> Split:
    """Return the split at the time before which lies a share of the ratings.

    Tested are the users who rated after it; what they rated before is trained.
    """
    cut = int(np.quantile(dataset.times, share)) if len(dataset) else 0
    later = dataset.times >= cut
    tested = np.isin(dataset.user_ids, np.unique(dataset.user_ids[later]))
    name = name or f"cut-{round(100 * share)}"
    return Split(name, dataset.of_rows(~later), dataset.of_rows(tested), cut, share)


def fold_of(user_ids: Ints, seed: int = SEED) -> Ints:
    """Return the fold, 0 to 9, of each of n users: a hash of the id."""
    return cast(Ints, (mixed(user_ids, seed) % np.uint64(FOLDS)).astype(np.int64))
