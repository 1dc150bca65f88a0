"""Two-channel EASE: a baseline that sees likes and dislikes, like Marquee's own models.

The other baselines see liked movies alone, so a gain over them may be owed to the low ratings and
not to the models. Here every movie has two columns, liked and not liked (3.5 stars and less), and
the ridge regression of EASE (Steck 2019) leads from both to the liked ones.
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy import sparse

from marquee.arrays import Ints, Mask, Matrix, Vector
from marquee.domain.ratings import POSITIVE
from marquee.features.dataset import Dataset
from marquee.features.interactions import RatingRows
from marquee.scoring.blending import standardise
from marquee.scoring.top_k import top
from marquee.training.ranking_metrics import mean_ndcg
from trainer.evaluation.baselines.models import Scorer, fit_ease, like_matrix
from trainer.evaluation.baselines.tuning import POPULARITY_WEIGHTS, TunedSettings
from trainer.evaluation.measurements import DEPTH, Measurement, measure
from trainer.evaluation.slices import CasesBySlice, EvaluationCase
from trainer.evaluation.splits import Split

GRID = (30, 100, 300, 1000, 3000, 10000)
"""Penalties that are tried: as many settings as any other baseline has."""

_CHUNK = 256
"""Cases that are scored at once: each has a score of every movie."""


def measure_two_channel_ease(
    split: Split, cases: CasesBySlice, draw: Callable[[Dataset], CasesBySlice]
) -> dict[str, Measurement]:
    """Return the measurements of the baseline by slice, tuned on validation users of the split.

    Args:
        split: Training and test users. After tuning the model is fitted to all training users.
        cases: Cases of test users.
        draw: Returns the cases of a data set's users by slice.
    """
    training, validation = split.tuning()
    tuned = _tune(training, draw(validation))
    log_likes, both = _log_likes(split.train), two_channel_matrix(split.train)
    fitted: dict[float, Scorer] = {}
    measurements = {}
    for name, own in cases.items():
        chosen = tuned.get(name, TunedSettings({"penalty": GRID[-1]}))
        penalty = chosen.settings["penalty"]
        if penalty not in fitted:
            fitted[penalty] = fit_ease(both, penalty)
        lists = _lists(fitted[penalty], chosen.popularity, log_likes, own)
        measurements[name] = measure(own, lists, str(chosen))
    return measurements


def two_channel_matrix(dataset: Dataset) -> sparse.csr_matrix:
    """Return likes and dislikes of a data set, users × 2 movies, 1 or 0: likes first."""
    rows, n_movies = RatingRows.of(dataset), len(dataset.movies)
    columns = rows.movies + np.where(rows.liked, 0, n_movies)
    ones = np.ones(len(columns), np.float32)
    return sparse.csr_matrix((ones, (rows.owners, columns)), (len(rows), 2 * n_movies))


def two_channel_fold_ins(cases: Sequence[EvaluationCase], n_movies: int) -> sparse.csr_matrix:
    """Return the input for m cases, m × 2 movies, 1 or 0; a viewed movie counts as liked."""
    columns = [
        case.movies + np.where(case.viewed | (case.half_stars >= POSITIVE), 0, n_movies)
        for case in cases
    ]
    starts = np.cumsum([0, *map(len, columns)])
    joined = np.concatenate([np.zeros(0, np.int64), *columns])
    ones = np.ones(len(joined), np.float32)
    return sparse.csr_matrix((ones, joined, starts), (len(cases), 2 * n_movies))


def _tune(training: Dataset, validation: CasesBySlice) -> dict[str, TunedSettings]:
    """Return the best penalty and weight of popularity for each slice with a validation case."""
    log_likes, both = _log_likes(training), two_channel_matrix(training)
    best: dict[str, TunedSettings] = {}
    for penalty in GRID:
        scorer = fit_ease(both, penalty)
        for name, cases in validation.items():
            if not cases:
                continue
            own, popularities = _signals(scorer, log_likes, cases)
            for weight in POPULARITY_WEIGHTS:
                score = _score(own + np.float32(weight) * popularities, cases)
                if score > best.get(name, TunedSettings()).score:
                    best[name] = TunedSettings({"penalty": penalty}, weight, score)
    return best


def _lists(
    scorer: Scorer, popularity: float, log_likes: Vector, cases: Sequence[EvaluationCase]
) -> list[Ints]:
    lists: list[Ints] = []
    for start in range(0, len(cases), _CHUNK):
        chunk = cases[start : start + _CHUNK]
        own, popularities = _signals(scorer, log_likes, chunk)
        scores = own + np.float32(popularity) * popularities
        for row, case in zip(scores, chunk, strict=True):
            lists.append(top(row, _unseen(case, len(log_likes)), DEPTH))
    return lists


def _log_likes(dataset: Dataset) -> Vector:
    likes = np.asarray(like_matrix(dataset).sum(axis=0), np.float32).ravel()
    log_likes: Vector = np.log1p(likes)
    return log_likes


def _signals(
    scorer: Scorer, log_likes: Vector, cases: Sequence[EvaluationCase]
) -> tuple[Matrix, Matrix]:
    """Return z-scores over unseen movies, m × movies: of EASE, and of log popularity."""
    n_movies = len(log_likes)
    own = scorer.scores(two_channel_fold_ins(cases, n_movies))[:, :n_movies].copy()
    popularities = np.empty_like(own)
    for i, case in enumerate(cases):
        unseen = _unseen(case, n_movies)
        own[i] = standardise(own[i], unseen)
        popularities[i] = standardise(log_likes, unseen)
    return own, popularities


def _score(scores: Matrix, cases: Sequence[EvaluationCase]) -> float:
    relevant = np.zeros(scores.shape, bool)
    for i, case in enumerate(cases):
        scores[i, case.movies] = -np.inf
        relevant[i, case.targets] = True
    return mean_ndcg(scores, relevant, np.array([len(case.targets) for case in cases], np.int64))


def _unseen(case: EvaluationCase, n_movies: int) -> Mask:
    unseen = np.ones(n_movies, bool)
    unseen[case.movies] = False
    return unseen
