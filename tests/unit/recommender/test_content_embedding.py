"""Content embedding of movies, and the signal of user clusters."""

from pathlib import Path

import numpy as np

from marquee.arrays import Matrix
from marquee.domain.movies import Movie
from marquee.features.content_embedding import ContentEmbedding, likeness
from marquee.features.interactions import RatingRows
from marquee.features.movie_vector import MovieVectors
from marquee.features.pipeline import KMeans
from marquee.scoring.scorers.user_clusters import cluster_preference
from marquee.training.content_embedding import fit_content_embedding
from marquee.training.scorers.user_clusters import cluster_rates
from marquee_testing import checkerboard

DATA = checkerboard()
SUMS = RatingRows.of(DATA).sums(len(DATA.movies))
VECTORS = MovieVectors.fit(DATA.movies, SUMS)
MATRIX = VECTORS.matrix(DATA.movies, SUMS)


def space(known: np.ndarray | None = None) -> ContentEmbedding:
    chosen = np.ones(len(MATRIX), bool) if known is None else known
    return fit_content_embedding(VECTORS, MATRIX, chosen, 8, 0)


def codes(found: ContentEmbedding, rows: Matrix = MATRIX) -> Matrix:
    return found.codes(rows[:, VECTORS.content])


def test_movies_of_a_kind_are_near_and_those_of_the_other_are_not() -> None:
    near = likeness(codes(space()), codes(space())[[0, 2]])
    assert near[::2].min() > 0.9
    assert near[1::2].max() < 0


def test_a_movie_is_where_it_is_however_often_it_was_rated() -> None:
    movie = Movie(movie_id=900, title="New", genres=("Action",), tags={"chase": 0.9})
    rows = np.stack([VECTORS.vector(movie), VECTORS.vector(movie, (90, 80, 700))])
    new, known = codes(space(), rows)
    assert (new == known).all()


def test_no_liked_movie_says_nothing() -> None:
    assert not likeness(codes(space()), codes(space())[:0]).any()


def test_the_space_is_that_of_the_movies_that_are_known() -> None:
    known = np.arange(len(MATRIX)) < 8
    some, alone = space(known), fit_content_embedding(VECTORS, MATRIX[:8], np.ones(8, bool), 8, 0)
    assert (codes(some) == codes(alone)).all()
    nothing_known = space(np.zeros(len(MATRIX), bool))
    assert (codes(nothing_known) == codes(space())).all()


def test_without_movies_there_is_a_space_of_zeros() -> None:
    empty = MovieVectors.fit((), np.zeros((0, 3), np.int64))
    rows = np.zeros((0, empty.d), np.float32)
    found = fit_content_embedding(empty, rows, np.zeros(0, bool), 8, 0)
    assert found.codes(np.ones((2, empty.content.stop), np.float32)).tolist() == [[0.0], [0.0]]


def test_a_space_is_read_as_it_was_written(tmp_path: Path) -> None:
    space().save(tmp_path)
    assert (codes(ContentEmbedding.load(tmp_path)) == codes(space())).all()


def test_a_cluster_rates_movies_by_its_users_shrunk_to_all() -> None:
    rows = RatingRows(np.array([0, 1, 2, 3]), np.array([0, 0, 1]), np.array([10, 10, 9], np.uint8))
    rates = cluster_rates(rows, np.array([0, 0, 1], np.int16), 2, 2)
    shares = np.array([2.1, 1.1]) / 4
    expected = (np.array([[2, 0], [0, 1]]) + 30 * shares[:, None]) / np.array([32, 31])
    assert np.allclose(rates, expected)


def test_the_clusters_near_to_a_user_say_what_he_likes() -> None:
    kmeans = KMeans(np.array([[1.0, 0.0], [0.0, 1.0]], np.float32))
    rates = np.array([[0.5, 0.1], [0.1, 0.5]], np.float32)
    first, second = cluster_preference(kmeans, np.array([3.0, 0.0], np.float32), rates)
    assert np.isclose(first, np.log(0.51))
    assert np.isclose(second, np.log(0.11))
    between = cluster_preference(kmeans, np.array([1.0, 1.0], np.float32), rates)
    assert np.allclose(between, np.log(0.31))
