"""Packed sums of a movie: counts by period that are equal for equal ratings, however they came."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marquee.domain.rating_sums import (
    PERIOD_SECONDS,
    RatingSums,
    period_of,
    sums_by_movie,
    sums_of_users,
)
from marquee.domain.ratings import LATEST, Ratings

TIMES = st.integers(0, 4 * PERIOD_SECONDS) | st.sampled_from([0, LATEST, 2**40])
RATINGS = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 10), TIMES), max_size=400)


def counted(ratings: list[tuple[int, int, int]]) -> dict[int, RatingSums]:
    sums: dict[int, RatingSums] = {}
    for movie, half, at in ratings:
        sums[movie] = sums.get(movie, RatingSums()).added(half, at)
    return sums


@given(RATINGS, st.randoms())
def test_bytes_depend_on_the_ratings_alone(ratings, random) -> None:
    shuffled = random.sample(ratings, len(ratings))
    extra = [(movie, 11 - half, at + PERIOD_SECONDS) for movie, half, at in shuffled]
    sums = counted(shuffled + extra)
    for movie, half, at in extra:
        sums[movie] = sums[movie].added(half, at, -1)
    columns = np.array(ratings, np.int64).reshape(-1, 3).T
    by_arrays = sums_by_movie(columns[0], columns[1].astype(np.uint8), columns[2])
    expected = {i: of.pack() for i, of in counted(ratings).items()}
    assert {i: of.pack() for i, of in sums.items()} == expected
    assert {i: of.pack() for i, of in by_arrays.items()} == expected
    assert {i: RatingSums.unpack(packed) for i, packed in expected.items()} == by_arrays


@pytest.mark.parametrize(("n", "size"), [(1, 4), (255, 4), (256, 6), (65_535, 6), (65_536, 10)])
def test_a_count_takes_the_bytes_that_the_largest_needs(n: int, size: int) -> None:
    at = np.full(n + 1, 5 * PERIOD_SECONDS)
    at[0] = 9 * PERIOD_SECONDS
    [sums] = sums_by_movie(np.ones(n + 1, np.int64), np.full(n + 1, 8, np.uint8), at).values()
    assert sums.periods == {5: (n, n), 9: (1, 1)}
    assert len(sums.pack()) == 12 + 1 + 2 * size
    more = sums.added(10, 9 * PERIOD_SECONDS).added(2, 7 * PERIOD_SECONDS)
    assert more.periods == {5: (n, n), 7: (1, 0), 9: (2, 2)}


def test_a_value_of_12_bytes_has_no_periods_and_none_fall_below_zero() -> None:
    old = RatingSums.unpack(struct.pack("<III", 3, 2, 25))
    assert (old.totals, old.periods) == ((3, 2, 25), {})
    assert old.added(10, 5 * PERIOD_SECONDS, -1) == RatingSums(2, 1, 15)
    mixed = old.added(3, 5 * PERIOD_SECONDS).added(10, 5 * PERIOD_SECONDS)
    assert mixed.added(9, 5 * PERIOD_SECONDS, -1).periods == {5: (1, 0)}
    assert mixed.added(9, 5 * PERIOD_SECONDS, -1).added(9, 5 * PERIOD_SECONDS, -1).periods == {}


def test_unknown_times_are_not_counted_by_period() -> None:
    assert [period_of(t) for t in (-5, 0, PERIOD_SECONDS - 1, PERIOD_SECONDS)] == [0, 0, 0, 1]
    assert period_of(2**40) == LATEST // PERIOD_SECONDS
    assert RatingSums().added(8, 0) == RatingSums(1, 1, 8)
    users = [Ratings({1: 8, 2: 3}, times={1: 3 * PERIOD_SECONDS}), Ratings({2: 10})]
    sums = sums_of_users(users)
    assert {i: (of.totals, dict(of.periods)) for i, of in sums.items()} == {
        1: ((1, 1, 8), {3: (1, 1)}), 2: ((2, 1, 13), {}),
    }  # fmt: skip
    assert sums_of_users([]) == {}
