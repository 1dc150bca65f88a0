"""Trials of predicted ratings: who is asked what, and the figures by hand."""

import numpy as np
import pytest

from marquee.domain.movies import Movie
from marquee.errors import InvalidInput
from marquee.features.dataset import Dataset, make_dataset
from marquee.training.ranking_metrics import graded_ndcg_at_k
from neural.confidence import Confidence, fit_confidence
from trainer.evaluation.plan import EvaluationPlan
from trainer.evaluation.rating_prediction.evaluate import (
    mean_below_biases,
    prediction_metrics,
    reliability,
)
from trainer.evaluation.rating_prediction.splits import (
    GIVEN,
    BiasPredictor,
    PredictionTask,
    PredictionTrial,
    by_movies,
    by_ratings,
    by_users,
)
from trainer.report.model import Interval, RatingTrials, Report
from trainer.report.tables.all_tables import tables
from trainer.report.writers import markdown


def world(users: int = 40, movies: int = 40) -> Dataset:
    rng = np.random.default_rng(0)
    user_ids, movie_ids = np.divmod(np.flatnonzero(rng.random(users * movies) < 0.8), movies)
    half_stars = rng.integers(1, 11, len(user_ids)).astype(np.uint8)
    catalogue = [Movie(movie_id=i + 1, title=f"Film {i}") for i in range(movies)]
    times = np.arange(len(user_ids))
    return make_dataset(user_ids + 1, movie_ids + 1, half_stars, times, catalogue)


def pairs_of(dataset: Dataset, rows: np.ndarray | None = None) -> set[tuple[int, int]]:
    kept = dataset if rows is None else dataset.of_rows(rows)
    return set(zip(kept.user_ids.tolist(), kept.movie_ids.tolist(), strict=True))


def test_what_is_asked_is_in_no_training_and_what_is_given_is_the_rest_of_the_user():
    whole = world()
    trial = by_ratings(whole, 0)
    asked = pairs_of(whole, np.concatenate([q.targets for q in trial.tasks]))
    assert not asked & pairs_of(trial.train)
    assert asked | pairs_of(trial.train) == pairs_of(whole)
    for question in trial.tasks:
        mine = {pair for pair in pairs_of(trial.train) if pair[0] == question.user_id}
        assert pairs_of(whole, question.given) == mine


def test_no_rating_of_an_unseen_movie_is_trained_on_or_given():
    whole = world()
    trial = by_movies(whole, 1)
    unseen = set(whole.movie_ids[np.concatenate([q.targets for q in trial.tasks])].tolist())
    assert unseen
    assert not unseen & set(trial.train.movie_ids.tolist())
    for question in trial.tasks:
        assert not unseen & set(whole.movie_ids[question.given].tolist())


def test_an_unseen_user_is_asked_the_same_whatever_is_given():
    whole = world()
    trials = by_users(whole, 2)
    assert tuple(trials) == GIVEN
    for n, trial in trials.items():
        for question, most in zip(trial.tasks, trials[20].tasks, strict=True):
            assert question.user_id not in trial.train.user_ids
            assert len(question.given) == n
            assert question.given.tolist() == most.given[:n].tolist()
            assert question.targets.tolist() == most.targets.tolist()
            assert not set(question.targets.tolist()) & set(most.given.tolist())
            size = int((whole.user_ids == question.user_id).sum())
            assert len(question.targets) == size - 20


def two_ratings_and_one_asked() -> PredictionTrial:
    movies = [Movie(movie_id=i, title=f"Film {i}") for i in (1, 2)]
    users, movie_ids = np.array([1, 2, 2]), np.array([1, 1, 2])
    whole = make_dataset(users, movie_ids, np.array([8, 4, 10], np.uint8), np.arange(3), movies)
    return PredictionTrial(
        whole, whole.of_rows(np.array([0, 1])), (PredictionTask(2, np.array([1]), np.array([2])),)
    )


def test_biases_are_damped_as_by_hand():
    trial = two_ratings_and_one_asked()
    biases, question = BiasPredictor(trial.train, 3.0, 5.0), trial.tasks[0]
    # mean 3, movie 1 has bias 0, the user gave 2: -1/6; movie 2 is unknown.
    assert biases.predict(trial, question) == pytest.approx([3 - 1 / 6])
    assert biases.predict_by_user(trial, question) == pytest.approx([3 - 1 / 6])


