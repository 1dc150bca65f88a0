"""The evaluation on data whose answers are known in advance."""

import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel

from gateway.routing import Evidence, Thresholds, decide
from marquee.artifacts import Manifest
from marquee.dataset import Dataset, make_dataset
from marquee.films import Film, Films
from marquee.rating_rows import RatingRows
from marquee.recommender import Reason, Route, Scored
from marquee.settings import Settings
from trainer.baselines import FAMILIES, Family, fit_ease, likes_of, shown_to
from trainer.comparison import Measured, compare
from trainer.evaluate import MARGIN, evaluate, worse
from trainer.evaluation_cache import EvaluationCache
from trainer.evaluation_run import Plan, Run
from trainer.measures import coverage, difference, measure
from trainer.parameters import Parameters
from trainer.popular import run_popularity
from trainer.rating_errors import evaluate_ratings, predict_by_biases
from trainer.report import OURS, POPULARITY, Interval, Report, SliceReport
from trainer.report_pages import html, markdown
from trainer.slices import SLICES, Case, Slice, draw, draw_slice, route_of
from trainer.splits import FOLDS, Split, fold_of, split_by_time, split_by_user
from trainer.stages import Fit
from trainer.tuning import ranked, run_baseline, tune

SETTINGS = Settings()
FEW = Slice("4", Route.HYBRID, given=4)
SOME = Slice("8", Route.USER_CLUSTER, given=8)


def dataset_of(rows, n_films: int) -> Dataset:
    """Return a data set of (user, film, half stars) rows; each is a second later."""
    users, films, halves = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    catalogue = [Film(movie_id=i, title=f"Film {i}") for i in range(1, n_films + 1)]
    return make_dataset(users, films, halves.astype(np.uint8), np.arange(len(rows)), catalogue)


def checkerboard(users: int = 60, films: int = 40) -> Dataset:
    """Return users of odd and even ids who like films of odd and even ids, and no others."""
    chosen = np.random.default_rng(5)
    rows = [
        (user, film, 10 if (user + film) % 2 == 0 else 2)
        for user in range(1, users + 1)
        for film in chosen.permutation(np.arange(1, films + 1)).tolist()
    ]
    return dataset_of(rows, films)


class Nothing(BaseModel):
    """A config without a value."""


class Oracle:
    """Knows the checkerboard; with `right` false it recommends what nobody of a kind likes."""

    right = True
    trained: list[Dataset] = []

    def __init__(self, movie_ids) -> None:
        self.movie_ids = movie_ids

    @classmethod
    def fit(cls, dataset, _config, _seed):
        cls.trained.append(dataset)
        return cls([film.movie_id for film in dataset.films])

    def save(self, directory: Path) -> None:
        (directory / "ids.json").write_text(json.dumps(self.movie_ids))

    @classmethod
    def load(cls, directory: Path):
        return cls(json.loads((directory / "ids.json").read_text()))

    def films(self) -> Films:
        n = len(self.movie_ids)
        zeros = np.zeros(n, np.uint32), np.zeros(n, np.int16)
        return Films(self.movie_ids, *zeros, np.zeros((n, 0), np.float32), np.zeros(n, np.int16))

    def recommend(self, viewer, films, mask, k):
        rated = viewer.rated
        parity = int(rated.movie_ids[0] + (not rated.liked[0])) % 2
        wanted = films.movie_ids % 2 == parity
        order = np.argsort(~wanted if self.right else wanted, kind="stable")
        rows = order[mask[order]][:k]
        return [Scored(int(films.movie_ids[row]), 1.0, Reason.POPULAR) for row in rows]


def oracle(right: bool = True):
    """Return a fresh kind of oracle, and fits that make it for every model."""

    class Told(Oracle):
        trained: list[Dataset] = []

    Told.right = right
    return Told, {name: lambda: Fit(Nothing, Told.fit) for name in ("hybrid", "user-model")}


def plan_of(fits, families=()) -> Plan:
    return Plan((0,), (FEW, SOME), ("hybrid", "user-model"), families, False, fits)


# --- who is tested


def test_every_user_is_tested_in_exactly_one_fold():
    dataset = checkerboard()
    tested = [np.unique(split_by_user(dataset, fold).test.user_ids) for fold in range(FOLDS)]
    assert sorted(np.concatenate(tested)) == list(range(1, 61))
    assert np.bincount(fold_of(np.arange(10_000))).min() > 900


def test_a_users_fold_does_not_depend_on_other_users():
    assert fold_of(np.arange(100))[40:50].tolist() == fold_of(np.arange(40, 50)).tolist()


