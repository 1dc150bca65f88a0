"""Rating predictions of myFM (Bayesian factorization machines), if it is installed."""

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
"""Number of factors, and rounds of Gibbs sampling."""


def comparisons() -> Mapping[str, Callable[[PredictionTrial], list[Reals]]]:
    """Return the further predictors that are installed, by name."""
    return {"myFM": predict_by_myfm} if importlib.util.find_spec("myfm") else {}


def predict_by_myfm(trial: PredictionTrial) -> list[Reals]:
    """Return the predicted stars of each task.

    The relation blocks of users and movies hold their ids and implicit feedback (as SVD++), that of
    movies their content too.
    """
    myfm: Any = importlib.import_module("myfm")
    user_ids = np.unique(trial.whole.user_ids)
    movie_ids = np.array([movie.movie_id for movie in trial.whole.movies], np.int64)
    train, targets = trial.train, np.concatenate([task.targets for task in trial.tasks])
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
    target_users = np.searchsorted(user_ids, trial.whole.user_ids[targets])
    target_movies, _ = position_in(movie_ids, trial.whole.movie_ids[targets])
    predicted = machine.predict(None, _related(myfm, blocks, target_users, target_movies))
    ends = np.cumsum([len(task.targets) for task in trial.tasks])
    return np.split(np.asarray(predicted, np.float64), ends[:-1])


def _blocks(
    trial: PredictionTrial, users: Ints, movies: Ints, n_users: int
) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """Return the rows of features of all users, and of all movies."""
    n_movies = len(trial.whole.movies)
    seen = sparse.csr_matrix((np.ones(len(users)), (users, movies)), (n_users, n_movies))
    sums = RatingRows.of(trial.train).sums(n_movies)
    vectors = MovieVectors.fit(trial.whole.movies, sums)
    content = vectors.matrix(trial.whole.movies, np.zeros_like(sums))[:, vectors.content]
    of_users = sparse.hstack([sparse.identity(n_users), _scaled(seen)], "csr")
    of_movies = sparse.hstack([sparse.identity(n_movies), _scaled(seen.T.tocsr()), content], "csr")
    return of_users, of_movies


def _scaled(bags: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return each row divided by the root of its number of entries."""
    counts = np.maximum(np.diff(bags.indptr), 1)
    return sparse.diags(1 / np.sqrt(counts)) @ bags


def _related(
    myfm: Any, blocks: tuple[sparse.csr_matrix, sparse.csr_matrix], users: Ints, movies: Ints
) -> list[Any]:
    return [
        myfm.RelationBlock(numbers.tolist(), block)
        for numbers, block in zip((users, movies), blocks, strict=True)
    ]
