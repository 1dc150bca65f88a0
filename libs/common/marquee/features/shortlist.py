"""The movies that have a chance, side by side: what a model scores of a large table.

Scores read a matrix of all movies, and of tens of thousands few are ever recommended. A shortlist
holds copies of the rows of those that most users like and of all that nobody had rated yet.
"""

from dataclasses import dataclass

import numpy as np

from marquee.arrays import Floating, Ints, Mask, Matrix

MOST = 10_000
"""Movies, the most liked ones, that have a chance."""

_LEAST, _TIMES = 500, 10
"""So many movies, and so many times those asked for, must be left of a shortlist to be enough."""


@dataclass(frozen=True, eq=False)
class RowSelection:
    """The rows to score, m of a table of n: their places in it, rising, and their vectors (m × d);
    all of them are a slice, which costs nothing."""

    rows: Ints | slice
    vectors: Matrix
    n: int

    def columns(self, *columns: int) -> Matrix:
        """Return copies of some columns, one a row: each is read in one go from then on."""
        return np.ascontiguousarray(self.vectors[:, columns].T)

    def places(self, found: Ints) -> Ints:
        """Return the places in the table of some of the m rows."""
        return found if isinstance(self.rows, slice) else self.rows[found]

    def first(self, values: Floating) -> Floating:
        """Return values of the rows, m, given those of the first movies of the table; later ones
        have 0."""
        if isinstance(self.rows, slice):
            return np.concatenate([values, np.zeros(self.n - len(values), values.dtype)])
        known = np.searchsorted(self.rows, len(values))
        chosen = np.zeros(len(self.rows), values.dtype)
        chosen[:known] = values[self.rows[:known]]
        return chosen


def all_rows(vectors: Matrix) -> RowSelection:
    """Return all rows of a table."""
    return RowSelection(slice(None), vectors, len(vectors))


def candidate_rows(sums: Ints, most: int = MOST) -> Ints | None:
    """Return the rows of movies that have a chance, rising; None: it would not spare half of them.

    `sums` n × 3: ratings, positive ones, half stars. A movie without ratings has a chance.
    """
    if len(sums) <= most:
        return None
    chance = sums[:, 0] == 0
    chance[np.argsort(-sums[:, 1], kind="stable")[:most]] = True
    return np.flatnonzero(chance) if chance.mean() <= 0.5 else None


class Shortlist:
    """Copies of some rows of a table, kept equal to it by `put`; a row's place never changes."""

    def __init__(self, rows: Ints, vectors: Matrix) -> None:
        """Take the rows, m rising, and their vectors, m × d."""
        self._m = len(rows)
        self._rows, self._vectors = rows, vectors
        self._places = {row: place for place, row in enumerate(rows.tolist())}

    def put(self, row: int, vector: Matrix, is_new: bool) -> None:
        """Take over a row of the table; one that the list lacks is taken in where the movie is new.

        New movies come last in the table, so the rows stay in order.
        """
        place = self._places.get(row, -1)
        if place < 0 and is_new:
            place = self._append(row)
        if place >= 0:
            self._vectors[place] = vector

    def of(self, mask: Mask, k: int) -> RowSelection | None:
        """Return the list, for the k best where `mask` holds; None where it leaves too few."""
        rows = self._rows[: self._m]
        left = int(np.count_nonzero(mask[rows]))
        if left < max(_LEAST, _TIMES * k):
            return None
        return RowSelection(rows, self._vectors[: self._m], len(mask))

    def _append(self, row: int) -> int:
        if self._m == len(self._rows):
            extra = max(64, self._m // 8)
            width = self._vectors.shape[1]
            self._rows = np.concatenate([self._rows, np.zeros(extra, np.int64)])
            self._vectors = np.concatenate([self._vectors, np.zeros((extra, width), np.float32)])
        self._rows[self._m] = row
        self._places[row] = self._m
        self._m += 1
        return self._m - 1
