"""What a predictor of ratings is asked: splits by ratings, by users and by movies, as values."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from marquee.arrays import Ints, Mask
from marquee.features.dataset import Dataset, position_in
from marquee.scoring.rating_biases import damped_mean, damped_means

GIVEN = (1, 3, 5, 10, 20)
"""Ratings of an unseen user; what is asked for lies beyond the largest of them."""

SHARE = 0.1


@dataclass(frozen=True, eq=False)
class PredictionTask:
    """Ratings given of one user (rows of `PredictionTrial.whole`), and those to be predicted, as rows."""

    user_id: int
    given: Ints
    asked: Ints


@dataclass(frozen=True, eq=False)
class PredictionTrial:
    """A split: what is trained on, and the questions, whose rows are those of the whole data."""

    whole: Dataset
    train: Dataset
    questions: tuple[PredictionTask, ...]

    @property
    def truth(self) -> npt.NDArray[np.float64]:
        """The stars asked for, question by question."""
        rows = [question.asked for question in self.questions]
        stars: npt.NDArray[np.float64] = self.whole.half_stars[np.concatenate(rows)] / 2
        return stars


def by_ratings(dataset: Dataset, seed: int) -> PredictionTrial:
    """Return the split that holds a random tenth of all ratings out."""
    held_out = np.random.default_rng(seed).random(len(dataset)) < SHARE
    return _answered_by_the_rest(dataset, held_out)


def by_movies(dataset: Dataset, seed: int) -> PredictionTrial:
    """Return the split that holds every rating of a random tenth of the movies out."""
    movie_ids = np.array([movie.movie_id for movie in dataset.movies], np.int64)
    chosen = movie_ids[np.random.default_rng(seed).random(len(movie_ids)) < SHARE]
    return _answered_by_the_rest(dataset, np.isin(dataset.movie_ids, chosen))


def by_users(dataset: Dataset, seed: int) -> dict[int, PredictionTrial]:
    """Return the split that holds a random tenth of the users out, by the ratings given.

    Those with more than max(GIVEN) ratings are asked, for the same ones whatever is given.
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


def _answered_by_the_rest(dataset: Dataset, held_out: Mask) -> PredictionTrial:
    """Return the trial in which all other ratings of a user are given."""
    given = dict(_rows_by_user(dataset, ~held_out))
    nothing = np.zeros(0, np.int64)
    questions = tuple(
        PredictionTask(user_id, given.get(user_id, nothing), rows)
        for user_id, rows in _rows_by_user(dataset, held_out)
    )
    return PredictionTrial(dataset, dataset.of_rows(~held_out), questions)


def _rows_by_user(dataset: Dataset, keep: Mask) -> Iterator[tuple[int, Ints]]:
    rows = np.flatnonzero(keep)
    rows = rows[np.argsort(dataset.user_ids[rows], kind="stable")]
    user_ids, starts = np.unique(dataset.user_ids[rows], return_index=True)
    yield from zip(user_ids.tolist(), np.split(rows, starts[1:]), strict=True)


class Biases:
    """Damped means of a training set: what a network has to beat."""

    def __init__(self, train: Dataset, movie_damping: float, user_damping: float) -> None:
        stars = train.half_stars / 2
        self.mean = float(stars.mean())
        self._movie_ids, numbers = np.unique(train.movie_ids, return_inverse=True)
        self._movies = damped_means(numbers, stars - self.mean, movie_damping)
        self._damping = user_damping

    def predict(self, trial: PredictionTrial, question: PredictionTask) -> npt.NDArray[np.float64]:
        """Return mean + movie bias + user bias, the latter of the ratings given, not clipped."""
        rest = self._rest(trial, question.given) - self._of(trial, question.given)
        user = damped_mean(rest, self._damping)
        predicted: npt.NDArray[np.float64] = self.mean + self._of(trial, question.asked) + user
        return predicted

    def predict_by_user(
        self, trial: PredictionTrial, question: PredictionTask
    ) -> npt.NDArray[np.float64]:
        """Return the damped mean of the ratings given, for each movie asked for."""
        rest = self._rest(trial, question.given)
        mean = self.mean + damped_mean(rest, self._damping)
        return np.full(len(question.asked), mean)

    def _rest(self, trial: PredictionTrial, rows: Ints) -> npt.NDArray[np.float64]:
        rest: npt.NDArray[np.float64] = trial.whole.half_stars[rows] / 2 - self.mean
        return rest

    def _of(self, trial: PredictionTrial, rows: Ints) -> npt.NDArray[np.float64]:
        places, known = position_in(self._movie_ids, trial.whole.movie_ids[rows])
        biases: npt.NDArray[np.float64] = np.where(
            known, self._movies[np.minimum(places, len(self._movies) - 1)], 0
        )
        return biases