def test_no_rating_of_a_tested_user_is_trained():
    dataset = checkerboard()
    kind, fits = oracle()
    seen = []

    def fit(likes):
        seen.append(likes)
        return fit_ease(likes, 10)

    evaluate(dataset, Parameters(), SETTINGS, plan_of(fits, (Family("Spy", ({},), fit),)))
    split = split_by_user(dataset, 0)
    tested = set(split.test.user_ids.tolist())
    assert tested
    assert len(kind.trained) == 2
    for trained in kind.trained:
        assert tested.isdisjoint(trained.user_ids.tolist())
        assert len(trained) + len(split.test) == len(dataset)
    for likes in seen:
        assert (likes != likes_of(split.train)).nnz == 0 if likes.shape[0] > 50 else True
    kept, held_out = split.tuning()
    shapes = [likes.shape[0] for likes in seen]
    assert shapes == [len(np.unique(kept.user_ids)), len(np.unique(split.train.user_ids))]
    assert set(kept.user_ids.tolist()).isdisjoint(held_out.user_ids.tolist())


def test_a_cut_by_time_trains_only_what_was_earlier():
    dataset = checkerboard()
    split = split_by_time(dataset)
    assert split.cut is not None
    assert split.train.times.max() < split.cut
    assert len(split.train) == pytest.approx(0.8 * len(dataset), abs=1)
    cases = draw(split, ())["earlier ones"]
    known = set(zip(split.train.user_ids.tolist(), split.train.movie_ids.tolist(), strict=True))
    assert cases
    for case in cases:
        assert not {(case.user_id, row + 1) for row in case.targets.tolist()} & known


def test_a_case_shows_what_its_slice_says_and_wants_the_other_liked_films():
    dataset = checkerboard()
    rows, users = RatingRows.of(dataset), np.unique(dataset.user_ids)
    for case in draw_slice(rows, users, FEW):
        films, halves = rows.of_user(case.user_id - 1)
        assert len(case.films) == 4
        assert set(case.targets) == set(films[halves >= 8]) - set(case.films)
    share = Slice("80 %", Route.NEURAL, share=0.8, draws=1, at_least=20)
    assert {len(case.films) for case in draw_slice(rows, users, share)} == {32}
    too_many = Slice("41 and more", Route.NEURAL, share=0.8, at_least=41)
    assert draw_slice(rows, users, too_many) == []


def test_more_ratings_are_the_fewer_ones_and_others():
    dataset = checkerboard()
    rows, users = RatingRows.of(dataset), np.unique(dataset.user_ids)
    few, some = draw_slice(rows, users, FEW), draw_slice(rows, users, SOME)
    assert all((a.films == b.films[:4]).all() for a, b in zip(few, some, strict=True) if a.user_id)


def test_cases_are_routed_as_the_gateway_routes_viewers():
    thresholds = Thresholds(SETTINGS.few_ratings, SETTINGS.many_ratings, SETTINGS.positive_ratings)
    for n in range(1, 25):
        for positive in range(n + 1):
            halves = np.array([10] * positive + [2] * (n - positive), np.uint8)
            case = Case(1, np.arange(n), halves, np.array([99]))
            assert route_of(case, SETTINGS) is decide(Evidence(n, positive), thresholds).route
    viewed = Case(1, np.arange(3), np.full(3, 10, np.uint8), np.array([99]), viewed=True)
    assert route_of(viewed, SETTINGS) is decide(Evidence(viewed=3), thresholds).route


def test_each_slice_is_routed_to_the_route_that_it_is_made_for():
    for one in SLICES:
        n = one.size(30)
        case = Case(1, np.arange(n), np.full(n, 10, np.uint8), np.array([99]), one.viewed)
        assert route_of(case, SETTINGS) is one.route


# --- how well


def test_a_perfect_recommender_reaches_one_and_its_opposite_nothing():
    dataset = checkerboard()
    for right, reached in ((True, 1.0), (False, 0.0)):
        _, fits = oracle(right)
        report = evaluate(dataset, Parameters(), SETTINGS, plan_of(fits))
        for one in report.slices:
            found = one.of(OURS)
            assert found is not None
            assert found.ndcg_at_10 == pytest.approx(reached, abs=1e-9)
            assert one.holds is right
        assert report.below == ([] if right else ["4", "8"])
        assert ("No route falls below" in report.verdict) is right


