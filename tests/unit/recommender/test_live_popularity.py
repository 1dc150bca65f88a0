"""Live popularity: kept up by events, it equals one that is read anew, with its trend."""

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from marquee.domain.movies import Movie
from marquee.domain.rating_sums import PERIOD_SECONDS, RatingSums
from marquee.features.movie_table import MovieTable
from marquee.features.popularity import LivePopularity, MovieSums, Popularity
from marquee.features.trend import trend
from marquee.training.recent_likes import RecentLikes

HALF_LIFE = 60.0
MOVIES, PERIODS = st.integers(1, 6), st.integers(1, 9)


class Clock:
    """A clock that stands in a period until it is moved."""

    def __init__(self, period: int) -> None:
        self.seconds = float(period * PERIOD_SECONDS)

    def __call__(self) -> float:
        return self.seconds


def table(*movie_ids: int) -> MovieTable:
    movies = [Movie(movie_id=i, title=f"F{i}") for i in movie_ids]
    rows = np.zeros((len(movies), 1), np.float32)
    return MovieTable.of(movies, rows, np.zeros(len(movies), np.int16))


class Following(RuleBasedStateMachine):
    """Events on one side; on the other a popularity that reads all sums at each look."""

    @initialize()
    def begin(self) -> None:
        self.clock, self.movies, self.sums = Clock(4), table(1, 2), MovieSums()
        self.live = LivePopularity(self.movies, self.sums, HALF_LIFE, self.clock)
        self.parts: dict[tuple[int, int], RatingSums] = {}

    @rule(movie=MOVIES, partition=st.integers(0, 2), half=st.integers(1, 10), period=PERIODS)
    def rate(self, movie: int, partition: int, half: int, period: int) -> None:
        before = self.parts.get((partition, movie), RatingSums())
        self.put(partition, movie, before.added(half, period * PERIOD_SECONDS))

    @rule(movie=MOVIES, partition=st.integers(0, 2))
    def lose(self, movie: int, partition: int) -> None:
        self.put(partition, movie, RatingSums())

    @rule(movie=MOVIES)
    def add_movie(self, movie: int) -> None:
        self.movies.put(movie, (), 1990, np.zeros(1, np.float32), 0)
        self.live.update(movie)

    @rule()
    def pass_a_period(self) -> None:
        self.clock.seconds += PERIOD_SECONDS

    @invariant()
    def it_is_as_if_read_anew(self) -> None:
        found = self.live.now()
        anew = LivePopularity(self.movies, self.sums, HALF_LIFE, self.clock).now()
        assert (found.sums == anew.sums).all()
        assert (found.trend == anew.trend).all()
        assert self.live.now() is found
        assert found.trend.shape == (len(self.movies),)

    def put(self, partition: int, movie: int, sums: RatingSums) -> None:
        self.parts[partition, movie] = sums
        self.sums.put(partition, movie, sums)
        self.live.update(movie)


TestFollowing = Following.TestCase
TestFollowing.settings = settings(max_examples=40, stateful_step_count=25)


def ratings() -> tuple[MovieSums, RecentLikes, RecentLikes]:
    """Return sums of 300 ratings of three movies in two partitions; their likes, all ratings."""
    draw, sums = np.random.default_rng(0), MovieSums()
    movies, halves = draw.integers(0, 3, 300), draw.integers(1, 11, 300)
    times = draw.integers(0, 12 * PERIOD_SECONDS, 300)
    parts: dict[tuple[int, int], RatingSums] = {}
    for i, (movie, half, at) in enumerate(zip(movies, halves, times, strict=True)):
        before = parts.get((i % 2, int(movie)), RatingSums())
        parts[i % 2, int(movie)] = before.added(int(half), int(at))
    for (partition, movie), of_movie in parts.items():
        sums.put(partition, movie + 1, of_movie)
    liked = halves >= 8
    likes = RecentLikes.counted(movies[liked], times[liked], 3)
    return sums, likes, RecentLikes.counted(movies, times, 3)


@pytest.mark.parametrize("now", [2, 8, 11, 400])
def test_the_decayed_likes_are_those_of_the_training_at_that_time(now: int) -> None:
    sums, likes, _ = ratings()
    popularity = LivePopularity(table(1, 2, 3), sums, HALF_LIFE, Clock(now)).now()
    expected = trend(likes.decayed(HALF_LIFE, now), popularity.positive)
    assert popularity.trend == pytest.approx(expected, abs=1e-12)
    assert (abs(popularity.trend) > 1e-3).any() == (now < 400)


@pytest.mark.usefixtures("every_rating")
def test_where_every_rating_is_a_like_all_are_counted() -> None:
    sums, _, all_ratings = ratings()
    popularity = LivePopularity(table(1, 2, 3), sums, HALF_LIFE, Clock(11)).now()
    expected = trend(all_ratings.decayed(HALF_LIFE, 11), popularity.n)
    assert popularity.trend == pytest.approx(expected, abs=1e-12)


def test_a_producer_with_a_wrong_clock_does_not_dominate() -> None:
    sums, movies = MovieSums(), table(1, 2)
    early, late = RatingSums(), RatingSums()
    for _ in range(200):
        early, late = early.added(9, 5 * PERIOD_SECONDS), late.added(9, 900 * PERIOD_SECONDS)
    sums.put(0, 1, early)
    sums.put(0, 2, late)
    falling, wrong = LivePopularity(movies, sums, HALF_LIFE, Clock(5)).now().trend
    assert falling > 0 > wrong


def test_sums_of_before_there_were_periods_tell_no_trend() -> None:
    sums, movies = MovieSums(), table(1, 2)
    sums.put(0, 1, RatingSums(9, 5, 60))
    live = LivePopularity(movies, sums, HALF_LIFE, Clock(5))
    assert not live.now().has_trend
    sums.put(0, 1, RatingSums(9, 5, 60).added(9, 5 * PERIOD_SECONDS))
    live.update(1)
    assert live.now().has_trend


def test_without_a_half_life_or_decayed_likes_the_trend_is_level() -> None:
    sums, likes, _ = ratings()
    assert (LivePopularity(table(1, 2, 3), sums).now().trend == 0).all()
    totals = sums.arrays(np.array([1, 2, 3]))
    assert (Popularity(totals).trend == 0).all()
    assert (Popularity(totals, likes.decayed(HALF_LIFE)).trend != 0).any()


def test_a_computed_popularity_is_used_up_to_its_age_but_for_new_rows() -> None:
    clock, sums, movies = Clock(5), MovieSums(), table(1, 2)
    live = LivePopularity(movies, sums, HALF_LIFE, clock, max_age=1.0)
    assert not live.is_known
    first = live.now()
    sums.put(0, 1, RatingSums(1, 1, 9))
    live.update(1)
    assert live.is_known
    clock.seconds += 0.9
    assert live.now() is first
    clock.seconds += 0.1
    assert live.now().n.tolist() == [1, 0]
    second = live.now()
    clock.seconds += 100
    assert live.now() is second  # nothing has changed
    movies.put(3, (), 1990, np.zeros(1, np.float32), 0)
    assert live.now().n.tolist() == [1, 0, 0]
    sums.put(0, 1, RatingSums(2, 1, 12))
    live.update(1)
    clock.seconds -= 1000
    assert live.now().n.tolist() == [2, 0, 0]  # a clock that was set back does not freeze it
