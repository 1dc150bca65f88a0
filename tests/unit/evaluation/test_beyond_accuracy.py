"""How broad lists are: measures on a catalogue whose answers a hand can reckon."""

import numpy as np
import pytest

from marquee.domain.movies import Movie
from marquee.features.dataset import make_dataset
from trainer.evaluation.beyond_accuracy import CatalogueStatistics

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
