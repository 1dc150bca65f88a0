"""The second bar: EASE that sees what users did not like as well, as our own models do.

The baselines of the first bar see liked movies alone, so a margin over them may come of the low
ratings and not of the models. Here every movie has two columns, liked and not liked (3.5 stars and
less), and the ridge of EASE (Steck 2019) leads from both to the liked ones.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from scipy import sparse

from marquee.arrays import Ints, Matrix
from marquee.domain.ratings import POSITIVE
from marquee.features.dataset import Dataset
from marquee.features.interactions import RatingRows
from marquee.scoring.blending import standardise
from marquee.scoring.top_k import top
from marquee.training.ranking_metrics import mean_ndcg
from trainer.evaluation.baselines.models import Scorer, fit_ease, like_matrix
from trainer.evaluation.baselines.tuning import POPULARITY_WEIGHTS, TunedSettings
from trainer.evaluation.metrics import DEPTH, Measurement, measure
from trainer.evaluation.slices import CasesBySlice, EvaluationCase
from trainer.evaluation.splits import Split

GRID = (30, 100, 300, 1000, 3000, 10000)
"""Penalties that are tried: as many settings as any other baseline has."""

_CHUNK = 256
"""Cases that are scored at once, since each has a score of every movie."""


def measure_two_channel_ease(
    split: Split, cases: CasesBySlice, draw: Callable[[Dataset], CasesBySlice]
) -> dict[str, Measurement]:
    """Return how it does on each slice, tuned on the validation users of the split.

    `draw` returns the cases of a data set's users. Fitted anew on all training users once tuned.
    """
    kept, held_out = split.tuning()
    choices = _tune(kept, draw(held_out))
    popular, both = _popularity(split.train), both_of(split.train)
    fitted: dict[float, Scorer] = {}
    outcomes = {}
    for name, chosen in cases.items():
        choice = choices.get(name, TunedSettings({"penalty": GRID[-1]}))
        penalty = choice.settings["penalty"]
        if penalty not in fitted:
            fitted[penalty] = fit_ease(both, penalty)
        lists = _lists(fitted[penalty], choice.popularity, popular, chosen)
        outcomes[name] = measure(chosen, lists, str(choice))
    return outcomes


def both_of(dataset: Dataset) -> sparse.csr_matrix:
    """Return who liked and who did not like which movie, users × 2 movies: likes first."""
    rows, n_movies = RatingRows.of(dataset), len(dataset.movies)
    columns = rows.movies + np.where(rows.liked, 0, n_movies)
    ones = np.ones(len(columns), np.float32)
    return sparse.csr_matrix((ones, (rows.owners, columns)), (len(rows), 2 * n_movies))


def shown_to(cases: Sequence[EvaluationCase], n_movies: int) -> sparse.csr_matrix:
    """Return what is seen of m cases, m × 2 movies; a viewed movie counts as a liked one."""
    columns = [
        case.movies + np.where(case.viewed | (case.half_stars >= POSITIVE), 0, n_movies)
        for case in cases
    ]
    starts = np.cumsum([0, *map(len, columns)])
    joined = np.concatenate([np.zeros(0, np.int64), *columns])
    ones = np.ones(len(joined), np.float32)
    return sparse.csr_matrix((ones, joined, starts), (len(cases), 2 * n_movies))


def _tune(kept: Dataset, validation: CasesBySlice) -> dict[str, TunedSettings]:
    """Return the best penalty and weight of popularity for each slice with a validation case."""
    popular, both = _popularity(kept), both_of(kept)
    best: dict[str, TunedSettings] = {}
    for penalty in GRID:
        scorer = fit_ease(both, penalty)
        for name, cases in validation.items():
            if not cases:
                continue
            own, favour = _signals(scorer, popular, cases)
            for weight in POPULARITY_WEIGHTS:
                reached = _quality(own + np.float32(weight) * favour, cases)
                if reached > best.get(name, TunedSettings()).reached:
                    best[name] = TunedSettings({"penalty": penalty}, weight, reached)
    return best


def _lists(
    scorer: Scorer, popularity: float, popular: Matrix, cases: Sequence[EvaluationCase]
) -> list[Ints]:
    lists: list[Ints] = []
    for start in range(0, len(cases), _CHUNK):
        chunk = cases[start : start + _CHUNK]
        own, favour = _signals(scorer, popular, chunk)
        scores = own + np.float32(popularity) * favour
        for row, case in zip(scores, chunk, strict=True):
            lists.append(top(row, _unseen(case, len(popular)), DEPTH))
    return lists


def _popularity(dataset: Dataset) -> Matrix:
    likes = np.asarray(like_matrix(dataset).sum(axis=0), np.float32).ravel()
    popular: Matrix = np.log1p(likes)
    return popular


def _signals(
    scorer: Scorer, popular: Matrix, cases: Sequence[EvaluationCase]
) -> tuple[Matrix, Matrix]:
    """Return z-scores over the movies not shown, m × movies: of EASE, of log popularity."""
    n_movies = len(popular)
    own = scorer.scores(shown_to(cases, n_movies))[:, :n_movies].copy()
    favour = np.empty_like(own)
    for i, case in enumerate(cases):
        unseen = _unseen(case, n_movies)
        own[i], favour[i] = standardise(own[i], unseen), standardise(popular, unseen)
    return own, favour


def _quality(scores: Matrix, cases: Sequence[EvaluationCase]) -> float:
    relevant = np.zeros(scores.shape, bool)
    for i, case in enumerate(cases):
        scores[i, case.movies] = -np.inf
        relevant[i, case.targets] = True
    return mean_ndcg(scores, relevant, np.array([len(case.targets) for case in cases], np.int64))


def _unseen(case: EvaluationCase, n_movies: int) -> npt.NDArray[np.bool_]:
    unseen = np.ones(n_movies, bool)
    unseen[case.movies] = False
    return unseen
