"""Whether times order what was rated: real histories, one time for all, one order for all."""

import numpy as np
import pytest

from marquee.domain.movies import Movie
from marquee.features.dataset import Dataset, make_dataset
from marquee.features.time_order import unusable_times

DAY = 86_400
USERS, MOVIES, EACH = 60, 50, 25


def dataset_of(times, order=None) -> Dataset:
    """Return users who each rated half of the movies; `times` of user and place (users × 25).

    `order`: the movies from the first to the last, the same for all users; drawn for each without.
    """
    generator = np.random.default_rng(3)
    movies = []
    for _ in range(USERS):
        chosen = generator.permutation(MOVIES)[:EACH]
        movies.append(chosen if order is None else sorted(chosen, key=list(order).index))
    catalogue = [Movie(movie_id=i + 1, title=f"Film {i}") for i in range(MOVIES)]
    return make_dataset(
        np.repeat(np.arange(USERS), EACH) + 1,
        np.concatenate(movies) + 1,
        np.full(USERS * EACH, 8, np.uint8),
        np.broadcast_to(times, (USERS, EACH)).ravel(),
        catalogue,
    )


PLACES = np.arange(EACH)
STARTS = np.arange(USERS)[:, None] * DAY


def test_histories_with_an_order_of_their_own_are_usable():
    assert unusable_times(dataset_of(STARTS + PLACES * 60)) == ""


def test_pages_of_ratings_sent_at_one_second_are_usable():
    assert unusable_times(dataset_of(STARTS + PLACES // 5 * 60)) == ""


@pytest.mark.parametrize("time", [0, 1_000_000_000])
def test_one_time_for_all_is_unusable(time):
    assert unusable_times(dataset_of(np.full(EACH, time))) == "all ratings have one time"


def test_most_of_a_users_ratings_at_one_second_are_unusable():
    assert "at one second" in unusable_times(dataset_of(STARTS + 0 * PLACES))
    assert "at one second" in unusable_times(dataset_of(STARTS + np.maximum(0, PLACES - 15)))


def test_a_row_number_by_movie_id_is_unusable():
    numbers = np.arange(USERS)[:, None] * EACH + PLACES
    assert "one order" in unusable_times(dataset_of(numbers, np.arange(MOVIES)))
    assert "one order" in unusable_times(dataset_of(numbers, np.arange(MOVIES)[::-1]))


def test_any_other_order_of_all_users_is_unusable():
    order = np.random.default_rng(9).permutation(MOVIES)
    assert "one order" in unusable_times(dataset_of(STARTS + PLACES * 60, order))


def test_an_order_that_many_pairs_share_is_usable():
    """As in life: well-known movies tend to be rated first, which is no order of all users."""
    order = np.arange(MOVIES)
    dataset = dataset_of(STARTS + PLACES * 60, order)
    noise = np.random.default_rng(4).integers(0, 15, len(dataset)) * 60
    mixed = make_dataset(
        dataset.user_ids,
        dataset.movie_ids,
        dataset.half_stars,
        dataset.times + noise,
        dataset.movies,
    )
    assert unusable_times(mixed) == ""


def test_without_ratings_or_with_one_each_there_is_no_order():
    dataset = dataset_of(STARTS + PLACES * 60)
    assert unusable_times(dataset.of_rows(np.zeros(len(dataset), bool)))
    first = np.unique(dataset.user_ids, return_index=True)[1]
    assert "more than one" in unusable_times(dataset.of_rows(first))
