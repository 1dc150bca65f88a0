"""Ratings that cannot tell likes are named, with the remedy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marquee.domain.movies import Movie
from marquee.features.dataset import Dataset, make_dataset
from trainer.datasets.rating_scale import rating_warnings


def dataset(*half_stars: int) -> Dataset:
    n = len(half_stars)
    movies = [Movie(movie_id=i, title="A") for i in range(1, n + 1)]
    users, ids = np.ones(n, np.int64), np.arange(1, n + 1)
    return make_dataset(users, ids, np.array(half_stars, np.uint8), np.arange(n), movies)


def test_ratings_with_likes_and_others_are_as_they_should_be() -> None:
    assert rating_warnings(dataset(4, 9)) == []
    assert rating_warnings(dataset()) == []


def test_ratings_without_a_like_are_named() -> None:
    [warning] = rating_warnings(dataset(2, 7))
    assert "none of 2 ratings is above 3.5 stars" in warning
    assert "import them with --likes" in warning
    assert "MARQUEE_LIKES=every-rating" in warning


def test_equal_ratings_are_named_whether_likes_or_not() -> None:
    assert ["all 2 ratings are 5 stars" in w for w in rating_warnings(dataset(10, 10))] == [True]
    assert len(rating_warnings(dataset(2, 2))) == 2


@given(st.integers(1, 10), st.integers(2, 5))
def test_the_remedy_of_equal_ratings_is_the_option_and_the_setting(half: int, n: int) -> None:
    *_, warning = rating_warnings(dataset(*[half] * n))
    assert "--likes" in warning
    assert "set MARQUEE_LIKES=every-rating for every process" in warning
    assert ("import them with --likes" in warning) is (half <= 7)


@pytest.mark.usefixtures("every_rating")
def test_where_each_rating_is_a_like_the_remedy_is_taken() -> None:
    assert rating_warnings(dataset(2, 7)) == []
    [warning] = rating_warnings(dataset(2, 2))
    assert "MARQUEE_LIKES" not in warning
    assert "--likes" not in warning
