"""Baselines, their tuning and the measures, on data whose answers are known in advance."""

import numpy as np
import pytest
from implicit.als import AlternatingLeastSquares
from implicit.nearest_neighbours import CosineRecommender
from scipy import sparse
from sklearn.linear_model import ElasticNet, Ridge

from marquee.domain.movies import Movie
from marquee.domain.recommendation import Route
from marquee.features.dataset import Dataset, make_dataset
from marquee_testing import checkerboard
from trainer.evaluation.baselines.families import EASE, FAMILIES, BaselineFamily
from trainer.evaluation.baselines.models import (
    fit_als,
    fit_ease,
    fit_item_knn,
    fold_in_matrix,
    like_matrix,
)
from trainer.evaluation.baselines.popularity import measure_popularity
from trainer.evaluation.baselines.recent_popularity import age_matrix, fit_recent_popularity
from trainer.evaluation.baselines.slim import fit_slim
from trainer.evaluation.baselines.tuning import (
    FittedFamily,
    TunedSettings,
    measure_baseline,
    tune_by_slice,
)
from trainer.evaluation.measurements import measure, paired_difference
from trainer.evaluation.protocols.cases import EvaluationCase, draw
from trainer.evaluation.protocols.slices import Slice
from trainer.evaluation.protocols.splits import Split, split_by_user
from trainer.evaluation.rating_prediction.errors import evaluate_ratings, predict_by_biases
from trainer.models.parameters import TrainingParameters
from trainer.report.model import RECENT_POPULARITY


def dataset_of(rows, n_movies: int) -> Dataset:
    """Return a data set of (user, movie, half stars) rows; each is a second later."""
    users, movies, halves = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    catalogue = [Movie(movie_id=i, title=f"Film {i}") for i in range(1, n_movies + 1)]
    return make_dataset(users, movies, halves.astype(np.uint8), np.arange(len(rows)), catalogue)


def test_popularity_is_as_computed_by_hand():
    likes = {1: 5, 2: 4, 3: 3, 4: 2}
    rows = [(user, movie, 10) for movie, n in likes.items() for user in range(100, 100 + n)]
    train = dataset_of(rows, 6)
    case = EvaluationCase(1, np.array([0]), np.array([10], np.uint8), np.array([2, 5]))
    outcome = measure_popularity(Split("by hand", train, train), {"a": [case]})["a"]
    # After movie 1, which was shown: 2, 3, 4, 5, 6. Wanted are movie 3, second, and movie 6, fifth.
    gain = (1 / np.log2(3) + 1 / np.log2(6)) / (1 + 1 / np.log2(3))
    assert outcome.values[0] == pytest.approx([1.0, gain, gain])
    assert outcome.shown[0].tolist() == [1, 2, 3, 4, 5, *[-1] * 15]


PERSONAL = [family for family in FAMILIES if family.name != RECENT_POPULARITY]


