"""Predicted ratings of myFM (Bayesian factorization machines), where a reader installed it."""

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy import sparse

from marquee.arrays import Ints, Reals
from marquee.features.dataset import position_in
from marquee.features.interactions import RatingRows
from marquee.features.movie_vector import MovieVectors
from trainer.evaluation.rating_prediction.splits import PredictionTrial

RANK, SAMPLES = 10, 300
"""Factors, and rounds of Gibbs sampling."""


def comparisons() -> Mapping[str, Callable[[PredictionTrial], list[Reals]]]:
    """Return the predictors that are installed beside ours."""
    return {"myFM": predict_by_myfm} if importlib.util.find_spec("myfm") else {}


def predict_by_myfm(trial: PredictionTrial) -> list[Reals]:
    """Return the predictions of each question: ids, both implicit bags, and content as blocks."""
    myfm: Any = importlib.import_module("myfm")
    user_ids = np.unique(trial.whole.user_ids)
    movie_ids = np.array([movie.movie_id for movie in trial.whole.movies], np.int64)
    train, asked = trial.train, np.concatenate([question.asked for question in trial.questions])
    users = np.searchsorted(user_ids, train.user_ids)
    movies, _ = position_in(movie_ids, train.movie_ids)
    blocks = _blocks(trial, users, movies, len(user_ids))
    machine = myfm.MyFMRegressor(rank=RANK, random_seed=0)
    machine.fit(
        None,
        train.half_stars / 2,
        X_rel=_related(myfm, blocks, users, movies),
        n_iter=SAMPLES,
        n_kept_samples=SAMPLES * 2 // 3,
    )
    asked_users = np.searchsorted(user_ids, trial.whole.user_ids[asked])
    asked_movies, _ = position_in(movie_ids, trial.whole.movie_ids[asked])
    predicted = machine.predict(None, _related(myfm, blocks, asked_users, asked_movies))
    ends = np.cumsum([len(question.asked) for question in trial.questions])
    return np.split(np.asarray(predicted, np.float64), ends[:-1])


def _blocks(
    trial: PredictionTrial, users: Ints, movies: Ints, n_users: int
) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """Return what is said of each user, and of each movie."""
    n_movies = len(trial.whole.movies)
    seen = sparse.csr_matrix((np.ones(len(users)), (users, movies)), (n_users, n_movies))
    sums = RatingRows.of(trial.train).sums(n_movies)
    vectors = MovieVectors.fit(trial.whole.movies, sums)
    content = vectors.matrix(trial.whole.movies, np.zeros_like(sums))[:, vectors.content]
    of_users = sparse.hstack([sparse.identity(n_users), _scaled(seen)], "csr")
    of_movies = sparse.hstack([sparse.identity(n_movies), _scaled(seen.T.tocsr()), content], "csr")
    return of_users, of_movies


def _scaled(bags: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return each row over the root of how many it holds."""
    counts = np.maximum(np.diff(bags.indptr), 1)
    return sparse.diags(1 / np.sqrt(counts)) @ bags


def _related(
    myfm: Any, blocks: tuple[sparse.csr_matrix, sparse.csr_matrix], users: Ints, movies: Ints
) -> list[Any]:
    return [
        myfm.RelationBlock(numbers.tolist(), block)
        for numbers, block in zip((users, movies), blocks, strict=True)
    ]
