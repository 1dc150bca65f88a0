"""The evaluation on data whose answers are known in advance."""

import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel

from marquee.domain.movies import Movie
from marquee.domain.recommendation import Reason, Route, Scored
from marquee.domain.routing import Thresholds
from marquee.features.dataset import Dataset, make_dataset
from marquee.features.movie_table import MovieTable
from marquee.registry.bundle import Manifest
from marquee.settings import Settings
from trainer.evaluation.baselines.families import EASE, BaselineFamily
from trainer.evaluation.baselines.models import fit_ease, like_matrix
from trainer.evaluation.beyond_accuracy import CatalogueStatistics
from trainer.evaluation.cache import EvaluationCache
from trainer.evaluation.comparison import SliceMeasurements, compare
from trainer.evaluation.evaluate import evaluate
from trainer.evaluation.plan import EvaluationPlan
from trainer.evaluation.protocols.slices import Slice
from trainer.evaluation.protocols.splits import split_by_user
from trainer.evaluation.run import EvaluationRun
from trainer.models.fitting import ModelFit
from trainer.models.parameters import TrainingParameters
from trainer.report.model import OURS, POPULARITY, Interval, Protocol, Report, SliceReport
from trainer.report.verdict import verdict
from trainer.report.writers import html, markdown
from trainer.runs.context import TrainingContext
from trainer.runs.evaluation_stage import MARGIN, evaluate_training, worse

THRESHOLDS = Thresholds()
FEW = Slice("4", Route.HYBRID, given=4)
SOME = Slice("8", Route.USER_CLUSTER, given=8)


def dataset_of(rows, n_movies: int) -> Dataset:
    """Return a data set of (user, movie, half stars) rows; each is a second later."""
    users, movies, halves = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    catalogue = [Movie(movie_id=i, title=f"Film {i}") for i in range(1, n_movies + 1)]
    return make_dataset(users, movies, halves.astype(np.uint8), np.arange(len(rows)), catalogue)


def checkerboard(users: int = 60, movies: int = 40) -> Dataset:
    """Return users of odd and even ids who like movies of odd and even ids, and no others."""
    chosen = np.random.default_rng(5)
    rows = [
        (user, movie, 10 if (user + movie) % 2 == 0 else 2)
        for user in range(1, users + 1)
        for movie in chosen.permutation(np.arange(1, movies + 1)).tolist()
    ]
    return dataset_of(rows, movies)


class Nothing(BaseModel):
    """A config without a value."""


class Oracle:
    """Knows the checkerboard; with `right` false it recommends what nobody of a kind likes."""

    right = True
    half_life = None
    trained: list[Dataset] = []

    def __init__(self, movie_ids) -> None:
        self.movie_ids = movie_ids

    @classmethod
    def fit(cls, dataset, _config, _seed):
        cls.trained.append(dataset)
        return cls([movie.movie_id for movie in dataset.movies])

    def save(self, directory: Path) -> None:
        (directory / "ids.json").write_text(json.dumps(self.movie_ids))

    @classmethod
    def load(cls, directory: Path):
        return cls(json.loads((directory / "ids.json").read_text()))

    def movies(self) -> MovieTable:
        n = len(self.movie_ids)
        zeros = np.zeros(n, np.uint32), np.zeros(n, np.int16)
        return MovieTable(
            self.movie_ids, *zeros, np.zeros((n, 0), np.float32), np.zeros(n, np.int16)
        )

    def recommend(self, user, movies, mask, k):
        rated = user.rated
        parity = int(rated.movie_ids[0] + (not rated.liked[0])) % 2
        wanted = movies.movie_ids % 2 == parity
        order = np.argsort(~wanted if self.right else wanted, kind="stable")
        rows = order[mask[order]][:k]
        return [Scored(int(movies.movie_ids[row]), 1.0, Reason.POPULAR) for row in rows]


