"""Contiguous copies of a table's columns stay equal to them."""

import numpy as np
import pytest

from marquee.features.movie_table import MovieTable


@pytest.fixture
def table() -> MovieTable:
    n, generator = 5, np.random.default_rng(0)
    return MovieTable(
        np.arange(1, n + 1),
        np.ones(n, np.uint32),
        np.full(n, 2000, np.int16),
        generator.normal(size=(n, 6)).astype(np.float32),
        np.zeros(n, np.int16),
    )


@pytest.mark.parametrize("by_column", [False, True])
def test_a_copy_follows_changed_and_new_movies(table: MovieTable, by_column: bool) -> None:
    block = slice(1, 4)
    assert np.array_equal(table.contiguous(block, by_column), table.vectors[:, block])
    for movie_id in (2, *range(10, 200)):  # more than the table has spare rows for
        table.put(movie_id, ("Action",), 1999, np.full(6, movie_id, np.float32), 0)
        assert np.array_equal(table.contiguous(block, by_column), table.vectors[:, block])


def test_columns_stored_by_column_are_not_copied_and_follow_new_movies(table: MovieTable) -> None:
    by_column = table.for_scoring(np.ones((5, 3), np.int64))
    for movie_id in (2, *range(10, 200)):
        by_column.put(movie_id, ("Action",), 1999, np.full(6, movie_id, np.float32), 0)
    block = by_column.contiguous(slice(1, 4))
    assert block.strides[0] == block.itemsize
    assert np.shares_memory(block, by_column.vectors)
    assert (block[1] == 2).all()
    assert (block[5:] == np.arange(10, 200)[:, None]).all()


def test_a_copy_is_made_once_and_contiguous(table: MovieTable) -> None:
    block = slice(1, 4)
    rows = table.contiguous(block)
    assert rows.flags.c_contiguous
    assert np.shares_memory(rows, table.contiguous(block))
    assert table.contiguous(slice(0, 3), by_column=True).flags.f_contiguous
