"""Quality of predicted ratings: warm, for unseen users and movies; reliability of confidence."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy.stats import t as student

from marquee.arrays import Reals
from marquee.domain.recommendation import UserHistory
from marquee.features.dataset import Dataset
from marquee.scoring.rating_biases import MOVIE_DAMPING, USER_DAMPING
from marquee.training.ranking_metrics import graded_ndcg_at_k
from trainer.evaluation.rating_prediction.splits import (
    BiasPredictor,
    PredictionTask,
    PredictionTrial,
    by_movies,
    by_ratings,
    by_users,
)
from trainer.evaluation.served_models import fit_served_model
from trainer.models.parameters import TrainingParameters
from trainer.report.model import Interval, RatingTrials, Reliability

Predict = Callable[[PredictionTrial, PredictionTask], Reals]
Say = Callable[[str], None]
PredictionMetrics = tuple[float, float, float]
"""RMSE, MAE, NDCG@10."""

SPLITS = 5
NEURAL, BIASES, USER = "neural", "damped biases", "viewer's mean"

KINDS = (WARM, UNSEEN_USER, UNSEEN_MOVIE, UNTAGGED) = (
    "warm",
    "unseen viewer",
    "unseen film",
    "unseen film, no tags",
)

_BARE = {
    "autoencoder": {"epochs": 1},
    "first_autoencoder": {"epochs": 1},
    "many": {"head": 50, "kept": 50},
    "candidates": 50,
}
"""Least sizes of what recommends, which has no part in a predicted rating."""

_BINS = np.arange(0.0, 1.0, 0.05)


def measure_ratings(
    dataset: Dataset,
    parameters: TrainingParameters,
    splits: int = SPLITS,
    say: Say = lambda _words: None,
    others: Mapping[str, Callable[[PredictionTrial], list[Reals]]] | None = None,
    kinds: Sequence[str] = KINDS,
) -> tuple[tuple[RatingTrials, ...], tuple[Reliability, ...]]:
    """Return errors by kind of trial, as means over splits, and the reliability of confidence.

    Args:
        dataset: All ratings and movies.
        parameters: Seed and parameters of the neural model.
        splits: Number of random splits of each kind.
        say: Called with a description of each computation.
        others: Further predictors by name, measured on warm trials: they return an array of stars
            for each task of a trial.
        kinds: Kinds of trials, of `KINDS`.
    """
    measured: dict[tuple[str, str], list[PredictionMetrics]] = {}
    pairs: list[tuple[Reals, Reals]] = []
    for split in range(splits):
        for name in kinds:
            trials = _drawn(name, dataset, split)
            say(f"predicted ratings, {name}, split {split + 1} of {splits}")
            network = _Network(trials[0].train, parameters)
            for words, trial in zip(_words(name, trials), trials, strict=True):
                answers = _answers(trial, network)
                for other, predict in (others or {}).items() if name == WARM else ():
                    answers[other] = predict(trial)
                for predictor, predicted in answers.items():
                    measured.setdefault((words, predictor), []).append(
                        prediction_metrics(trial, predicted)
                    )
            pairs += network.pairs
    rows = [
        _row(words, name, metrics, measured[words, BIASES])
        for (words, name), metrics in measured.items()
    ]
    return tuple(rows), reliability(pairs)


def prediction_metrics(trial: PredictionTrial, predicted: Sequence[Reals]) -> PredictionMetrics:
    """Return RMSE, MAE and graded NDCG@10 of predictions, task by task.

    NDCG@10 is a mean over tasks with at least five targets; NaN if there are none.
    """
    bounded = [np.clip(stars, 0.5, 5.0) for stars in predicted]
    errors = np.concatenate(bounded) - trial.truth
    ndcg = [
        graded_ndcg_at_k(stars, trial.whole.half_stars[task.targets] / 2, 10)
        for stars, task in zip(predicted, trial.tasks, strict=True)
        if len(task.targets) >= 5
    ]
    return (
        float(np.sqrt((errors**2).mean())),
        float(np.abs(errors).mean()),
        float(np.mean(ndcg)) if ndcg else float("nan"),
    )


def reliability(pairs: Sequence[tuple[Reals, Reals]]) -> tuple[Reliability, ...]:
    """Return the reliability diagram of confidences: predicted and true shares by band.

    A prediction is right if it is at most half a star off.

    Args:
        pairs: Arrays of confidences and of errors in stars.
    """
    if not pairs:
        return ()
    confidences = np.concatenate([confidence for confidence, _ in pairs])
    right = np.abs(np.concatenate([errors for _, errors in pairs])) <= 0.5
    bands = np.digitize(confidences, _BINS)
    return tuple(
        Reliability(
            said=float(confidences[bands == band].mean()),
            found=float(right[bands == band].mean()),
            ratings=int((bands == band).sum()),
        )
        for band in np.unique(bands)
    )


def _drawn(kind: str, dataset: Dataset, split: int) -> list[PredictionTrial]:
    """Return the trials of a kind and split; they share a training set."""
    if kind == WARM:
        return [by_ratings(dataset, split)]
    if kind == UNSEEN_USER:
        return list(by_users(dataset, split).values())
    if kind == UNTAGGED:
        bare = tuple(movie.model_copy(update={"tags": {}}) for movie in dataset.movies)
        return [by_movies(replace(dataset, movies=bare), split)]
    return [by_movies(dataset, split)]


def _words(name: str, trials: Sequence[PredictionTrial]) -> list[str]:
    if len(trials) == 1:
        return [name]
    return [f"{name}, {len(trial.tasks[0].given)} given" for trial in trials]


def _answers(trial: PredictionTrial, network: "_Network") -> dict[str, list[Reals]]:
    biases = BiasPredictor(trial.train, MOVIE_DAMPING, USER_DAMPING)
    predictors: dict[str, Predict] = {
        USER: biases.predict_by_user,
        BIASES: biases.predict,
        NEURAL: network.predict,
    }
    return {
        name: [predict(trial, task) for task in trial.tasks] for name, predict in predictors.items()
    }


class _Network:
    """The rating predictor as served; `pairs` collects confidences and errors in stars."""

    def __init__(self, train: Dataset, parameters: TrainingParameters) -> None:
        section = {**parameters.sections.get("neural", {}), **_BARE}
        served = fit_served_model(
            "neural", train, replace(parameters, sections={"neural": section})
        )
        self._model, self._movies = served.model, served.movies
        self.pairs: list[tuple[Reals, Reals]] = []

    def predict(self, trial: PredictionTrial, task: PredictionTask) -> Reals:
        """Return the stars that the service would predict for the targets of a task."""
        movie_ids = trial.whole.movie_ids
        stars = (trial.whole.half_stars / 2)[task.given].tolist()
        user = UserHistory.of(list(zip(movie_ids[task.given].tolist(), stars, strict=True)))
        targets = movie_ids[task.targets].tolist()
        predicted, confidences = self._model.predict(user.rated, targets, self._movies)
        truth = trial.whole.half_stars[task.targets] / 2
        self.pairs.append((confidences, predicted - truth))
        answer: Reals = predicted.astype(np.float64)
        return answer


def mean_below_biases(biases: Reals, ours: Reals) -> Interval | None:
    """Return the mean of biases - ours over paired splits, with Student's 95 % interval.

    None for a single split, which has no variance.
    """
    gains = biases - ours
    mean, splits = float(gains.mean()), len(gains)
    if splits < 2:
        return None
    half = float(student.ppf(0.975, splits - 1) * gains.std(ddof=1) / splits**0.5)
    return Interval(mean=mean, low=mean - half, high=mean + half)


def _row(
    words: str,
    name: str,
    metrics: Sequence[PredictionMetrics],
    biases: Sequence[PredictionMetrics],
) -> RatingTrials:
    rmse, mae, ndcg = np.mean(metrics, axis=0).tolist()
    rmses, theirs = (np.array([rmse for rmse, _, _ in rows]) for rows in (metrics, biases))
    return RatingTrials(
        trial=words,
        name=name,
        rmse=rmse,
        mae=mae,
        ndcg_at_10=None if np.isnan(ndcg) else ndcg,
        splits=len(metrics),
        rmses=tuple(rmses.tolist()),
        below_biases=None if name == BIASES else mean_below_biases(theirs, rmses),
    )
