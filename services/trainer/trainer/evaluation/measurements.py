"""Metrics of ranked lists by case, and bootstrap intervals of differences between recommenders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from marquee.arrays import Ints, Reals
from marquee.training.ranking_metrics import ndcg_at_k, recall_at_k
from trainer.evaluation.protocols.cases import EvaluationCase
from trainer.evaluation.protocols.splits import SEED

METRICS = ("recall@20", "ndcg@10", "ndcg@100")
PRIMARY_METRIC = METRICS.index("ndcg@10")
DEPTH = 100
"""Length of the lists that are asked for."""
LIST_SIZE = 10
"""Movies of a list that a user sees: those that count for coverage, novelty and diversity."""
KEPT_PLACES = 20
"""Places of a list that a measurement keeps: those of recall@20."""
_RESAMPLES = 2000


@dataclass(frozen=True, eq=False)
class Measurement:
    """The lists of a recommender on n cases, measured.

    `values`: n × 3, by `METRICS`. `shown`: n × 20 movie rows, best first, padded with -1. `words`:
    the settings of the recommender, for readers.
    """

    values: Reals
    shown: Ints
    words: str = ""

    @property
    def first_page(self) -> Ints:
        """The movie rows of the lists of ten, n × 10."""
        return self.shown[:, :LIST_SIZE]


MeasurementsBySlice = Mapping[str, Measurement]


@dataclass(frozen=True)
class Difference:
    """A mean difference and its 95 % interval."""

    mean: float
    low: float
    high: float


def measure(cases: Sequence[EvaluationCase], lists: Sequence[Ints], words: str = "") -> Measurement:
    """Return the measurement of lists of movie rows, best first, one a case."""
    values = np.zeros((len(cases), len(METRICS)))
    shown = np.full((len(cases), KEPT_PLACES), -1, np.int64)
    for i, (case, ranked) in enumerate(zip(cases, lists, strict=True)):
        targets = case.targets.tolist()
        values[i] = (
            recall_at_k(ranked, targets, 20),
            ndcg_at_k(ranked, targets, 10),
            ndcg_at_k(ranked, targets, 100),
        )
        shown[i, : len(ranked[:KEPT_PLACES])] = ranked[:KEPT_PLACES]
    return Measurement(values, shown, words)


def mean_by_user(values: Reals, users: Ints) -> Reals:
    """Return the means of n values (n or n × m) over the cases of each user, by rising user id."""
    _, owners = np.unique(users, return_inverse=True)
    sums = np.zeros((owners.max(initial=-1) + 1, *values.shape[1:]))
    np.add.at(sums, owners, values)
    counts = np.bincount(owners)
    return sums / counts.reshape(-1, *[1] * (values.ndim - 1))


def paired_difference(ours: Reals, theirs: Reals, users: Ints) -> Difference:
    """Return the mean of ours - theirs over users, with a percentile bootstrap (Efron 1979).

    Args:
        ours: n values, one a case.
        theirs: n values of the same cases.
        users: The user of each case. Users are resampled, since the cases of one are not
            independent.
    """
    by_user = mean_by_user(ours - theirs, users)
    if not len(by_user):
        return Difference(0.0, 0.0, 0.0)
    generator = np.random.default_rng(SEED)
    drawn = generator.integers(0, len(by_user), (_RESAMPLES, len(by_user)))
    low, high = np.quantile(by_user[drawn].mean(axis=1), (0.025, 0.975))
    return Difference(float(by_user.mean()), float(low), float(high))