def test_popularity_is_what_a_hand_reckons():
    likes = {1: 5, 2: 4, 3: 3, 4: 2}
    rows = [(user, film, 10) for film, n in likes.items() for user in range(100, 100 + n)]
    train = dataset_of(rows, 6)
    case = Case(1, np.array([0]), np.array([10], np.uint8), np.array([2, 5]))
    outcome = run_popularity(Split("by hand", train, train), {"a": [case]})["a"]
    # After film 1, which was shown: 2, 3, 4, 5, 6. Wanted are film 3, second, and film 6, fifth.
    gain = (1 / np.log2(3) + 1 / np.log2(6)) / (1 + 1 / np.log2(3))
    assert outcome.values[0] == pytest.approx([1.0, gain, gain])
    assert outcome.shown[0].tolist() == [1, 2, 3, 4, 5, -1, -1, -1, -1, -1]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_baseline_solves_the_checkerboard(family):
    dataset = checkerboard(200)
    split = split_by_user(dataset, 0)
    slices = (FEW, SOME)

    def validation(held_out):
        rows, users = RatingRows.of(held_out), np.unique(held_out.user_ids)
        return {one.name: draw_slice(rows, users, one) for one in slices}

    cases = draw(split, slices)
    outcomes = run_baseline(family, split, cases, validation)
    informed = [len(case.liked) > 0 for case in cases["8"]]
    assert outcomes["8"].values[informed].mean(axis=0).min() > 0.99
    assert "popularity" in outcomes["8"].words


@pytest.mark.parametrize("users", [20, 400])
def test_ease_of_few_users_is_ease(users):
    likes = likes_of(checkerboard(users))
    gram = (likes.T @ likes).toarray() + 7 * np.eye(40)
    inverse = np.linalg.inv(gram)
    weights = -inverse / np.diagonal(inverse)
    np.fill_diagonal(weights, 0)
    case = Case(1, np.array([3, 7]), np.array([10, 9], np.uint8), np.array([1]))
    shown = shown_to([case], 40)
    others = np.setdiff1d(np.arange(40), case.films)
    expected = (shown @ weights)[:, others]
    assert fit_ease(likes, 7).scores(shown)[:, others] == pytest.approx(expected, abs=1e-4)


def test_baselines_see_liked_films_and_never_recommend_shown_ones():
    likes = likes_of(checkerboard())
    rated = Case(1, np.array([3, 8, 5]), np.array([10, 2, 7], np.uint8), np.array([1]))
    viewed = Case(1, np.array([3, 8]), np.array([10, 2], np.uint8), np.array([1]), viewed=True)
    shown = shown_to([rated, viewed], 40)
    assert shown[0].indices.tolist() == [3]
    assert sorted(shown[1].indices.tolist()) == [3, 8]
    for case, rows in zip(
        (rated, viewed), ranked(fit_ease(likes, 7), 0.0, likes, [rated, viewed]), strict=True
    ):
        assert sorted([*rows, *case.films]) == list(range(40))


class Fixed:
    """Scores film rows as told."""

    def __init__(self, scores) -> None:
        self._scores = np.asarray(scores, np.float32)

    def scores(self, shown):
        return np.tile(self._scores, (shown.shape[0], 1))


def test_validation_chooses_the_better_settings_and_the_share_of_popularity():
    likes = likes_of(dataset_of([(u, f, 10) for f in range(1, 31) for u in range(f)], 30))
    good = np.zeros(30)
    good[1] = 1.0
    family = Family("Told", ({"right": 0}, {"right": 1}), lambda _, right: Fixed(good * right))
    one = Case(1, np.array([5]), np.array([10], np.uint8), np.array([1]))
    popular = Case(1, np.array([5]), np.array([10], np.uint8), np.array([29]))
    choices = tune(family, likes, {"odd": [one], "usual": [popular]})
    assert choices["odd"].settings == {"right": 1}
    assert choices["odd"].reached == pytest.approx(1.0)
    assert choices["usual"].popularity > 0


# --- how sure


def test_equal_recommenders_do_not_differ_and_a_constant_gain_is_certain():
    values, users = np.random.default_rng(1).random(50), np.arange(50) // 2
    same, more = difference(values, values, users), difference(values + 0.1, values, users)
    assert (same.mean, same.low, same.high) == (0, 0, 0)
    assert (more.mean, more.low, more.high) == pytest.approx((0.1, 0.1, 0.1))


def test_an_interval_is_that_of_the_mean_over_users():
    generator = np.random.default_rng(2)
    found = difference(generator.normal(0.3, 1.0, 400), np.zeros(400), np.arange(400))
    assert found.low < found.mean < found.high
    assert found.high - found.low == pytest.approx(2 * 1.96 / 20, rel=0.15)


def test_each_user_counts_once_however_many_cases_he_has():
    ours = np.array([1.0, 1.0, 1.0, 0.0])
    found = difference(ours, np.zeros(4), np.array([1, 1, 1, 2]))
    assert found.mean == pytest.approx(0.5)