def oracle(right: bool = True):
    """Return a fresh kind of oracle, and fits that make it for every model."""

    class Told(Oracle):
        trained: list[Dataset] = []

    Told.right = right
    return Told, {name: lambda: ModelFit(Nothing, Told.fit) for name in ("hybrid", "user-model")}


def plan_of(fits, families=()) -> EvaluationPlan:
    return EvaluationPlan((0,), (FEW, SOME), ("hybrid", "user-model"), families, fits)


def test_no_rating_of_a_tested_user_is_trained():
    dataset = checkerboard()
    kind, fits = oracle()
    seen = []

    def fit(likes):
        seen.append(likes)
        return fit_ease(likes, 10)

    evaluate(
        dataset,
        TrainingParameters(),
        THRESHOLDS,
        plan_of(fits, (BaselineFamily("Spy", ({},), fit),)),
    )
    split = split_by_user(dataset, 0)
    tested = set(split.test.user_ids.tolist())
    assert tested
    assert len(kind.trained) == 2
    for trained in kind.trained:
        assert tested.isdisjoint(trained.user_ids.tolist())
        assert len(trained) + len(split.test) == len(dataset)
    assert (seen[-1] != like_matrix(split.train)).nnz == 0
    kept, held_out = split.tuning().train, split.tuning().test
    shapes = [likes.shape[0] for likes in seen]
    assert shapes == [len(np.unique(kept.user_ids)), len(np.unique(split.train.user_ids))]
    assert set(kept.user_ids.tolist()).isdisjoint(held_out.user_ids.tolist())


def test_a_perfect_recommender_reaches_one_and_its_opposite_nothing():
    dataset = checkerboard()
    for right, reached in ((True, 1.0), (False, 0.0)):
        _, fits = oracle(right)
        report = evaluate(dataset, TrainingParameters(), THRESHOLDS, plan_of(fits))
        for one in report.slices:
            found = one.of(OURS)
            assert found is not None
            assert found.ndcg_at_10 == pytest.approx(reached, abs=1e-9)
            assert one.holds is right
        assert report.below == ([] if right else ["4", "8"])
        assert ("No route falls below" in verdict(report)) is right


def test_a_slice_without_its_model_says_why_in_one_line():
    neural = Slice("80 %", Route.NEURAL, share=0.8)
    catalogue = CatalogueStatistics.of(checkerboard())
    missing = {"neural": "torch is not installed here"}
    report = compare(neural, SliceMeasurements(), THRESHOLDS, catalogue, missing)
    assert report.note == "torch is not installed here"
    assert report.holds is None
    assert not report.figures


def test_cases_whose_model_is_missing_are_left_out_of_every_figure():
    dataset = checkerboard()
    _, fits = oracle()
    five = Slice("5", Route.USER_CLUSTER, given=5)
    plan = EvaluationPlan((0,), (five,), ("user-model",), (), fits)
    one = evaluate(dataset, TrainingParameters(), THRESHOLDS, plan).slices[0]
    assert list(one.answered) == ["user-cluster"]
    assert "left out" in one.note
    found = one.of(OURS)
    assert found is not None
    assert found.ndcg_at_10 == pytest.approx(1.0)


def test_a_models_own_figures_are_those_of_the_cases_routed_to_it():
    _, fits = oracle()
    run = EvaluationRun(
        plan_of(fits), TrainingParameters(), THRESHOLDS, EvaluationCache(None), lambda _words: None
    )
    run.add_all(checkerboard())
    figures = run.figures("user-model")
    assert figures["ndcg@10"] == pytest.approx(1.0)
    assert 0 < figures["gain_ndcg@10"] < 1
    assert run.figures("content") == {}


def test_a_training_gets_figures_of_the_models_that_it_made(tmp_path):
    said = []
    training = TrainingContext(
        "t",
        Settings(),
        TrainingParameters(),
        tmp_path,
        lambda *what: said.append(what),
        data=checkerboard(200),
    )
    training.bundles["hybrid"] = tmp_path / "hybrid"
    found = evaluate_training(training)
    assert list(found) == ["hybrid"]
    assert found["hybrid"]["gain_ndcg@10"] > 0.2
    assert found["hybrid"]["time_gain_ndcg@10"] > 0.2
    assert training.report is not None
    assert training.report.slices[0].protocol is Protocol.FIRST
    assert {stage for stage, _, _ in said} == {"evaluate"}
    assert all(0 < done < 1 for _, done, _ in said)


