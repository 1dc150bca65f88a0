"""Splits for rating prediction: by ratings, by users and by movies; the damped-bias baseline."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from marquee.arrays import Ints, Mask, Reals
from marquee.features.dataset import Dataset, position_in
from marquee.scoring.rating_biases import damped_mean, damped_means

GIVEN = (1, 3, 5, 10, 20)
"""Numbers of ratings shown of an unseen user; the targets lie beyond the largest of them."""

SHARE = 0.1


@dataclass(frozen=True, eq=False)
class PredictionTask:
    """Ratings of one user that are given, and those to be predicted: rows of the whole data."""

    user_id: int
    given: Ints
    targets: Ints


@dataclass(frozen=True, eq=False)
class PredictionTrial:
    """A split: the training set, and a task for each user, with rows of the whole data."""

    whole: Dataset
    train: Dataset
    tasks: tuple[PredictionTask, ...]

    @property
    def truth(self) -> Reals:
        """The true stars of the targets, task by task."""
        rows = [task.targets for task in self.tasks]
        stars: Reals = self.whole.half_stars[np.concatenate(rows)] / 2
        return stars


def by_ratings(dataset: Dataset, seed: int) -> PredictionTrial:
    """Return the warm split: a random tenth of all ratings is held out."""
    held_out = np.random.default_rng(seed).random(len(dataset)) < SHARE
    return _trial_of_ratings(dataset, held_out)


def by_movies(dataset: Dataset, seed: int) -> PredictionTrial:
    """Return the split in which all ratings of a random tenth of the movies are held out."""
    movie_ids = np.array([movie.movie_id for movie in dataset.movies], np.int64)
    chosen = movie_ids[np.random.default_rng(seed).random(len(movie_ids)) < SHARE]
    return _trial_of_ratings(dataset, np.isin(dataset.movie_ids, chosen))


def by_users(dataset: Dataset, seed: int) -> dict[int, PredictionTrial]:
    """Return the split in which a random tenth of the users is held out, by ratings given.

    Tested are those with more than max(GIVEN) ratings; their targets are the same however many
    ratings are given.
    """
    rng = np.random.default_rng(seed)
    user_ids = np.unique(dataset.user_ids)
    chosen = rng.permutation(user_ids)[: max(1, round(SHARE * len(user_ids)))]
    held_out = np.isin(dataset.user_ids, chosen)
    train = dataset.of_rows(~held_out)
    drawn = [
        (user_id, rng.permutation(rows))
        for user_id, rows in _rows_by_user(dataset, held_out)
        if len(rows) > max(GIVEN)
    ]
    return {
        n: PredictionTrial(
            dataset,
            train,
            tuple(PredictionTask(u, rows[:n], rows[max(GIVEN) :]) for u, rows in drawn),
        )
        for n in GIVEN
    }


def _trial_of_ratings(dataset: Dataset, held_out: Mask) -> PredictionTrial:
    """Return the trial in which all ratings of a user that are not held out are given."""
    given = dict(_rows_by_user(dataset, ~held_out))
    empty = np.zeros(0, np.int64)
    tasks = tuple(
        PredictionTask(user_id, given.get(user_id, empty), rows)
        for user_id, rows in _rows_by_user(dataset, held_out)
    )
    return PredictionTrial(dataset, dataset.of_rows(~held_out), tasks)


def _rows_by_user(dataset: Dataset, chosen: Mask) -> Iterator[tuple[int, Ints]]:
    rows = np.flatnonzero(chosen)
    rows = rows[np.argsort(dataset.user_ids[rows], kind="stable")]
    user_ids, starts = np.unique(dataset.user_ids[rows], return_index=True)
    yield from zip(user_ids.tolist(), np.split(rows, starts[1:]), strict=True)


class BiasPredictor:
    """Baseline of damped biases: mean + movie bias + user bias of a training set."""

    def __init__(self, train: Dataset, movie_damping: float, user_damping: float) -> None:
        stars = train.half_stars / 2
        self.mean = float(stars.mean())
        self._movie_ids, numbers = np.unique(train.movie_ids, return_inverse=True)
        self._movies = damped_means(numbers, stars - self.mean, movie_damping)
        self._damping = user_damping

    def predict(self, trial: PredictionTrial, task: PredictionTask) -> Reals:
        """Return mean + movie bias + user bias in stars for each target, not clipped.

        The user bias is that of the ratings given.
        """
        residuals = self._residuals(trial, task.given) - self._movie_biases(trial, task.given)
        user = damped_mean(residuals, self._damping)
        predicted: Reals = self.mean + self._movie_biases(trial, task.targets) + user
        return predicted

    def predict_by_user(self, trial: PredictionTrial, task: PredictionTask) -> Reals:
        """Return the user's damped mean of the ratings given, for each target."""
        residuals = self._residuals(trial, task.given)
        mean = self.mean + damped_mean(residuals, self._damping)
        return np.full(len(task.targets), mean)

    def _residuals(self, trial: PredictionTrial, rows: Ints) -> Reals:
        residuals: Reals = trial.whole.half_stars[rows] / 2 - self.mean
        return residuals

    def _movie_biases(self, trial: PredictionTrial, rows: Ints) -> Reals:
        places, known = position_in(self._movie_ids, trial.whole.movie_ids[rows])
        biases: Reals = np.where(known, self._movies[np.minimum(places, len(self._movies) - 1)], 0)
        return biases
