"""Row layouts: named columns of one row or of many."""

import numpy as np

from marquee.features.row_layout import RowLayout

LAYOUT = RowLayout(factor=2, rates=3, cold=1)


def test_blocks_lie_side_by_side_in_the_order_given() -> None:
    assert dict(LAYOUT) == {"factor": slice(0, 2), "rates": slice(2, 5), "cold": slice(5, 6)}
    assert LAYOUT.width == 6
    assert len(LAYOUT) == 3
    assert LAYOUT.start("rates") == 2
    assert LAYOUT.before("cold") == slice(0, 5)


def test_one_row_and_many_rows_are_read_alike_and_written_through() -> None:
    rows = np.arange(12, dtype=np.float32).reshape(2, 6)
    assert LAYOUT.block(rows, "rates").tolist() == [[2, 3, 4], [8, 9, 10]]
    assert LAYOUT.block(rows[1], "rates").tolist() == [8, 9, 10]
    assert LAYOUT.column(rows, "cold").tolist() == [5, 11]
    assert float(LAYOUT.column(rows[0], "cold")) == 5
    LAYOUT.column(rows, "cold")[:] = 0
    assert rows[:, 5].tolist() == [0, 0]


def test_a_block_may_be_empty() -> None:
    layout = RowLayout(tags=0, rating=1)
    assert layout["tags"] == slice(0, 0)
    assert layout.start("rating") == 0
