"""Tuning of baselines: settings and weight of popularity by slice, on validation users."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from marquee.arrays import Ints, Mask, Matrix
from marquee.features.dataset import Dataset
from marquee.training.ranking_metrics import mean_ndcg
from trainer.evaluation.baselines.families import BaselineFamily
from trainer.evaluation.baselines.models import Scorer, like_matrix
from trainer.evaluation.measurements import DEPTH, Measurement, measure
from trainer.evaluation.protocols.cases import CasesBySlice, EvaluationCase, draw
from trainer.evaluation.protocols.slices import Slice
from trainer.evaluation.protocols.splits import Split

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


class FittedFamily:
    """A family of baselines on training data: each setting is fitted once, when it is needed."""

    def __init__(self, family: BaselineFamily, train: Dataset) -> None:
        self._family, self._matrix = family, family.matrix(train)
        likes = np.asarray(like_matrix(train).sum(axis=0), np.float32).ravel()
        self._log_likes = np.log1p(likes)
        self._scorers: dict[str, Scorer] = {}

    def measure(self, cases: Sequence[EvaluationCase], chosen: TunedSettings) -> Measurement:
        """Return the measurement of the lists at some settings."""
        return measure(cases, self.lists(cases, chosen), str(chosen))

    def lists(self, cases: Sequence[EvaluationCase], chosen: TunedSettings) -> list[Ints]:
        """Return the best movie rows of each case, without the movies that it shows."""
        lists: list[Ints] = []
        for start in range(0, len(cases), _CHUNK):
            chunk = cases[start : start + _CHUNK]
            own, popularities = self._signals(chosen.settings, chunk)
            scores = _hide(own + np.float32(chosen.popularity) * popularities, chunk)
            order = np.argsort(-scores, axis=1, kind="stable")[:, :DEPTH]
            lists += [
                row[hidden > -np.inf].astype(np.int64)
                for row, hidden in zip(order, np.take_along_axis(scores, order, 1), strict=True)
            ]
        return lists

    def best_popularity(
        self, settings: Mapping[str, float], cases: Sequence[EvaluationCase]
    ) -> TunedSettings:
        """Return the settings with the weight of popularity that is best on the cases."""
        sums = np.zeros(len(POPULARITY_WEIGHTS))
        for start in range(0, len(cases), _CHUNK):
            chunk = cases[start : start + _CHUNK]
            own, popularities = self._signals(settings, chunk)
            relevant, counts = _targets(chunk, own.shape[1])
            for i, weight in enumerate(POPULARITY_WEIGHTS):
                scores = _hide(own + np.float32(weight) * popularities, chunk)
                sums[i] += len(chunk) * mean_ndcg(scores, relevant, counts)
        best = int(np.argmax(sums))
        return TunedSettings(settings, POPULARITY_WEIGHTS[best], float(sums[best] / len(cases)))

    def _signals(
        self, settings: Mapping[str, float], cases: Sequence[EvaluationCase]
    ) -> tuple[Matrix, Matrix]:
        """Return z-scores over unseen movies, m × n: of the baseline and of log popularity."""
        n_movies = len(self._log_likes)
        unseen = np.ones((len(cases), n_movies), bool)
        for i, case in enumerate(cases):
            unseen[i, case.movies] = False
        own = self._scores(settings, cases)
        popularities = np.tile(self._log_likes, (len(cases), 1))
        return _standardised(own, unseen), _standardised(popularities, unseen)

    def _scores(self, settings: Mapping[str, float], cases: Sequence[EvaluationCase]) -> Matrix:
        n_movies = len(self._log_likes)
        if not self._matrix.nnz:  # before an early cut nothing may be liked yet
            return np.zeros((len(cases), n_movies), np.float32)
        return self._scorer(settings).scores(self._family.fold_ins(cases, n_movies))

    def _scorer(self, settings: Mapping[str, float]) -> Scorer:
        key = str(settings)
        if key not in self._scorers:
            self._scorers[key] = self._family.fit(self._matrix, **settings)
        return self._scorers[key]


def measure_baseline(
    family: BaselineFamily, split: Split, cases: CasesBySlice, slices: Sequence[Slice]
) -> dict[str, Measurement]:
    """Return the measurements of a baseline by slice, tuned on validation users of the split.

    Args:
        family: The baseline.
        split: Training and test users. After tuning the baseline is fitted to all training users.
        cases: Cases of test users by slice.
        slices: The slices; those of validation users are drawn by the same protocol.
    """
    validation = split.tuning()
    tuned = tune_by_slice(family, validation.train, draw(validation, slices))
    fitted, default = FittedFamily(family, split.train), TunedSettings(family.grid[0])
    return {name: fitted.measure(own, tuned.get(name, default)) for name, own in cases.items()}


def tune_by_slice(
    family: BaselineFamily, train: Dataset, validation: CasesBySlice
) -> dict[str, TunedSettings]:
    """Return the best settings for each slice that has a validation case."""
    fitted = FittedFamily(family, train)
    best: dict[str, TunedSettings] = {}
    for settings in family.grid:
        for name, cases in validation.items():
            if not cases:
                continue
            tuned = fitted.best_popularity(settings, cases)
            if tuned.score > best.get(name, TunedSettings()).score:
                best[name] = tuned
    return best


def measure_on_validation(
    family: BaselineFamily, train: Dataset, cases: CasesBySlice
) -> dict[str, Measurement]:
    """Return the measurements of a baseline on the cases that it is tuned on, by slice."""
    tuned, fitted = tune_by_slice(family, train, cases), FittedFamily(family, train)
    return {
        name: fitted.measure(own, tuned.get(name, TunedSettings(family.grid[0])))
        for name, own in cases.items()
    }


def _standardised(scores: Matrix, unseen: Mask) -> Matrix:
    mean = scores.mean(axis=1, keepdims=True, where=unseen)
    deviation = scores.std(axis=1, keepdims=True, where=unseen)
    scaled: Matrix = (scores - mean) / np.where(deviation > 1e-12, deviation, np.float32(1))
    return scaled


def _targets(cases: Sequence[EvaluationCase], n_movies: int) -> tuple[Mask, Ints]:
    """Return which movies each of m cases wants, m × n_movies, and how many."""
    relevant = np.zeros((len(cases), n_movies), bool)
    for i, case in enumerate(cases):
        relevant[i, case.targets] = True
    return relevant, relevant.sum(axis=1)


def _hide(scores: Matrix, cases: Sequence[EvaluationCase]) -> Matrix:
    for i, case in enumerate(cases):
        scores[i, case.movies] = -np.inf
    return scores
