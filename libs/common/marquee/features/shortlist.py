"""Candidate rows of a large table, copied side by side so that scoring reads them alone.

Scores read a matrix of all movies, and of tens of thousands few are ever recommended. A shortlist
holds copies of the rows of the most liked movies and of all movies that had no rating. Its matrix
is stored by column: a score reads a few blocks of columns of every row.
"""

from dataclasses import dataclass

import numpy as np

from marquee.arrays import Floating, Ints, Mask, Matrix, Vector, lengthened

MAX_CANDIDATES = 4_000
"""Movies, the most liked ones, that are candidates."""

_MIN_LEFT = 500
"""Candidates that a request's filters must leave of a shortlist; else all rows are scored."""

_MIN_LEFT_PER_PLACE = 10
"""Candidates that must be left for each place of the list asked for."""

_FEW = 0.1
"""Share of a table's rows whose copies are made in less time than all are scored, however large the
table: a copy reads and writes all columns of a row, a score reads some."""


@dataclass(frozen=True, eq=False)
class RowSelection:
    """The rows to score: m rows of a table of n.

    Attributes:
        rows: their indexes in the table, ascending, m; a slice for all rows, which copies nothing.
        vectors: their vectors, float32 m × d.
        n: how many rows the table has.
    """

    rows: Ints | slice
    vectors: Matrix
    n: int

    def columns(self, *columns: int) -> Matrix:
        """Return contiguous copies of some columns, one a row, for repeated reading."""
        return np.ascontiguousarray(self.vectors[:, columns].T)

    def table_rows(self, selected: Ints) -> Ints:
        """Return the table's indexes of some of the m rows."""
        return selected if isinstance(self.rows, slice) else self.rows[selected]

    def align(self, values: Floating) -> Floating:
        """Return `values`, one for each of the table's first rows, at the m rows; 0 beyond them."""
        if isinstance(self.rows, slice):
            return np.concatenate([values, np.zeros(self.n - len(values), values.dtype)])
        known = np.searchsorted(self.rows, len(values))
        aligned = np.zeros(len(self.rows), values.dtype)
        aligned[:known] = values[self.rows[:known]]
        return aligned


def all_rows(vectors: Matrix) -> RowSelection:
    """Return the selection of all rows of a table."""
    return RowSelection(slice(None), vectors, len(vectors))


def few_rows(vectors: Matrix, mask: Mask) -> RowSelection | None:
    """Return copies of the rows where `mask` holds; None where there are many, or none at all."""
    rows = np.flatnonzero(mask)
    if not 0 < len(rows) <= _FEW * len(mask):
        return None
    return RowSelection(rows, vectors[rows], len(mask))


def candidate_rows(sums: Ints, limit: int = MAX_CANDIDATES) -> Ints | None:
    """Return the rows of candidate movies, ascending; None if fewer than half would be pruned.

    Args:
        sums: int64 n × 3: ratings, positive ratings, half stars of each movie.
        limit: how many of the most liked movies are candidates; movies without ratings all are.
    """
    if len(sums) <= limit:
        return None
    is_candidate = sums[:, 0] == 0
    is_candidate[np.argsort(-sums[:, 1], kind="stable")[:limit]] = True
    return np.flatnonzero(is_candidate) if is_candidate.mean() <= 0.5 else None


class Shortlist:
    """Copies of a table's candidate rows, kept equal to it by `put`; positions never change."""

    def __init__(self, rows: Ints, vectors: Matrix) -> None:
        """Take the rows, m ascending, and their vectors, m × d."""
        self._m = len(rows)
        self._rows, self._vectors = rows, np.asfortranarray(vectors)
        self._positions = {row: position for position, row in enumerate(rows.tolist())}

    def put(self, row: int, vector: Vector, is_new: bool) -> None:
        """Copy a changed row of the table; a row that the list lacks is added if it is new.

        New movies come last in the table, so the rows stay in ascending order.
        """
        position = self._positions.get(row, -1)
        if position < 0 and is_new:
            position = self._append(row)
        if position >= 0:
            self._vectors[position] = vector

    def select(self, mask: Mask, k: int) -> RowSelection | None:
        """Return the list for the k best where `mask` holds; None where it leaves too few rows."""
        rows = self._rows[: self._m]
        left = int(np.count_nonzero(mask[rows]))
        if left < max(_MIN_LEFT, _MIN_LEFT_PER_PLACE * k):
            return None
        return RowSelection(rows, self._vectors[: self._m], len(mask))

    def _append(self, row: int) -> int:
        if self._m == len(self._rows):
            extra = max(64, self._m // 8)
            self._rows = lengthened(self._rows, extra)
            self._vectors = lengthened(self._vectors, extra)
        self._rows[self._m] = row
        self._positions[row] = self._m
        self._m += 1
        return self._m - 1
