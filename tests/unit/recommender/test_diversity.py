"""Diversity re-ranking: what movies that are in most lists lose, and what others gain by it."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from content.app import answer
from marquee.domain.movies import Movie
from marquee.domain.rating_sums import RatingSums
from marquee.domain.recommendation import Reason, RecommendRequest, Route, Scored, UserHistory
from marquee.features.interactions import RatingRows
from marquee.features.movie_table import MovieTable
from marquee.features.popularity import LivePopularity, MovieSums
from marquee.scoring.diversity import (
    POOL,
    diverse_order,
    diverse_top,
    diversify,
    list_z_scores,
    pool_size,
)
from marquee.scoring.top_k import top
from marquee.serving.app import rank_candidates
from marquee.serving.movie_rows import MovieTableWriter
from marquee.serving.replica import ServingState
from marquee.training.exposure_threshold import LISTS, draw_users, fit_exposure_thresholds

N = 60
GENRES = ("Crime", "Comedy", "Drama", "Horror")
MOVIES = [
    Movie(movie_id=i, title=f"Film {i}", genres=(GENRES[i % len(GENRES)],)) for i in range(1, N + 1)
]
THRESHOLDS = np.where(np.arange(1, N + 1) % 2, 2.0, -2.0).astype(np.float32)
"""Movies of odd ids are shown to many, those of even ids to few."""


class Famous:
    """Ranks movies by id, odd ones before."""

    version = "v1"
    half_life = None

    def __init__(self) -> None:
        self.requested_k = 0

    def movies(self) -> MovieTable:
        rows = np.zeros((N, 1), np.float32)
        return MovieTable.of(MOVIES, rows, np.zeros(N, np.int16)).with_exposure_thresholds(
            THRESHOLDS
        )

    def sums(self, movie_id: int) -> tuple[int, int, int]:
        return (100, 100, 900) if movie_id % 2 else (1, 1, 9)

    def recommend(self, _user, movies, mask, k, popularity=None, diversity=0.0):  # noqa: ARG002
        self.requested_k = k
        scores = np.where(movies.movie_ids % 2, 2.0, 1.0) - np.arange(len(movies)) / N
        return [
            Scored(int(movies.movie_ids[r]), float(scores[r]), Reason.NEW, ((7, 0.5),))
            for r in diverse_top(scores, mask, k, movies.exposure_thresholds, diversity)
        ]


def served(model: Famous, sums: MovieSums | None = None) -> ServingState[Any]:
    movies = model.movies()
    live = LivePopularity(movies, sums or MovieSums())
    return ServingState(model, movies, live, MovieTableWriter(model, movies, None))


def ids(items) -> list[int]:
    return [scored.movie_id for scored in items]


def test_nothing_changes_at_0_and_no_more_movies_are_explained_than_asked_for():
    model = Famous()
    items = rank_candidates(served(model), RecommendRequest(route=Route.HYBRID, k=10))
    assert ids(items) == list(range(1, 21, 2))
    rank_candidates(served(model), RecommendRequest(route=Route.HYBRID, k=10, diversity=0.5))
    assert model.requested_k == 10
    assert pool_size(10, 0.0) == 10
    assert pool_size(10, 0.1) == POOL


def test_the_order_is_that_of_the_score_less_a_share_of_the_threshold():
    scores = np.array([3.0, 2.0, 1.0, 0.0])
    thresholds = np.array([4.0, 0.0, 0.0, -4.0], np.float32)
    deviation = np.std(scores)
    assert diverse_order(scores, thresholds, 0.0).tolist() == [0, 1, 2, 3]
    for diversity in (0.1, 0.3, 0.7, 1.0):
        lift = (scores - 1.5) / deviation - diversity * thresholds
        assert diverse_order(scores, thresholds, diversity).tolist() == np.argsort(-lift).tolist()
    assert diverse_order(scores, thresholds, 1.0).tolist() == [3, 1, 2, 0]


def test_no_movie_beyond_the_pool_comes_forward():
    scores = -np.arange(2.0 * POOL)
    order = diverse_order(scores, -np.arange(2 * POOL, dtype=np.float32), 1.0)
    assert sorted(order[:POOL]) == list(range(POOL))
    assert order[POOL:].tolist() == list(range(POOL, 2 * POOL))


@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.integers(1, 40))
def test_a_movie_without_exposure_never_falls_behind_one_that_it_led(seed, diversity, k):
    """More diversity lets a movie pass others of higher thresholds alone."""
    random = np.random.default_rng(seed)
    scores, thresholds = random.normal(size=40), random.normal(size=40).astype(np.float32)
    mask = random.random(40) < 0.8
    rows = diverse_top(scores, mask, k, thresholds, diversity)
    assert mask[rows].all()
    assert len(set(rows.tolist())) == len(rows) == min(k, mask.sum())
    longer = diverse_top(scores, mask, 40, thresholds, diversity)
    assert longer[: len(rows)].tolist() == rows.tolist()
    place = {row: i for i, row in enumerate(longer.tolist())}
    for a in longer.tolist():
        for b in longer.tolist():
            if scores[a] > scores[b] and thresholds[a] <= thresholds[b]:
                assert place[a] < place[b]


def test_a_shorter_list_is_the_beginning_of_a_longer_one():
    model = Famous()
    request = RecommendRequest(route=Route.NEURAL, k=30, diversity=0.4)
    longer = ids(rank_candidates(served(model), request))
    for k in (7, 10, 19):
        assert longer[:k] == ids(
            rank_candidates(served(model), request.model_copy(update={"k": k}))
        )
    assert len(set(longer)) == 30


def test_movies_of_few_lists_enter_as_the_setting_grows():
    model = Famous()
    request = RecommendRequest(route=Route.HYBRID, k=10)
    even = []
    for diversity in (0.0, 0.2, 0.4, 0.6, 1.0):
        answer = rank_candidates(served(model), request.model_copy(update={"diversity": diversity}))
        even.append(sum(i % 2 == 0 for i in ids(answer)))
    assert even == sorted(even)
    assert even[0] == 0
    assert even[-1] == 10


def test_little_known_movies_enter_with_their_explanations_and_filters_hold():
    model = Famous()
    request = RecommendRequest(
        route=Route.USER_CLUSTER, k=10, diversity=0.5, exclude=(1, 2), genres=("Crime", "Comedy")
    )
    items = rank_candidates(served(model), request)
    assert len(items) == 10
    assert {1, 2}.isdisjoint(ids(items))
    assert {i % 4 for i in ids(items)} <= {0, 1}
    assert all(scored.because == ((7, 0.5),) for scored in items)
    plain = ids(rank_candidates(served(model), request.model_copy(update={"diversity": 0.0})))
    assert sum(i % 2 == 0 for i in ids(items)) > sum(i % 2 == 0 for i in plain)


def test_all_movies_are_listed_where_there_are_no_more_than_requested():
    model = Famous()
    items = rank_candidates(served(model), RecommendRequest(route=Route.HYBRID, k=N, diversity=1.0))
    assert sorted(ids(items)) == list(range(1, N + 1))
    assert diversify(items[:1], model.movies(), 1.0, 5) == items[:1]
    assert diversify([], model.movies(), 1.0, 5) == []


def test_similar_movies_and_popular_ones_take_the_setting():
    model, sums = Famous(), MovieSums()
    for i in range(1, N + 1):
        sums.put(0, i, RatingSums(*model.sums(i)))
    serving = served(model, sums)
    for request in (
        RecommendRequest(route=Route.SIMILAR, viewed=(11, 13), k=10, diversity=0.7),
        RecommendRequest(route=Route.POPULAR, k=10, diversity=0.7, exclude=(11, 13)),
    ):
        broad = ids(answer(serving, request))
        assert len(set(broad)) == 10
        assert {11, 13}.isdisjoint(broad)
        assert sum(i % 2 == 0 for i in broad) > 0


def test_scores_are_standardised_by_the_best_hundred():
    scores = np.concatenate([np.linspace(3, 1, 100), np.full(50, -9.0)])
    z_scores = list_z_scores(scores)
    assert z_scores[:100].mean() == pytest.approx(0)
    assert z_scores[:100].std() == pytest.approx(1)
    assert list_z_scores(3 * scores + 5) == pytest.approx(z_scores)
    assert list_z_scores(np.ones(5)).tolist() == [0] * 5
    assert list_z_scores(np.zeros(0)).tolist() == []


class Tastes:
    """Ranks movie 1 first for all users, then the movie that follows the rated one."""

    def movies(self) -> MovieTable:
        return MovieTable.of(MOVIES, np.zeros((N, 1), np.float32), np.zeros(N, np.int16))

    def recommend(self, user, movies, mask, k, diversity=0.0):  # noqa: ARG002
        scores = -np.arange(len(movies)) / N
        scores[0] = 5.0
        scores[user.rated.movie_ids % N] += 0.2
        return [
            Scored(int(movies.movie_ids[r]), float(scores[r]), Reason.NEW)
            for r in top(scores, mask, k)
        ]


def test_a_threshold_is_the_score_that_a_hundredth_of_the_users_reach():
    """Movie 1 is best for all, so its threshold is high; any other is best for few users."""
    model = Tastes()
    users = [UserHistory.of([(i, 4.0)]) for i in range(2, N) for _ in range(10)]
    table = fit_exposure_thresholds(model, users)
    assert table.exposure_thresholds[0] > table.exposure_thresholds[2:].max() > 0
    table = fit_exposure_thresholds(model, users[:1])
    items = model.recommend(users[0], table, table.movie_ids != 2, POOL)
    expected = list_z_scores(np.array([item.score for item in items]))
    assert table.exposure_thresholds[table.indexes(ids(items))] == pytest.approx(expected)
    rated = table.exposure_thresholds[1]  # no candidate of its user
    assert rated == pytest.approx(expected[-1])


def test_movies_above_their_threshold_reach_the_users_whom_they_suit():
    model = Tastes()
    users = [UserHistory.of([(i, 4.0)]) for i in range(2, N)]
    table = fit_exposure_thresholds(model, users)
    lists = [model.recommend(user, table, table.movie_ids > 0, POOL) for user in users]
    plain, broad = ([diversify(items, table, d, 10) for items in lists] for d in (0.0, 1.0))
    assert {items[0].movie_id for items in plain} == {1}
    own = [user.rated.movie_ids[0] % N + 1 for user in users]
    assert np.mean([i in ids(items) for i, items in zip(own, broad, strict=True)]) > 0.9
    assert np.mean([i in ids(items) for i, items in zip(own, plain, strict=True)]) < 0.5


def test_thresholds_are_0_without_users_and_a_new_movie_gets_the_highest():
    assert not fit_exposure_thresholds(Tastes(), []).exposure_thresholds.any()
    movies = Famous().movies()
    movies.put(999, ("Action",), 2000, np.zeros(1, np.float32), 0)
    assert movies.exposure_thresholds[-1] == 2.0
    movies.put(2, ("Action",), 2000, np.zeros(1, np.float32), 0)
    assert movies.exposure_thresholds[1] == -2.0
    arrays = dict(movies.arrays())
    assert (
        MovieTable.from_arrays(arrays).exposure_thresholds.tolist()
        == movies.exposure_thresholds.tolist()
    )
    del arrays["marks"]  # a bundle of older code
    assert not MovieTable.from_arrays(arrays).exposure_thresholds.any()


def test_users_are_drawn_with_parts_of_their_histories():
    starts = np.array([0, 1, 11, 31])
    rows = RatingRows(starts, np.r_[0, np.arange(10), np.arange(20)], np.full(31, 9, np.uint8))
    movie_ids = np.arange(100, 130)
    users = draw_users(rows, movie_ids, (3, 50), 1)
    assert {len(user.rated.movie_ids) for user in users} == {3, 9, 19}
    assert all((user.rated.stars == 4.5).all() for user in users)
    assert all(user.rated.movie_ids.min() >= 100 for user in users)
    shares = draw_users(rows, movie_ids, (0.8,), 1, viewed=True)
    assert {len(user.viewed) for user in shares} == {8, 16}
    assert not any(len(user.rated.movie_ids) for user in shares)
    assert [user.rated.movie_ids.tolist() for user in draw_users(rows, movie_ids, (3, 50), 1)] == [
        user.rated.movie_ids.tolist() for user in users
    ]
    many = RatingRows(
        np.arange(0, 4 * LISTS, 2), np.arange(4 * LISTS) % 30, np.full(4 * LISTS, 9, np.uint8)
    )
    assert len(draw_users(many, movie_ids, (1,), 1)) == LISTS
    none = RatingRows(np.zeros(1, np.int64), np.zeros(0, np.int64), np.zeros(0, np.uint8))
    assert draw_users(none, movie_ids, (3,), 1) == []
