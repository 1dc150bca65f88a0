"""How broad lists are: measures on a catalogue whose answers a hand can reckon."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marquee.domain.movies import Movie
from marquee.features.dataset import make_dataset
from trainer.evaluation.beyond_accuracy import (
    CatalogueStatistics,
    head_share,
    most_shown_share,
)

MOVIES = [
    Movie(movie_id=1, title="A", genres=("Crime",)),
    Movie(movie_id=2, title="B", genres=("Crime",)),
    Movie(movie_id=3, title="C", genres=("War",)),
    Movie(movie_id=4, title="D"),
]


@pytest.fixture
def catalogue() -> CatalogueStatistics:
    """Three users: movie 1 is rated by all, movie 2 by one, the others by nobody."""
    users, movies = np.array([1, 2, 3, 1]), np.array([1, 1, 1, 2])
    halves = np.array([8, 9, 10, 2], np.uint8)
    return CatalogueStatistics.of(make_dataset(users, movies, halves, np.arange(4), MOVIES))


def test_coverage_counts_each_movie_once_and_by_genre(catalogue: CatalogueStatistics) -> None:
    shown = np.array([[0, 2, -1], [0, -1, -1]])
    assert catalogue.coverage(shown) == 0.5
    assert catalogue.coverage_by_genre(shown) == {"Crime": 0.5, "War": 1.0}
    assert catalogue.coverage(np.full((2, 3), -1)) == 0.0


def test_novelty_is_what_one_learns_of_a_rating(catalogue: CatalogueStatistics) -> None:
    assert catalogue.novelty(np.array([[0, -1], [1, -1], [2, 3]])) == pytest.approx([0, 1, 2])


def test_diversity_is_none_for_movies_alike_and_whole_for_movies_unlike(
    catalogue: CatalogueStatistics,
) -> None:
    found = catalogue.diversity(np.array([[0, 1, -1], [0, 2, -1], [0, -1, -1], [0, 1, 2]]))
    assert found == pytest.approx([0, 1, 0, 2 / 3], abs=1e-6)


def test_a_list_of_no_movie_is_neither_novel_nor_diverse(catalogue: CatalogueStatistics) -> None:
    empty = np.full((1, 10), -1)
    assert catalogue.novelty(empty) == pytest.approx([0])
    assert catalogue.diversity(empty) == pytest.approx([0])


def test_a_rare_target_weighs_more_than_a_popular_one(catalogue: CatalogueStatistics) -> None:
    """Movie 1 has three likes, movie 2 none: a target counts one at least."""
    shown = np.array([[0, 3], [1, 3], [0, 1], [3, 2]])
    targets = [np.array([0, 1])] * 4
    heavy, light = 1.0, 3**-0.5
    wanted = [light / (light + heavy), heavy / (light + heavy), 1, 0]
    assert catalogue.weighted_recall(shown, targets, 2) == pytest.approx(wanted)


def test_weights_fall_with_the_root_of_the_likes(catalogue: CatalogueStatistics) -> None:
    assert catalogue.target_weights == pytest.approx([3**-0.5, 1, 1, 1])


def test_a_list_with_the_genres_of_the_likes_is_calibrated(catalogue: CatalogueStatistics) -> None:
    shown = np.array([[0, 2], [0, 1], [2, -1], [0, 2]])
    likes = [np.array([1, 2]), np.array([1, 2]), np.array([0]), np.array([], int)]
    found = catalogue.calibration(shown, likes)
    # Half Crime, half War, in a list of Crime alone; then Crime alone in a list of War alone.
    half = 0.5 * np.log(0.5 / (0.99 + 0.005)) + 0.5 * np.log(0.5 / 0.005)
    assert found[:3] == pytest.approx([0, half, np.log(1 / 0.01)])
    assert np.isnan(found[3])


def test_a_movie_spreads_its_weight_over_its_genres() -> None:
    movies = [
        Movie(movie_id=1, title="A", genres=("Crime", "War")),
        Movie(movie_id=2, title="B", genres=("Crime",)),
        Movie(movie_id=3, title="C", genres=("War",)),
    ]
    one = np.array([1])
    dataset = make_dataset(one, one, np.array([10], np.uint8), one, movies)
    catalogue = CatalogueStatistics.of(dataset)
    assert catalogue.calibration(np.array([[1, 2]]), [np.array([0])]) == pytest.approx([0])


def test_likes_without_genres_say_nothing_of_calibration(catalogue: CatalogueStatistics) -> None:
    assert np.isnan(catalogue.calibration(np.array([[0, 1]]), [np.array([3])])).all()


def test_the_head_is_told_by_lists_and_by_places() -> None:
    shown = np.array([[0, 1, -1], [0, 2, -1], [0, 3, -1], [4, 5, -1]])
    assert most_shown_share(shown) == 0.75
    assert head_share(shown) == 1.0
    assert head_share(np.arange(20).reshape(2, 10)) == 0.5
    assert most_shown_share(np.full((2, 3), -1)) == head_share(np.full((2, 3), -1)) == 0


LISTS = st.lists(st.permutations(range(12)), min_size=1, max_size=20)


@given(LISTS)
def test_shares_of_the_head_lie_between_even_and_whole(orders: list[list[int]]) -> None:
    shown = np.array(orders)[:, :4]
    assert 4 / 12 <= most_shown_share(shown) <= 1
    assert 10 / 12 <= head_share(shown) + 1e-9 <= 1 + 1e-9


@given(st.permutations(range(4)), st.lists(st.integers(0, 2), min_size=1, max_size=6))
def test_miscalibration_is_never_below_nothing_and_bounded(
    order: list[int], likes: list[int]
) -> None:
    masks = np.eye(19, dtype=np.float32)[[0, 0, 1, 2]]
    catalogue = CatalogueStatistics(masks, masks, np.ones(4), np.ones(4, np.int64))
    found = catalogue.calibration(np.array([order[:2]]), [np.array(likes)])
    assert -1e-9 <= found[0] <= -np.log(0.01) + 1e-9