def test_errors_are_judged_after_clipping_to_half_a_star_and_five():
    rmse, mae, ndcg = prediction_metrics(two_ratings_and_one_asked(), [np.array([7.0])])
    assert (rmse, mae) == (0.0, 0.0)
    assert np.isnan(ndcg)


def test_graded_ndcg_by_hand():
    worst = graded_ndcg_at_k(np.array([1.0, 2.0]), np.array([2.0, 1.0]), 10)
    assert worst == pytest.approx((1 + 3 / np.log2(3)) / (3 + 1 / np.log2(3)))
    assert graded_ndcg_at_k(np.array([2.0, 1.0]), np.array([2.0, 1.0]), 10) == pytest.approx(1.0)


def test_reliability_sets_what_was_said_beside_what_was_found():
    said, errors = np.array([0.52, 0.53, 0.91]), np.array([0.5, -0.6, 0.1])
    low, high = reliability([(said, errors)])
    assert (low.found, low.ratings) == (0.5, 2)
    assert [low.said, high.said] == pytest.approx([0.525, 0.91])
    assert (high.found, high.ratings) == (1.0, 1)


def errors_at(chances: np.ndarray) -> np.ndarray:
    near = np.random.default_rng(5).random(len(chances)) < chances
    return np.where(near, 0.2, 1.0)


def test_confidence_finds_the_probabilities_that_made_the_errors():
    rng = np.random.default_rng(4)
    user, movie = rng.random(40_000) * 5, rng.random(40_000) * 5
    spread = np.exp(rng.normal(0, 0.5, 40_000))
    truth = Confidence(-1.0, 0.2, 0.3, -0.8)
    found = fit_confidence(user, movie, spread, errors_at(truth.of(user, movie, spread)))
    assert (found.constant, found.user, found.movie, found.spread) == pytest.approx(
        (-1, 0.2, 0.3, -0.8), abs=0.05
    )


def test_confidence_never_falls_with_what_is_known_nor_rises_with_the_spread():
    rng = np.random.default_rng(6)
    user, movie = rng.random(4000) * 5, rng.random(4000) * 5
    spread = np.exp(rng.normal(0, 0.5, 4000))
    chances = Confidence(1.0, -0.4, 0.2, 0.5).of(user, movie, spread)
    found = fit_confidence(user, movie, spread, errors_at(chances))
    assert found.user == 0
    assert found.spread == 0
    assert found.movie > 0


def test_a_gain_has_the_interval_of_its_splits():
    found = mean_below_biases(np.array([0.9, 0.8, 0.85]), np.array([0.88, 0.77, 0.84]))
    assert found is not None
    # gains .02 .03 .01: deviation .01, Student's t of two degrees 4.303.
    half = 4.303 * 0.01 / 3**0.5
    assert (found.mean, found.low, found.high) == pytest.approx(
        (0.02, 0.02 - half, 0.02 + half), abs=1e-5
    )
    assert mean_below_biases(np.array([0.9]), np.array([0.8])) is None


def test_a_report_of_ratings_alone_has_no_table_of_lists():
    trials = tuple(
        RatingTrials(
            trial="warm", name=name, rmse=0.8, mae=0.6, ndcg_at_10=None, splits=2,
            rmses=(0.7, 0.9), below_biases=gain,
        )
        for name, gain in (("neural", Interval(mean=0.05, low=0.04, high=0.06)), ("biases", None))
    )  # fmt: skip
    report = Report(
        data_version="d", code_version="c", users=0, films=1, splits=(), seed=1, slices=(),
        rating_trials=trials,
    )  # fmt: skip
    titles = [table.title for table in tables(report)]
    assert titles == ["Predicted ratings by kind of trial, in stars"]
    assert "| warm | neural | 0.8000 | 0.700 0.900 | +0.050 [+0.040, +0.060] |" in markdown(report)
    assert Report.model_validate_json(report.model_dump_json()) == report


def test_a_plan_without_folds_measures_ratings_alone():
    plan = EvaluationPlan.of(0, False, 5)
    assert (plan.folds, plan.slices, plan.extras, plan.rating_splits) == ((), (), False, 5)
    with pytest.raises(InvalidInput):
        EvaluationPlan.of(0, False, 0)
