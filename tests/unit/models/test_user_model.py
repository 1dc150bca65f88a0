"""The user model: the contract of recommenders, and what each of its parts adds."""

from dataclasses import replace

import numpy as np
import pytest

from marquee.domain.movies import Movie
from marquee.domain.recommendation import Reason, UserHistory
from marquee.errors import DataError
from marquee.features.dataset import Dataset
from marquee.features.popularity import Popularity
from marquee.scoring.evidence_weights import EvidenceWeights
from marquee.scoring.scorers.recent_trend import RecentTrend
from marquee_testing import RecommenderContract, checkerboard
from marquee_testing.small_fits import SMALL_TASTE
from user_model.fit import UserModelConfig, fit
from user_model.model import UserModel
from user_model.neighbours import Neighbourhood

SMALL = UserModelConfig(
    taste=SMALL_TASTE, clusters=2, near=10, cold_penalty=1.0, sizes=(3, 5), positive=1
)


class TestUserModel(RecommenderContract):
    @classmethod
    def fit(cls, dataset: Dataset, seed: int = 0) -> UserModel:
        return fit(dataset, SMALL, seed)


@pytest.fixture(scope="module")
def model() -> UserModel:
    return fit(checkerboard(), SMALL, 0)


def test_users_of_one_taste_share_a_cluster(model: UserModel) -> None:
    def cluster(*movie_ids: int) -> int:
        return model.encode(UserHistory.of([(i, 5.0) for i in movie_ids]).rated)[1]

    assert cluster(10, 12, 14) == cluster(16, 18, 20)
    assert cluster(11, 13, 15) == cluster(17, 19, 21)
    assert cluster(10, 12, 14) != cluster(11, 13, 15)


def test_a_movie_belongs_to_the_cluster_that_likes_it(model: UserModel) -> None:
    fans = model.encode(UserHistory.of([(10, 5.0), (12, 5.0), (14, 5.0)]).rated)[1]
    movies = model.movies()
    assert set(movies.clusters[movies.movie_ids % 2 == 0].tolist()) == {fans}
    assert fans not in movies.clusters[movies.movie_ids % 2 == 1]


def test_a_low_rating_turns_the_list_to_the_other_kind(model: UserModel) -> None:
    movies = model.movies()
    mask = ~np.isin(movies.movie_ids, [10, 12, 14])
    answer = model.recommend(UserHistory.of([(10, 1.0), (12, 1.0), (14, 0.5)]), movies, mask, 5)
    assert {scored.movie_id % 2 for scored in answer} == {1}


def test_the_liked_movies_that_near_users_liked_too_are_named(model: UserModel) -> None:
    movies = model.movies()
    mask = ~np.isin(movies.movie_ids, [10, 12, 13])
    answer = model.recommend(UserHistory.of([(10, 5.0), (12, 4.0), (13, 1.0)]), movies, mask, 5)
    for scored in answer:
        assert scored.reason is Reason.LIKED_BY_SIMILAR_VIEWERS
        assert {movie_id for movie_id, _ in scored.because} == {10, 12}
        assert sum(share for _, share in scored.because) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("part", sorted({*UserModelConfig.signals} - {"first"}))
def test_each_part_moves_scores(model: UserModel, part: str) -> None:
    movies = model.movies()
    model = replace(model, trend=RecentTrend(90.0, np.arange(len(movies), dtype=np.float32)))
    weights = dict.fromkeys(UserModelConfig.signals, 1.0)
    rated, half_stars = movies.indexes([10, 13]), np.array([10, 4])
    code = model.code(rated, half_stars)
    signals = model.signals(rated, half_stars, code, model.neighbourhood(code), movies.vectors)

    def scores(weights: dict[str, float]) -> np.ndarray:
        constant = EvidenceWeights.constant(weights)
        weighted = replace(model, blend=replace(model.blend, weights=constant))
        coldness = weighted.cold_rows.layout.coldness(movies.vectors)
        return weighted.blend.total(signals, coldness, 2, None)

    assert not np.allclose(scores(weights), scores(weights | {part: 0.0}), atol=1e-3)


