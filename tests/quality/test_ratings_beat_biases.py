"""Predicted ratings on real data: better than damped biases, and as sure as they may be."""

from pathlib import Path

import pytest

from trainer.datasets.reader import read_dataset
from trainer.evaluation.rating_prediction.evaluate import (
    BIASES,
    NEURAL,
    UNSEEN_MOVIE,
    UNSEEN_USER,
    USER,
    WARM,
    measure_ratings,
)
from trainer.models.parameters import TrainingParameters

pytestmark = [pytest.mark.trainer, pytest.mark.slow, pytest.mark.timeout(1200)]

ONE_NETWORK = TrainingParameters().changed("neural", {"network": {"max_ratings_again": 0}})
"""Without the further networks of the ensemble: one alone has to be good enough."""

DATA = Path(__file__).resolve().parents[2] / "data" / "ml-latest-small.zip"


@pytest.fixture(scope="module")
def measured():
    """Return the trials of one split, by kind and predictor, and the reliability."""
    dataset, _ = read_dataset(DATA)
    trials, sure = measure_ratings(dataset, ONE_NETWORK, 1, kinds=(WARM, UNSEEN_USER, UNSEEN_MOVIE))
    return {(one.trial, one.name): one for one in trials}, sure


def test_known_users_and_movies_are_well_above_biases(measured):
    ours, biases = (measured[0][WARM, name] for name in (NEURAL, BIASES))
    assert ours.rmse < biases.rmse - 0.04
    assert ours.mae < biases.mae - 0.03
    assert ours.ndcg_at_10 > biases.ndcg_at_10


def test_an_unseen_user_is_not_worse_served_than_by_biases(measured):
    found = measured[0]
    trials = [t for t, name in found if name == NEURAL and t.startswith(UNSEEN_USER)]
    gains = [found[trial, BIASES].rmse - found[trial, NEURAL].rmse for trial in trials]
    assert len(gains) == 5
    assert sum(gains) > 0


def test_an_unseen_movie_is_foreseen_better_than_by_the_user_s_mean(measured):
    ours, mean = (measured[0][UNSEEN_MOVIE, name] for name in (NEURAL, USER))
    assert ours.rmse < mean.rmse - 0.04


def test_what_is_said_of_confidence_holds(measured):
    off = [abs(one.said - one.found) for one in measured[1] if one.ratings >= 500]
    assert off
    assert max(off) < 0.08
