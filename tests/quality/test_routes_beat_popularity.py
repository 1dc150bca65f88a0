"""Every route on held-out users of real data: none may fall below the popular list."""

from pathlib import Path

import pytest

from marquee.domain.routing import Thresholds
from trainer.datasets.reader import read_dataset
from trainer.evaluation.evaluate import evaluate
from trainer.evaluation.plan import EvaluationPlan
from trainer.evaluation.protocols.slices import QUICK
from trainer.models.parameters import TrainingParameters
from trainer.report.model import OURS, POPULARITY, Protocol
from trainer.report.verdict import verdict

pytestmark = [pytest.mark.trainer, pytest.mark.slow, pytest.mark.timeout(1200)]

ONE_NETWORK = TrainingParameters().changed("neural", {"network": {"max_ratings_again": 0}})
"""Without the further networks of the ensemble: one alone has to be good enough."""

DATA = Path(__file__).resolve().parents[2] / "data" / "ml-latest-small.zip"
LEAST_GAIN = {
    Protocol.FIRST: {"similar": 0.02, "hybrid": 0.01, "user-cluster": 0.02, "neural": 0.02},
    Protocol.RANDOM: {"similar": 0.02, "hybrid": 0.01, "user-cluster": 0.04, "neural": 0.1},
}
"""NDCG@10 over popularity that a route reaches at least, on the slice where it gains least."""
RANDOM = [one.name for one in QUICK if one.protocol is Protocol.RANDOM]


@pytest.fixture(scope="module")
def report():
    """Return the report of one fold, popularity being the only rival."""
    dataset, _ = read_dataset(DATA)
    plan = EvaluationPlan((0,), QUICK, families=(), diversities=(0.2,))
    return evaluate(dataset, ONE_NETWORK, Thresholds(), plan)


@pytest.mark.parametrize("name", [one.name for one in QUICK])
def test_a_route_is_not_below_popularity_on_its_slice(report, name):
    one = next(found for found in report.slices if found.name == name)
    ours, popular = one.of(OURS), one.of(POPULARITY)
    assert ours.ndcg_at_10 >= popular.ndcg_at_10
    assert ours.recall_at_20 >= popular.recall_at_20
    assert ours.ndcg_at_100 >= popular.ndcg_at_100
    assert one.over_popularity.mean >= LEAST_GAIN[one.protocol][one.route]


def test_lists_of_two_users_differ_more_than_popular_lists_do(report):
    for one in report.slices:
        assert one.of(OURS).coverage > 1.5 * one.of(POPULARITY).coverage


def test_every_route_answered(report):
    routes = {route for one in report.slices for route in one.answered}
    assert routes == {"similar", "hybrid", "user-cluster", "neural"}
    assert "No route falls below" in verdict(report)


@pytest.mark.parametrize("name", RANDOM)
def test_lists_at_a_fifth_of_diversity_show_more_movies_and_stay_good(report, name):
    one = next(found for found in report.slices if found.name == name)
    plain, broad = one.trade_off
    assert (plain.setting, broad.setting) == (0.0, 0.2)
    assert broad.coverage >= 1.05 * plain.coverage
    assert broad.most_shown <= plain.most_shown
    assert broad.novelty > plain.novelty
    assert broad.ndcg_at_10 >= plain.ndcg_at_10 - 0.04
    assert broad.over_best.mean > 0
