"""Tuning of baselines: settings and weight of popularity by slice, on validation users."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import sparse

from marquee.arrays import Ints, Matrix
from marquee.features.dataset import Dataset
from marquee.training.ranking_metrics import mean_ndcg
from trainer.evaluation.baselines.models import BaselineFamily, Scorer, fold_in_matrix, like_matrix
from trainer.evaluation.measurements import DEPTH, Measurement, measure
from trainer.evaluation.slices import CasesBySlice, EvaluationCase
from trainer.evaluation.splits import Split

POPULARITY_WEIGHTS = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Weights tried of the z-score of log popularity, beside 1 for that of the baseline."""

_CHUNK = 256
"""Cases that are scored at once: each has a score of every movie."""


@dataclass(frozen=True)
class TunedSettings:
    """Settings of a baseline, its weight of popularity, and their `mean_ndcg` on validation."""

    settings: Mapping[str, float] = field(default_factory=dict)
    popularity: float = 1.0
    score: float = -1.0

    def __str__(self) -> str:
        settings = [f"{name} {value:g}" for name, value in self.settings.items()]
        return ", ".join([*settings, f"popularity {self.popularity:g}"])


def measure_baseline(
    family: BaselineFamily,
    split: Split,
    cases: CasesBySlice,
    draw: Callable[[Dataset], CasesBySlice],
) -> dict[str, Measurement]:
    """Return the measurements of a baseline by slice, tuned on validation users of the split.

    Args:
        family: The baseline.
        split: Training and test users. After tuning the baseline is fitted to all training users.
        cases: Cases of test users.
        draw: Returns the cases of a data set's users by slice.
    """
    training, validation = split.tuning()
    tuned = tune_by_slice(family, like_matrix(training), draw(validation))
    likes = like_matrix(split.train)
    fitted: dict[str, Scorer] = {}
    measurements = {}
    for name, own in cases.items():
        chosen = tuned.get(name, TunedSettings(family.grid[0]))
        key = str(chosen.settings)
        if key not in fitted:
            fitted[key] = family.fit(likes, **chosen.settings)
        lists = ranked_lists(fitted[key], chosen.popularity, likes, own)
        measurements[name] = measure(own, lists, str(chosen))
    return measurements


def tune_by_slice(
    family: BaselineFamily, likes: sparse.csr_matrix, validation: CasesBySlice
) -> dict[str, TunedSettings]:
    """Return the best settings for each slice that has a validation case."""
    best: dict[str, TunedSettings] = {}
    for settings in family.grid:
        scorer = family.fit(likes, **settings)
        for name, cases in validation.items():
            if not cases:
                continue
            tuned = _best_popularity(scorer, settings, likes, cases)
            if tuned.score > best.get(name, TunedSettings()).score:
                best[name] = tuned
    return best


def ranked_lists(
    scorer: Scorer, popularity: float, likes: sparse.csr_matrix, cases: Sequence[EvaluationCase]
) -> list[Ints]:
    """Return the best movie rows of each case, without the movies that it shows."""
    lists: list[Ints] = []
    for start in range(0, len(cases), _CHUNK):
        chunk = cases[start : start + _CHUNK]
        own, popularities = _signals(scorer, likes, chunk)
        scores = _hide(own + np.float32(popularity) * popularities, chunk)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :DEPTH]
        lists += [
            row[hidden > -np.inf].astype(np.int64)
            for row, hidden in zip(order, np.take_along_axis(scores, order, 1), strict=True)
        ]
    return lists


def _best_popularity(
    scorer: Scorer,
    settings: Mapping[str, float],
    likes: sparse.csr_matrix,
    cases: Sequence[EvaluationCase],
) -> TunedSettings:
    own, popularities = _signals(scorer, likes, cases)
    relevant = np.zeros(own.shape, bool)
    for i, case in enumerate(cases):
        relevant[i, case.targets] = True
    counts = np.array([len(case.targets) for case in cases], np.int64)
    scores = [
        mean_ndcg(_hide(own + np.float32(weight) * popularities, cases), relevant, counts)
        for weight in POPULARITY_WEIGHTS
    ]
    i = int(np.argmax(scores))
    return TunedSettings(settings, POPULARITY_WEIGHTS[i], scores[i])


def _signals(
    scorer: Scorer, likes: sparse.csr_matrix, cases: Sequence[EvaluationCase]
) -> tuple[Matrix, Matrix]:
    """Return z-scores over unseen movies, m × movies: of the baseline, and of log popularity."""
    n_movies = likes.shape[1]
    log_likes = np.log1p(np.asarray(likes.sum(axis=0)).ravel()).astype(np.float32)
    unseen = np.ones((len(cases), n_movies), bool)
    for i, case in enumerate(cases):
        unseen[i, case.movies] = False
    own = scorer.scores(fold_in_matrix(cases, n_movies))
    return _standardised(own, unseen), _standardised(np.tile(log_likes, (len(cases), 1)), unseen)


def _standardised(scores: Matrix, unseen: npt.NDArray[np.bool_]) -> Matrix:
    mean = scores.mean(axis=1, keepdims=True, where=unseen)
    deviation = scores.std(axis=1, keepdims=True, where=unseen)
    scaled: Matrix = (scores - mean) / np.where(deviation > 1e-12, deviation, np.float32(1))
    return scaled


def _hide(scores: Matrix, cases: Sequence[EvaluationCase]) -> Matrix:
    for i, case in enumerate(cases):
        scores[i, case.movies] = -np.inf
    return scores