def test_every_family_has_six_settings_of_its_own():
    assert {len({str(settings) for settings in family.grid}) for family in FAMILIES} == {6}
    names = [family.name for family in FAMILIES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("family", PERSONAL, ids=lambda family: family.name)
def test_a_baseline_solves_the_checkerboard(family):
    dataset = checkerboard(200, 60)
    split = split_by_user(dataset, 0)
    slices = (Slice("4", Route.HYBRID, given=4), Slice("8", Route.USER_CLUSTER, given=8))
    cases = draw(split, slices)
    outcomes = measure_baseline(family, split, cases, slices)
    for case, shown in zip(cases["8"], outcomes["8"].first_page, strict=True):
        if len(case.liked):
            assert {row % 2 for row in shown.tolist()} == {(case.user_id - 1) % 2}
    assert "popularity" in outcomes["8"].words


@pytest.mark.parametrize("users", [20, 400])
def test_ease_of_few_users_is_ease(users):
    likes = like_matrix(checkerboard(users, 40))
    gram = (likes.T @ likes).toarray() + 7 * np.eye(40)
    inverse = np.linalg.inv(gram)
    weights = -inverse / np.diagonal(inverse)
    np.fill_diagonal(weights, 0)
    case = EvaluationCase(1, np.array([3, 7]), np.array([10, 9], np.uint8), np.array([1]))
    shown = fold_in_matrix([case], 40)
    others = np.setdiff1d(np.arange(40), case.movies)
    expected = (shown @ weights)[:, others]
    assert fit_ease(likes, 7).scores(shown)[:, others] == pytest.approx(expected, abs=1e-4)


def test_baselines_see_liked_movies_and_never_recommend_shown_ones():
    fitted = FittedFamily(EASE, checkerboard(60, 40))
    rated = EvaluationCase(1, np.array([3, 8, 5]), np.array([10, 2, 7], np.uint8), np.array([1]))
    viewed = EvaluationCase(
        1, np.array([3, 8]), np.array([10, 2], np.uint8), np.array([1]), viewed=True
    )
    shown = fold_in_matrix([rated, viewed], 40)
    assert shown[0].indices.tolist() == [3]
    assert sorted(shown[1].indices.tolist()) == [3, 8]
    lists = fitted.lists([rated, viewed], TunedSettings({"penalty": 7}, 0.0))
    for case, rows in zip((rated, viewed), lists, strict=True):
        assert sorted([*rows, *case.movies]) == list(range(40))


class Fixed:
    """Scores movie rows as told."""

    def __init__(self, scores) -> None:
        self._scores = np.asarray(scores, np.float32)

    def scores(self, shown):
        return np.tile(self._scores, (shown.shape[0], 1))


def test_validation_chooses_the_better_settings_and_the_share_of_popularity():
    train = dataset_of([(u, f, 10) for f in range(1, 31) for u in range(f)], 30)
    good = np.zeros(30)
    good[1] = 1.0
    family = BaselineFamily(
        "Told", ({"right": 0}, {"right": 1}), lambda _, right: Fixed(good * right)
    )
    one = EvaluationCase(1, np.array([5]), np.array([10], np.uint8), np.array([1]))
    popular = EvaluationCase(1, np.array([5]), np.array([10], np.uint8), np.array([29]))
    choices = tune_by_slice(family, train, {"odd": [one], "usual": [popular]})
    assert choices["odd"].settings == {"right": 1}
    assert choices["odd"].score == pytest.approx(1.0)
    assert choices["usual"].popularity > 0


def test_equal_recommenders_do_not_differ_and_a_constant_gain_is_certain():
    values, users = np.random.default_rng(1).random(50), np.arange(50) // 2
    same, more = (
        paired_difference(values, values, users),
        paired_difference(values + 0.1, values, users),
    )
    assert (same.mean, same.low, same.high) == (0, 0, 0)
    assert (more.mean, more.low, more.high) == pytest.approx((0.1, 0.1, 0.1))


def test_an_interval_is_that_of_the_mean_over_users():
    generator = np.random.default_rng(2)
    found = paired_difference(generator.normal(0.3, 1.0, 400), np.zeros(400), np.arange(400))
    assert found.low < found.mean < found.high
    assert found.high - found.low == pytest.approx(2 * 1.96 / 20, rel=0.15)


def test_each_user_counts_once_however_many_cases_there_are():
    ours = np.array([1.0, 1.0, 1.0, 0.0])
    found = paired_difference(ours, np.zeros(4), np.array([1, 1, 1, 2]))
    assert found.mean == pytest.approx(0.5)


def test_damped_biases_find_an_additive_world():
    generator = np.random.default_rng(3)
    users, movies = generator.integers(-2, 3, 300), generator.integers(-2, 3, 40)
    rows = [
        (u + 1, f + 1, int(np.clip(6 + users[u] + movies[f], 1, 10)))
        for u in range(300)
        for f in range(40)
        if generator.random() < 0.8
    ]
    dataset = dataset_of(rows, 40)
    errors = {
        e.name: e for e in evaluate_ratings(dataset, TrainingParameters(), {"neural": "missing"})
    }
    assert errors["damped biases"].rmse < 0.3 < errors["global mean"].rmse
    assert list(errors) == ["global mean", "damped biases"]


def test_an_unknown_movie_and_user_get_the_mean():
    train = dataset_of([(1, 1, 8), (2, 2, 4)], 3)
    test = dataset_of([(9, 3, 10)], 3)
    assert predict_by_biases(train, test) == pytest.approx([3.0])


def test_lists_are_measured_one_by_one():
    case = EvaluationCase(1, np.array([0]), np.array([10], np.uint8), np.array([4]))
    outcome = measure([case, case], [np.array([4, 1]), np.array([], np.int64)])
    assert outcome.values.tolist() == [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]
    assert outcome.shown[1].tolist() == [-1] * 20


@pytest.fixture
def likes() -> sparse.csr_matrix:
    """Return likes of 120 users and 25 movies; every movie is liked."""
    generator = np.random.default_rng(11)
    chosen = generator.random((120, 25)) < np.linspace(0.05, 0.5, 25)
    chosen[0] = True
    return sparse.csr_matrix(chosen.astype(np.float32))


@pytest.mark.parametrize("n_users", [120, 15], ids=["many users", "few users"])
def test_ease_is_a_ridge_regression_of_each_movie_on_all_others(
    likes: sparse.csr_matrix, n_users: int
) -> None:
    likes = likes[:n_users]
    dense = likes.toarray().astype(np.float64)
    scores = fit_ease(likes, 10.0).scores(likes)
    for movie in range(25):
        others = np.delete(dense, movie, axis=1)
        ridge = Ridge(alpha=10.0, fit_intercept=False).fit(others, dense[:, movie])
        # With few users, scores of a user's own movies are undefined: no list contains them.
        unseen = dense[:, movie] == 0
        assert scores[unseen, movie] == pytest.approx(ridge.predict(others)[unseen], abs=2e-4)


@pytest.mark.filterwarnings("ignore:Method expects CSR input")
def test_item_neighbours_are_those_of_implicit(likes: sparse.csr_matrix) -> None:
    model = CosineRecommender(K=25)
    model.fit(likes, show_progress=False)
    similarity = model.similarity.toarray()
    np.fill_diagonal(similarity, 0.0)
    ours = fit_item_knn(likes, 0.0, 25).scores(likes)
    assert ours == pytest.approx(likes.toarray() @ similarity, abs=1e-4)


def test_users_are_folded_into_als_as_implicit_does(likes: sparse.csr_matrix) -> None:
    ours = fit_als(likes, 3.0, 8.0)
    model = AlternatingLeastSquares(64, regularization=3.0, num_threads=1)
    model.item_factors = ours.items  # type: ignore[attr-defined]
    factors = model.recalculate_user(np.arange(likes.shape[0]), likes * np.float32(8.0))
    assert ours.scores(likes) == pytest.approx(factors @ model.item_factors.T, abs=1e-3)


def test_popularity_of_the_last_weeks_is_as_computed_by_hand() -> None:
    catalogue = [Movie(movie_id=i, title=f"Film {i}") for i in range(1, 5)]
    day = 86_400
    # Movie 1: liked twice, long ago. Movie 2: once, now. Movie 3: disliked now. Movie 4: never.
    dataset = make_dataset(
        np.array([1, 2, 3, 4]),
        np.array([1, 1, 2, 3]),
        np.array([10, 10, 10, 2], np.uint8),
        np.array([0, 14 * day, 28 * day, 28 * day]),
        catalogue,
    )
    scores = fit_recent_popularity(age_matrix(dataset), 14).scores(sparse.csr_matrix((2, 4)))
    assert scores[0] == pytest.approx(np.log1p([0.25 + 0.5, 1.0, 0.0, 0.0]), abs=1e-5)
    assert (scores[0] == scores[1]).all()


def test_slim_is_the_elastic_net_without_the_movie_itself(likes: sparse.csr_matrix) -> None:
    dense, l1, l2 = likes.toarray().astype(np.float64), 2.0, 20.0
    scores = fit_slim(likes, l1, l2).scores(sparse.csr_matrix(np.eye(25, dtype=np.float32)))
    for movie in range(25):
        others = dense.copy()
        others[:, movie] = 0
        net = ElasticNet(
            alpha=(l1 + l2) / len(dense),
            l1_ratio=l1 / (l1 + l2),
            positive=True,
            fit_intercept=False,
            tol=1e-8,
        )
        assert scores[:, movie] == pytest.approx(net.fit(others, dense[:, movie]).coef_, abs=5e-3)
    assert (np.diagonal(scores) == 0).all()
    assert scores.min() >= 0


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_equal_data_give_equal_baselines(family: BaselineFamily) -> None:
    case = EvaluationCase(1, np.array([3, 7]), np.array([10, 9], np.uint8), np.array([1]))
    chosen = TunedSettings(family.grid[0], 0.1)
    first, second = (
        FittedFamily(family, checkerboard(60, 40)).lists([case], chosen)[0] for _ in range(2)
    )
    assert first.tolist() == second.tolist()


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_without_any_rating_in_the_training_data_lists_are_made_all_the_same(
    family: BaselineFamily,
) -> None:
    dataset = checkerboard(60, 40)
    nothing = dataset.of_rows(np.zeros(len(dataset), bool))
    case = EvaluationCase(1, np.array([3]), np.array([10], np.uint8), np.array([1]))
    chosen = tune_by_slice(family, nothing, {"a": [case]})["a"]
    [rows] = FittedFamily(family, nothing).lists([case], chosen)
    assert sorted(rows.tolist()) == [row for row in range(40) if row != 3]
