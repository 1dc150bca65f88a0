"""Shortlist of a large table: its rows, when it suffices, and how it follows changes."""

import numpy as np

from marquee.features.movie_table import MovieTable
from marquee.features.shortlist import MAX_CANDIDATES, all_rows, candidate_rows

D = 3


def sums_of(likes: list[int]) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Return sums of movies by their likes, each rated once more than liked; -1: not rated."""
    positive = np.maximum(likes, 0)
    rated = np.array(likes) + 1
    return np.stack([rated, positive, 8 * rated], axis=1).astype(np.int64)


def table(n: int) -> MovieTable:
    vectors = np.random.default_rng(1).normal(size=(n, D)).astype(np.float32)
    zeros = np.zeros(n, np.int64)
    return MovieTable(
        np.arange(1, n + 1),
        zeros.astype(np.uint32),
        zeros.astype(np.int16),
        vectors,
        zeros.astype(np.int16),
    )


def large(n: int = 30_000) -> tuple[MovieTable, np.ndarray[tuple[int, int], np.dtype[np.int64]]]:
    """Return a table whose every third movie is liked more the larger its row, a tenth unrated."""
    likes = np.where(np.arange(n) % 3 == 0, np.arange(n), 0)
    likes[np.arange(n) % 10 == 1] = -1
    sums = sums_of(likes.tolist())
    return table(n).for_scoring(sums), sums


def test_the_most_liked_movies_and_all_without_ratings_are_candidates() -> None:
    likes = [5, 0, -1, 9, 1, 0, -1, 2, 0, 0]
    rows = candidate_rows(sums_of(likes), limit=2)
    assert rows is not None
    assert rows.tolist() == [0, 2, 3, 6]


def test_a_table_has_no_shortlist_where_that_would_not_prune_half_of_it() -> None:
    assert candidate_rows(sums_of([3] * 10), limit=10) is None
    assert candidate_rows(sums_of([3] * 10), limit=6) is None
    assert candidate_rows(sums_of([3] * 10), limit=5) is not None
    movies = table(20).for_scoring(sums_of([3] * 20))
    assert movies.select_rows(np.ones(20, bool), 10).rows == slice(None)


def test_the_selection_holds_rows_of_the_table_with_the_most_liked_among_them() -> None:
    movies, sums = large()
    selection = movies.select_rows(movies.alive, 10)
    assert isinstance(selection.rows, np.ndarray)
    assert len(selection.rows) < 15_000
    assert (np.diff(selection.rows) > 0).all()
    assert np.array_equal(selection.vectors, movies.vectors[selection.rows])
    assert set(np.argsort(-sums[:, 1])[: MAX_CANDIDATES // 2]) <= set(selection.rows.tolist())
    assert set(np.flatnonzero(sums[:, 0] == 0)) <= set(selection.rows.tolist())
    assert selection.table_rows(np.array([0, 7])).tolist() == selection.rows[[0, 7]].tolist()


def test_all_rows_are_scored_where_a_mask_leaves_few_or_many_are_requested() -> None:
    movies, _ = large()
    listed = movies.select_rows(movies.alive, 10).rows
    assert isinstance(listed, np.ndarray)
    mask = np.zeros(len(movies), bool)
    mask[listed[:500]] = True
    assert isinstance(movies.select_rows(mask, 10).rows, np.ndarray)
    mask[listed[0]] = False
    mask[np.setdiff1d(np.arange(len(movies)), listed)] = True
    assert movies.select_rows(mask, 10).rows == slice(None)
    assert isinstance(movies.select_rows(movies.alive, len(listed) // 10).rows, np.ndarray)
    assert movies.select_rows(movies.alive, len(listed) // 10 + 1).rows == slice(None)


def test_of_few_rows_that_filters_leave_no_others_are_scored() -> None:
    for movies in (large()[0], table(4_000).for_scoring(sums_of([3] * 4_000))):
        mask, n = np.zeros(len(movies), bool), len(movies)
        assert movies.select_rows(mask, 10).rows == slice(None)
        mask[5::300] = True
        selection = movies.select_rows(mask, 10)
        assert isinstance(selection.rows, np.ndarray)
        assert selection.rows.tolist() == [*range(5, n, 300)]
        assert np.array_equal(selection.vectors, movies.vectors[5::300])
        assert selection.n == n
        mask[: n // 10 + 1] = True
        mask[n // 10 + 1 :] = False
        assert movies.select_rows(mask, n).rows == slice(None)


def test_a_new_movie_is_on_the_list_at_once_and_changed_rows_change_in_it() -> None:
    movies, _ = large()
    before = movies.select_rows(movies.alive, 10).rows
    assert isinstance(before, np.ndarray)
    known = before.copy()
    for i in range(200):
        movies.put(100_000 + i, ("Action",), 2020, np.full(D, i, np.float32), 0)
    movies.put(int(movies.movie_ids[known[5]]), ("Action",), 2020, np.full(D, -1, np.float32), 0)
    movies.put(100_003, ("Action",), 2020, np.full(D, -2, np.float32), 0)
    selection = movies.select_rows(movies.alive, 10)
    assert isinstance(selection.rows, np.ndarray)
    assert selection.rows.tolist() == [*known.tolist(), *range(30_000, 30_200)]
    assert np.array_equal(selection.vectors, movies.vectors[selection.rows])
    assert np.array_equal(before, known)


def test_a_changed_movie_that_was_no_candidate_is_still_not_on_the_list() -> None:
    movies, _ = large()
    selection = movies.select_rows(movies.alive, 10)
    assert isinstance(selection.rows, np.ndarray)
    outside = int(np.setdiff1d(np.arange(30_000), selection.rows)[0])
    movies.put(int(movies.movie_ids[outside]), ("Action",), 2020, np.zeros(D, np.float32), 0)
    again = movies.select_rows(movies.alive, 10).rows
    assert isinstance(again, np.ndarray)
    assert outside not in again


def test_values_of_the_first_movies_are_aligned_with_the_selected_ones() -> None:
    movies, _ = large()
    values = np.arange(29_000, dtype=np.float64)
    movies.put(100_000, ("Action",), 2020, np.zeros(D, np.float32), 0)
    for selection in (movies.select_rows(movies.alive, 10), all_rows(movies.vectors)):
        aligned, rows = selection.align(values), np.arange(len(movies))[selection.rows]
        assert np.array_equal(aligned, np.where(rows < 29_000, rows, 0))
