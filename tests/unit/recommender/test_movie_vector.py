"""Movie vectors: blocks, vocabulary, and movies without ratings."""

from pathlib import Path

import numpy as np
import pytest

from marquee.domain.genres import GENRES
from marquee.domain.movies import Movie
from marquee.features.movie_vector import MovieVectors

MOVIES = [
    Movie(
        movie_id=1, title="A", year=1994, genres=("Action", "War"), tags={"chase": 0.9, "rare": 1}
    ),
    Movie(
        movie_id=2, title="B", year=2010, genres=("Romance",), tags={"chase": 0.2, "letters": 0.8}
    ),
    Movie(movie_id=3, title="C", tags={"letters": 0.5}),
]
SUMS = np.array([[10, 6, 70], [2, 0, 8], [0, 0, 0]], np.int64)


@pytest.fixture
def vectors() -> MovieVectors:
    return MovieVectors.fit(MOVIES, SUMS, min_movies=2)


def test_blocks_lie_side_by_side_and_fill_the_vector(vectors: MovieVectors) -> None:
    ends = [0]
    for block in vectors.blocks.values():
        assert block.start == ends[-1]
        ends.append(block.stop)
    assert ends[-1] == vectors.d == len(vectors.vector(MOVIES[0]))


def test_genres_are_multi_hot(vectors: MovieVectors) -> None:
    genres = vectors.vector(MOVIES[0])[vectors.blocks["genres"]]
    assert [GENRES[i] for i in np.flatnonzero(genres)] == ["Action", "War"]


def test_tags_of_enough_movies_carry_their_relevance(vectors: MovieVectors) -> None:
    assert vectors.tags == ("chase", "letters")
    assert vectors.vector(MOVIES[1])[vectors.blocks["tags"]] == pytest.approx([0.2, 0.8])
    few = MovieVectors.fit(MOVIES, SUMS, max_tags=1, min_movies=2)
    assert few.tags == ("letters",)


def test_a_year_lies_nearest_to_its_own_time_and_an_unknown_one_nowhere(
    vectors: MovieVectors,
) -> None:
    block = vectors.blocks["year"]
    movie = [
        vectors.vector(Movie(movie_id=9, title="X", year=y))[block] for y in (1991, 1993, 1935)
    ]
    assert movie[0] @ movie[1] > 0.9 * (movie[0] @ movie[0])
    assert movie[0] @ movie[2] < 1e-3
    assert not vectors.vector(MOVIES[2])[block].any()


def test_rating_is_shrunk_and_popularity_is_the_log_of_positive_ones(vectors: MovieVectors) -> None:
    row = vectors.vector(MOVIES[0], (10, 6, 70))
    mean = (78 / 2) / 12
    assert vectors.mean_rating == pytest.approx(mean)
    assert row[vectors.blocks["rating"]] == pytest.approx((35 + 25 * mean) / 35 - mean)
    assert row[vectors.blocks["popularity"]] == pytest.approx(np.log(7))


def test_a_movie_without_ratings_stands_at_the_mean(vectors: MovieVectors) -> None:
    row = vectors.vector(MOVIES[0])
    assert row[vectors.blocks["rating"]] == 0
    assert row[vectors.blocks["popularity"]] == 0
    assert row[vectors.content].any()


def test_rows_one_by_one_are_the_rows_of_the_matrix(vectors: MovieVectors) -> None:
    matrix = vectors.matrix(MOVIES, SUMS)
    for movie, sums, row in zip(MOVIES, SUMS.tolist(), matrix, strict=True):
        assert (vectors.vector(movie, tuple(sums)) == row).all()
    assert vectors.has_tags(matrix).all()


def test_what_was_saved_makes_the_same_vectors(vectors: MovieVectors, tmp_path: Path) -> None:
    vectors.save(tmp_path)
    assert MovieVectors.load(tmp_path) is not vectors
    assert (MovieVectors.load(tmp_path).matrix(MOVIES, SUMS) == vectors.matrix(MOVIES, SUMS)).all()


def test_no_movies_and_no_tags_are_no_error(tmp_path: Path) -> None:
    empty = MovieVectors.fit([], np.zeros((0, 3), np.int64))
    empty.save(tmp_path)
    again = MovieVectors.load(tmp_path)
    assert again.tags == ()
    assert again.vector(MOVIES[0]).shape == (again.d,)
    assert again.matrix([], np.zeros((0, 3), np.int64)).shape == (0, again.d)
