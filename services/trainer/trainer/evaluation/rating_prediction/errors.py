"""Errors of predicted ratings on a random tenth of all ratings, beside means and biases."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from marquee.arrays import Reals
from marquee.domain.recommendation import UserHistory
from marquee.features.dataset import Dataset, position_in
from marquee.features.interactions import RatingRows
from marquee.scoring.rating_biases import MOVIE_DAMPING, USER_DAMPING, damped_means
from trainer.evaluation.protocols.splits import SEED
from trainer.evaluation.served_models import fit_served_model
from trainer.models.parameters import TrainingParameters
from trainer.report.model import RatingErrors


def evaluate_ratings(
    dataset: Dataset, parameters: TrainingParameters, missing: Mapping[str, str]
) -> tuple[RatingErrors, ...]:
    """Return the errors of the global mean, of damped biases and, unless missing, of neural.

    Empty if there is no rating to train on or to test.
    """
    held_out = np.random.default_rng(SEED).random(len(dataset)) < 0.1
    train, test = dataset.of_rows(~held_out), dataset.of_rows(held_out)
    if not len(train) or not len(test):
        return ()
    stars = test.half_stars / 2
    predictions = {
        "global mean": np.full(len(test), float(train.half_stars.mean()) / 2),
        "damped biases": predict_by_biases(train, test),
    }
    if "neural" not in missing:
        predictions["neural"] = _predict_by_network(train, test, parameters)
    return tuple(_errors(name, predicted - stars) for name, predicted in predictions.items())


def predict_by_biases(train: Dataset, test: Dataset) -> Reals:
    """Return mean + movie bias + user bias in stars for each row of `test`, both biases damped.

    A movie or user without ratings in `train` has a bias of 0.
    """
    half_stars = train.half_stars.astype(np.float64) / 2
    mean = half_stars.mean()
    movies, movie_of_test = _shared(train.movie_ids, test.movie_ids)
    users, user_of_test = _shared(train.user_ids, test.user_ids)
    movie_bias = damped_means(movies, half_stars - mean, MOVIE_DAMPING)
    user_bias = damped_means(users, half_stars - mean - movie_bias[movies], USER_DAMPING)
    known = np.append(movie_bias, 0.0)[movie_of_test] + np.append(user_bias, 0.0)[user_of_test]
    predicted: Reals = np.clip(mean + known, 0.5, 5.0)
    return predicted


def _predict_by_network(train: Dataset, test: Dataset, parameters: TrainingParameters) -> Reals:
    served = fit_served_model("neural", train, parameters)
    model, movies = served.model, served.model.movies()
    rows, user_ids = RatingRows.of(train), np.unique(train.user_ids)
    predicted = np.zeros(len(test))
    for user_id in np.unique(test.user_ids).tolist():
        place, known = position_in(user_ids, np.array([user_id]))
        shown, half_stars = rows.of_user(int(place[0])) if known[0] else rows.of_user(0)
        ids = served.movie_ids[shown].tolist() if known[0] else []
        user = UserHistory.of(list(zip(ids, (half_stars / 2).tolist(), strict=False)))
        rows_of_user = np.flatnonzero(test.user_ids == user_id)
        movie_ids = test.movie_ids[rows_of_user].tolist()
        predicted[rows_of_user], _ = model.predict(user.rated, movie_ids, movies)
    return predicted


def _shared(
    train: npt.NDArray[np.int64], test: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return dense numbers of the ids in `train`, and of those in `test`; -1 if not in `train`."""
    known, numbers = np.unique(train, return_inverse=True)
    places, is_known = position_in(known, test)
    return numbers, np.where(is_known, places, -1)


def _errors(name: str, errors: Reals) -> RatingErrors:
    rmse = float(np.sqrt((errors**2).mean()))
    return RatingErrors(name=name, rmse=rmse, mae=float(np.abs(errors).mean()))
