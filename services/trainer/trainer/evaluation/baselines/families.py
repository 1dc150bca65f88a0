"""Families of baselines: each with six settings that are tried on validation users."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from scipy import sparse

from marquee.features.dataset import Dataset
from trainer.evaluation.baselines.bpr import fit_bpr
from trainer.evaluation.baselines.models import (
    Scorer,
    fit_als,
    fit_ease,
    fit_item_knn,
    fold_in_matrix,
    like_matrix,
)
from trainer.evaluation.baselines.recent_popularity import age_matrix, fit_recent_popularity
from trainer.evaluation.baselines.slim import fit_slim
from trainer.evaluation.baselines.two_channel_ease import (
    fit_two_channel_ease,
    two_channel_fold_ins,
    two_channel_matrix,
)
from trainer.evaluation.protocols.cases import EvaluationCase
from trainer.report.model import RECENT_POPULARITY, TWO_CHANNEL_EASE

Grid = tuple[Mapping[str, float], ...]


@dataclass(frozen=True)
class BaselineFamily:
    """A kind of baseline, with the settings tried on validation users: six of each kind.

    `fit` takes the matrix that `matrix` makes of the training data, and one of the settings.
    `fold_ins` makes the rows to score of cases and the number of movies.
    """

    name: str
    grid: Grid
    fit: Callable[..., Scorer]
    matrix: Callable[[Dataset], sparse.csr_matrix] = like_matrix
    fold_ins: Callable[[Sequence[EvaluationCase], int], sparse.csr_matrix] = fold_in_matrix


def _grid(**settings: Sequence[float]) -> Grid:
    if len(settings) == 1:
        [(name, values)] = settings.items()
        return tuple({name: value} for value in values)
    (first, firsts), (second, seconds) = settings.items()
    return tuple({first: a, second: b} for a in firsts for b in seconds)


_PENALTIES = _grid(penalty=(30, 100, 300, 1000, 3000, 10000))

ITEM_KNN = BaselineFamily(
    "ItemKNN", _grid(shrinkage=(1, 10, 100), neighbours=(200, 2000)), fit_item_knn
)
EASE = BaselineFamily("EASE", _PENALTIES, fit_ease)
EASE_OF_BOTH = BaselineFamily(
    TWO_CHANNEL_EASE,
    _PENALTIES,
    fit_two_channel_ease,
    two_channel_matrix,
    two_channel_fold_ins,
)
FAMILIES = (
    BaselineFamily(
        RECENT_POPULARITY,
        _grid(half_life=(7, 30, 90, 180, 365, 1000)),
        fit_recent_popularity,
        age_matrix,
    ),
    ITEM_KNN,
    BaselineFamily("ALS", _grid(regularization=(3, 30, 100), confidence=(2, 8)), fit_als),
    EASE,
    EASE_OF_BOTH,
    BaselineFamily("BPR", _grid(regularization=(0.01, 0.05, 0.1), iterations=(100, 300)), fit_bpr),
    BaselineFamily("SLIM", _grid(l1=(1, 3, 10), l2=(100, 1000)), fit_slim),
)
"""All baselines that are tuned, in the order of the tables."""
