"""How good predicted ratings are: warm, for unseen users, for unseen movies, and how sure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy.stats import t as student

from marquee.arrays import Reals
from marquee.domain.recommendation import UserHistory
from marquee.features.dataset import Dataset
from marquee.scoring.rating_biases import MOVIE_DAMPING, USER_DAMPING
from trainer.evaluation.rating_prediction.splits import (
    Biases,
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
    "many": {"head": 50, "kept": 50},
    "candidates": 50,
}
"""Fits hardly what recommends: it has no part in a predicted rating."""

_BINS = np.arange(0.0, 1.0, 0.05)


def measure_ratings(
    dataset: Dataset,
    parameters: TrainingParameters,
    splits: int = SPLITS,
    say: Say = lambda _words: None,
    others: Mapping[str, Callable[[PredictionTrial], list[Reals]]] | None = None,
    kinds: Sequence[str] = KINDS,
) -> tuple[tuple[RatingTrials, ...], tuple[Reliability, ...]]:
    """Return errors by kind of trial, means over `splits`, and how often confidence was right.

    `others` predict a trial of `by_ratings` question by question, and stand beside ours.
    """
    found: dict[tuple[str, str], list[PredictionMetrics]] = {}
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
                    found.setdefault((words, predictor), []).append(
                        prediction_metrics(trial, predicted)
                    )
            pairs += network.pairs
    rows = [
        _row(words, name, measures, found[words, BIASES])
        for (words, name), measures in found.items()
    ]
    return tuple(rows), reliability(pairs)


def prediction_metrics(trial: PredictionTrial, predicted: Sequence[Reals]) -> PredictionMetrics:
    """Return RMSE, MAE, and NDCG@10 over the ratings asked of users with five and more."""
    bounded = [np.clip(one, 0.5, 5.0) for one in predicted]
    errors = np.concatenate(bounded) - trial.truth
    gains = [
        graded_ndcg(one, trial.whole.half_stars[question.asked] / 2)
        for one, question in zip(predicted, trial.questions, strict=True)
        if len(question.asked) >= 5
    ]
    return (
        float(np.sqrt((errors**2).mean())),
        float(np.abs(errors).mean()),
        float(np.mean(gains)) if gains else float("nan"),
    )


def graded_ndcg(predicted: Reals, stars: Reals, k: int = 10) -> float:
    """Return the NDCG@k of an order by prediction, with the gain 2^stars - 1."""
    gains = 2.0**stars - 1
    weights = 1 / np.log2(np.arange(2, min(k, len(stars)) + 2))
    order = np.argsort(-predicted, kind="stable")[: len(weights)]
    return float(gains[order] @ weights / (np.sort(gains)[::-1][: len(weights)] @ weights))


def reliability(pairs: Sequence[tuple[Reals, Reals]]) -> tuple[Reliability, ...]:
    """Return for each band of confidence what was said, and how often it was right.

    `pairs`: confidences and errors in stars.
    """
    if not pairs:
        return ()
    said = np.concatenate([confidence for confidence, _ in pairs])
    right = np.abs(np.concatenate([errors for _, errors in pairs])) <= 0.5
    bands = np.digitize(said, _BINS)
    return tuple(
        Reliability(
            said=float(said[bands == band].mean()),
            found=float(right[bands == band].mean()),
            ratings=int((bands == band).sum()),
        )
        for band in np.unique(bands)
    )


def _drawn(kind: str, dataset: Dataset, split: int) -> list[PredictionTrial]:
    """Return the trials of a kind and split; they share their training set."""
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
    return [f"{name}, {len(trial.questions[0].given)} given" for trial in trials]


def _answers(trial: PredictionTrial, network: "_Network") -> dict[str, list[Reals]]:
    biases = Biases(trial.train, MOVIE_DAMPING, USER_DAMPING)
    predictors: dict[str, Predict] = {
        USER: biases.predict_by_user,
        BIASES: biases.predict,
        NEURAL: network.predict,
    }
    return {
        name: [predict(trial, question) for question in trial.questions]
        for name, predict in predictors.items()
    }


class _Network:
    """The neural model as served, without what recommends; `pairs` are confidences and errors."""

    def __init__(self, train: Dataset, parameters: TrainingParameters) -> None:
        section = {**parameters.sections.get("neural", {}), **_BARE}
        asked = fit_served_model("neural", train, replace(parameters, sections={"neural": section}))
        self._model, self._movies = asked.model, asked.movies
        self.pairs: list[tuple[Reals, Reals]] = []

    def predict(self, trial: PredictionTrial, question: PredictionTask) -> Reals:
        """Return the stars that the service would answer."""
        movie_ids = trial.whole.movie_ids
        stars = (trial.whole.half_stars / 2)[question.given].tolist()
        user = UserHistory.of(list(zip(movie_ids[question.given].tolist(), stars, strict=True)))
        asked = movie_ids[question.asked].tolist()
        predicted, confidences = self._model.predict(user.rated, asked, self._movies)
        truth = trial.whole.half_stars[question.asked] / 2
        self.pairs.append((confidences, predicted - truth))
        answer: Reals = predicted.astype(np.float64)
        return answer


def below(biases: Reals, ours: Reals) -> Interval | None:
    """Return the mean of biases - ours over paired splits, with Student's 95 % interval.

    None of one split, that says nothing of others.
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
    measures: Sequence[PredictionMetrics],
    biases: Sequence[PredictionMetrics],
) -> RatingTrials:
    rmse, mae, ndcg = np.mean(measures, axis=0).tolist()
    rmses, theirs = (np.array([one[0] for one in some]) for some in (measures, biases))
    return RatingTrials(
        trial=words,
        name=name,
        rmse=rmse,
        mae=mae,
        ndcg_at_10=None if np.isnan(ndcg) else ndcg,
        splits=len(measures),
        rmses=tuple(rmses.tolist()),
        below_biases=None if name == BIASES else below(theirs, rmses),
    )