def test_a_part_left_out_has_no_weight() -> None:
    without = SMALL.model_copy(update={"without": ("content",)})
    assert "content" not in fit(checkerboard(), without, 0).blend.weights.signals


def test_content_counts_more_the_more_ratings_are_known(model: UserModel) -> None:
    movies = model.movies()

    def content(*movie_ids: int) -> np.ndarray:
        rated, half_stars = movies.indexes(list(movie_ids)), np.full(len(movie_ids), 10)
        code = model.code(rated, half_stars)
        return model.signals(rated, half_stars, code, model.neighbourhood(code), movies.vectors)[
            "content"
        ]

    kind = movies.movie_ids % 2 == 0
    assert content(10)[kind].min() > content(10)[~kind].max()
    assert content(10, 12, 14)[kind].min() > content(10)[kind].max()


def test_a_changed_movie_keeps_what_users_taught_and_is_alike_to_others(model: UserModel) -> None:
    movies, layout = model.movies(), model.cold_rows.layout
    movie = checkerboard().movies[0]
    changed = movie.model_copy(update={"genres": ("Romance",), "tags": {"letters": 0.9}})
    (before, cluster), (row, same) = (model.row(f, model.sums(10)) for f in (movie, changed))
    assert np.allclose(before, movies.vectors[0], atol=1e-5)
    assert same == cluster == movies.clusters[0]
    assert (row[: layout.learned + 1] == movies.vectors[0, : layout.learned + 1]).all()
    others = layout.codes(movies.vectors[movies.movie_ids % 2 == 1])
    assert (others @ layout.codes(row[None])[0]).mean() > 0.5
    assert (others @ layout.codes(before[None])[0]).mean() < 0


def test_live_popularity_counts(model: UserModel) -> None:
    weights = EvidenceWeights.constant({"popularity": 1.0})
    loud = replace(model, blend=replace(model.blend, weights=weights))
    movies = loud.movies()
    sums = np.ones((len(movies), 3), np.int64)
    sums[movies.index(21)] = (90, 80, 700)
    user = UserHistory.of([(10, 5.0)])
    answer = loud.recommend(user, movies, movies.alive, 1, Popularity(sums))
    assert [scored.movie_id for scored in answer] == [21]


def test_a_new_movie_has_a_bonus_that_fades_with_ratings(model: UserModel) -> None:
    movie = Movie(movie_id=500, title="New", year=1990, genres=("Action",))
    fresh, _ = model.row(movie, (0, 0, 0))
    rated, _ = model.row(movie, (5, 4, 40))
    coldness = model.cold_rows.layout.coldness(np.stack([fresh, rated]))
    assert coldness.tolist() == [1.0, 0.5]


def test_sums_are_those_of_the_training(model: UserModel) -> None:
    dataset = checkerboard()
    n, positive, half = model.sums(12)
    chosen = dataset.half_stars[dataset.movie_ids == 12]
    assert (n, positive, half) == (len(chosen), (chosen >= 8).sum(), chosen.sum())
    assert model.sums(999) == (0, 0, 0)


def test_near_users_weigh_by_nearness() -> None:
    near = Neighbourhood(np.array([3.0, 1.0]), np.array([0, 0, 1]), np.array([0, 1, 1]))
    assert near.rates(3).tolist() == [0.75, 1.0, 0.0]
    co_likes = near.co_likes(np.array([1]), np.array([0, 2]), 3)
    assert co_likes[0, 0] == pytest.approx(3 / np.sqrt(3))
    assert co_likes[0, 1] == 0


def test_a_data_set_without_movies_is_refused() -> None:
    nothing = checkerboard().of_rows(np.zeros(len(checkerboard()), bool))
    with pytest.raises(DataError, match="no films"):
        fit(replace(nothing, movies=()), SMALL, 0)