def test_what_was_measured_is_not_measured_again_until_data_change(tmp_path):
    dataset = checkerboard()
    kind, fits = oracle()
    cache = EvaluationCache(tmp_path)
    first = evaluate(dataset, TrainingParameters(), THRESHOLDS, plan_of(fits), cache)
    again = evaluate(dataset, TrainingParameters(), THRESHOLDS, plan_of(fits), cache)
    assert len(kind.trained) == 2
    assert again.slices == first.slices
    evaluate(checkerboard(70), TrainingParameters(), THRESHOLDS, plan_of(fits), cache)
    assert len(kind.trained) == 4
    evaluate(dataset, TrainingParameters(seed=2), THRESHOLDS, plan_of(fits), cache)
    assert len(kind.trained) == 6


def test_the_pages_tell_what_the_report_holds():
    _, fits = oracle()
    report = evaluate(checkerboard(), TrainingParameters(), THRESHOLDS, plan_of(fits, (EASE,)))
    for text in (markdown(report), html(report)):
        assert "EASE" in text
        assert "1.000/1.000" in text
        assert verdict(report) in text
    assert Report.model_validate_json(report.model_dump_json()) == report
    named = report.model_copy(update={"notes": ("<b>",)})
    assert "<b>" not in html(named)


def test_a_slice_below_popularity_is_named():
    below = Interval(mean=-0.01, low=-0.02, high=0.0)
    one = SliceReport(name="3", route="hybrid", over_popularity=below)
    report = Report(
        data_version="", code_version="", users=1, films=1, splits=(), seed=1, slices=(one,)
    )
    assert verdict(report) == "Below popularity in NDCG@10 on: 3."


def test_the_gate_refuses_what_is_clearly_worse_and_nothing_else():
    def manifest(**metrics: float) -> Manifest:
        return Manifest(
            name="hybrid", version="1", created="", files={}, data_version="", metrics=metrics
        )

    serving = manifest(**{"gain_ndcg@10": 0.05})
    slightly, clearly = 0.05 - MARGIN / 2, 0.05 - 2 * MARGIN
    assert worse(manifest(**{"gain_ndcg@10": slightly}), serving) is None
    assert worse(manifest(), serving) is None
    assert worse(serving, manifest()) is None
    assert "behind" in str(worse(manifest(**{"gain_ndcg@10": clearly}), serving))


def test_the_gate_judges_by_time_where_both_versions_were_measured_so():
    def manifest(random: float, time: float | None = None) -> Manifest:
        metrics = {"gain_ndcg@10": random}
        if time is not None:
            metrics["time_gain_ndcg@10"] = time
        return Manifest(
            name="hybrid", version="1", created="", files={}, data_version="", metrics=metrics
        )

    lost = 2 * MARGIN
    assert worse(manifest(0.05 - lost, 0.03), manifest(0.05, 0.03)) is None
    assert "in the order of time" in str(worse(manifest(0.05, 0.03 - lost), manifest(0.05, 0.03)))
    # A version of before, or of data without usable times, is compared by random fold-ins.
    assert worse(manifest(0.05, 0.03 - lost), manifest(0.05)) is None
    assert "behind" in str(worse(manifest(0.05 - lost, 0.3), manifest(0.05)))
    assert "behind" in str(worse(manifest(0.05 - lost), manifest(0.05, 0.03)))


def test_popularity_is_among_the_figures_of_every_slice():
    _, fits = oracle()
    report = evaluate(checkerboard(), TrainingParameters(), THRESHOLDS, plan_of(fits))
    assert all(one.of(POPULARITY) for one in report.slices)
