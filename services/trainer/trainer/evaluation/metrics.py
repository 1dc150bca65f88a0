"""What is measured on ranked lists, and how sure a difference between two recommenders is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from marquee.arrays import Ints, Reals
from marquee.training.ranking_metrics import ndcg_at_k, recall_at_k
from trainer.evaluation.slices import EvaluationCase
from trainer.evaluation.splits import SEED

METRICS = ("recall@20", "ndcg@10", "ndcg@100")
PRIMARY_METRIC = METRICS.index("ndcg@10")
DEPTH = 100
"""Length of the lists that are asked for."""
LIST_SIZE = 10
"""Movies of a list that count for the coverage: what a user sees."""
_RESAMPLES = 2000


@dataclass(frozen=True, eq=False)
class Measurement:
    """What a recommender did on n cases: `values` float64 n × 3 by `METRICS`, `shown` int64 n × 10
    (movie rows, filled up with -1), and a few words on its settings."""

    values: Reals
    shown: Ints
    words: str = ""


MeasurementsBySlice = Mapping[str, Measurement]
"""By the name of the slice."""


@dataclass(frozen=True)
class Difference:
    """A mean difference and its 95 % interval."""

    mean: float
    low: float
    high: float


def measure(cases: Sequence[EvaluationCase], lists: Sequence[Ints], words: str = "") -> Measurement:
    """Return the outcome of one list of movie rows a case, best first."""
    values = np.zeros((len(cases), len(METRICS)))
    shown = np.full((len(cases), LIST_SIZE), -1, np.int64)
    for i, (case, ranked) in enumerate(zip(cases, lists, strict=True)):
        targets = case.targets.tolist()
        values[i] = (
            recall_at_k(ranked, targets, 20),
            ndcg_at_k(ranked, targets, 10),
            ndcg_at_k(ranked, targets, 100),
        )
        shown[i, : len(ranked[:LIST_SIZE])] = ranked[:LIST_SIZE]
    return Measurement(values, shown, words)


def coverage(shown: Ints, n_movies: int) -> float:
    """Return the share of the n movies of a catalogue that are in any list of m × 10 movie rows."""
    return len(np.setdiff1d(shown, [-1])) / n_movies if n_movies else 0.0


def mean_by_user(values: Reals, users: Ints) -> Reals:
    """Return the means of n values (n or n × m) over the cases of each user, users in order."""
    _, owners = np.unique(users, return_inverse=True)
    sums = np.zeros((owners.max(initial=-1) + 1, *values.shape[1:]))
    np.add.at(sums, owners, values)
    counts = np.bincount(owners)
    return sums / counts.reshape(-1, *[1] * (values.ndim - 1))


def paired_difference(ours: Reals, theirs: Reals, users: Ints) -> Difference:
    """Return ours - theirs (n cases each), paired; the interval is a bootstrap over users."""
    by_user = mean_by_user(ours - theirs, users)
    if not len(by_user):
        return Difference(0.0, 0.0, 0.0)
    generator = np.random.default_rng(SEED)
    drawn = generator.integers(0, len(by_user), (_RESAMPLES, len(by_user)))
    low, high = np.quantile(by_user[drawn].mean(axis=1), (0.025, 0.975))
    return Difference(float(by_user.mean()), float(low), float(high))