def test_coverage_is_the_share_of_the_catalogue_in_any_list():
    assert coverage(np.array([[0, 1, -1], [1, 2, -1]]), 10) == pytest.approx(0.3)


# --- what is said


def test_a_slice_without_its_model_says_why_in_one_line():
    neural = Slice("80 %", Route.NEURAL, share=0.8)
    report = compare(neural, Measured(), SETTINGS, 40, {"neural": "torch is not installed here"})
    assert report.note == "torch is not installed here"
    assert report.holds is None
    assert not report.figures


def test_cases_whose_model_is_missing_are_left_out_of_every_figure():
    dataset = checkerboard()
    _, fits = oracle()
    five = Slice("5", Route.USER_CLUSTER, given=5)
    plan = Plan((0,), (five,), ("user-model",), (), False, fits)
    one = evaluate(dataset, Parameters(), SETTINGS, plan).slices[0]
    assert list(one.answered) == ["user-cluster"]
    assert "left out" in one.note
    found = one.of(OURS)
    assert found is not None
    assert found.ndcg_at_10 == pytest.approx(1.0)


def test_a_models_own_figures_are_those_of_the_cases_routed_to_it():
    _, fits = oracle()
    run = Run(plan_of(fits), Parameters(), SETTINGS, EvaluationCache(None), lambda _words: None)
    run.add_all(checkerboard())
    figures = run.figures("user-model")
    assert figures["ndcg@10"] == pytest.approx(1.0)
    assert 0 < figures["gain_ndcg@10"] < 1
    assert run.figures("content") == {}


def test_what_was_measured_is_not_measured_again_until_data_change(tmp_path):
    dataset = checkerboard()
    kind, fits = oracle()
    cache = EvaluationCache(tmp_path)
    first = evaluate(dataset, Parameters(), SETTINGS, plan_of(fits), cache)
    again = evaluate(dataset, Parameters(), SETTINGS, plan_of(fits), cache)
    assert len(kind.trained) == 2
    assert again.slices == first.slices
    evaluate(checkerboard(70), Parameters(), SETTINGS, plan_of(fits), cache)
    assert len(kind.trained) == 4
    evaluate(dataset, Parameters(seed=2), SETTINGS, plan_of(fits), cache)
    assert len(kind.trained) == 6


def test_the_pages_tell_what_the_report_holds():
    _, fits = oracle()
    report = evaluate(checkerboard(), Parameters(), SETTINGS, plan_of(fits, FAMILIES[2:]))
    for text in (markdown(report), html(report)):
        assert "EASE" in text
        assert "1.000/1.000/1.000" in text
        assert report.verdict in text
    assert Report.model_validate_json(report.model_dump_json()) == report
    named = report.model_copy(update={"notes": ("<b>",)})
    assert "<b>" not in html(named)


def test_a_slice_below_popularity_is_named():
    below = Interval(mean=-0.01, low=-0.02, high=0.0)
    one = SliceReport(name="3", route="hybrid", over_popularity=below)
    report = Report(
        data_version="", code_version="", users=1, films=1, splits=(), seed=1, slices=(one,)
    )
    assert report.verdict == "Below popularity in NDCG@10 on: 3."


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


# --- predicted ratings


def test_damped_biases_find_an_additive_world():
    generator = np.random.default_rng(3)
    users, films = generator.integers(-2, 3, 300), generator.integers(-2, 3, 40)
    rows = [
        (u + 1, f + 1, int(np.clip(6 + users[u] + films[f], 1, 10)))
        for u in range(300)
        for f in range(40)
        if generator.random() < 0.8
    ]
    dataset = dataset_of(rows, 40)
    errors = {e.name: e for e in evaluate_ratings(dataset, Parameters(), {"neural": "missing"})}
    assert errors["damped biases"].rmse < 0.3 < errors["global mean"].rmse
    assert list(errors) == ["global mean", "damped biases"]


def test_an_unknown_film_and_viewer_get_the_mean():
    train = dataset_of([(1, 1, 8), (2, 2, 4)], 3)
    test = dataset_of([(9, 3, 10)], 3)
    assert predict_by_biases(train, test) == pytest.approx([3.0])


def test_lists_are_measured_one_by_one():
    case = Case(1, np.array([0]), np.array([10], np.uint8), np.array([4]))
    outcome = measure([case, case], [np.array([4, 1]), np.array([], np.int64)])
    assert outcome.values.tolist() == [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]
    assert outcome.shown[1].tolist() == [-1] * 10


def test_popularity_is_among_the_figures_of_every_slice():
    _, fits = oracle()
    report = evaluate(checkerboard(), Parameters(), SETTINGS, plan_of(fits))
    assert all(one.of(POPULARITY) for one in report.slices)
