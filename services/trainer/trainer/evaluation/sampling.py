"""Samples of users, where measuring all of them would take too long."""

import numpy as np

from marquee.features.dataset import Dataset, position_in
from trainer.evaluation.protocols.splits import SEED

MAX_RATINGS = 300_000
"""Ratings that the evaluation within a training fits and measures on; ml-latest-small has less.

The gate compares two versions measured alike, and some 200 users of a fold tell them apart.
"""


def sample_of(dataset: Dataset, max_ratings: int = MAX_RATINGS) -> Dataset:
    """Return the data set, or all ratings of random users who have at most `max_ratings` together.

    All movies stay; at least one user does.
    """
    if len(dataset) <= max_ratings:
        return dataset
    users, sizes = np.unique(dataset.user_ids, return_counts=True)
    order = np.random.default_rng(SEED).permutation(len(users))
    n_users = int(np.searchsorted(np.cumsum(sizes[order]), max_ratings, side="right"))
    chosen = order[: max(1, n_users)]
    _, in_sample = position_in(np.sort(users[chosen]), dataset.user_ids)
    return dataset.of_rows(in_sample)
