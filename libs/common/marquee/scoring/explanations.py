"""Which of a user's movies a recommended movie resembles, and how much each counts."""

import numpy as np
import numpy.typing as npt

from marquee.arrays import Matrix

_SOURCES = 3


def contributions(
    codes: Matrix, sources: Matrix, weights: npt.NDArray[np.number]
) -> list[tuple[tuple[int, float], ...]]:
    """Return for each of k movies up to three (index of a source, share), the largest share first.

    `codes` k × e and `sources` m × e have unit rows; a source's part is cosine · its weight (m),
    left out when not above 0. Shares of a movie sum to 1.
    """
    parts = np.maximum((codes @ sources.T) * weights, 0)
    order = largest(parts, _SOURCES)
    total = np.take_along_axis(parts, order, axis=1).sum(axis=1)
    return strongest(parts, total, order)


def strongest(
    parts: Matrix, totals: Matrix, order: npt.NDArray[np.intp] | None = None
) -> list[tuple[tuple[int, float], ...]]:
    """Return for each of k rows up to three (column, share of the row's total), largest first.

    `parts` k × m, at least 0; `order` are the columns, if they are known; a share of 0 is left out.
    """
    places = largest(parts, _SOURCES) if order is None else order
    chosen = np.take_along_axis(parts, places, axis=1)
    shares = chosen / np.where(totals > 0, totals, 1)[:, None]
    # A list's numbers are Python's own: those of an array cost ten times as much to read.
    rows = zip(places.tolist(), shares.astype(np.float64).round(4).tolist(), strict=True)
    return [
        tuple((i, share) for i, share in zip(columns, row, strict=True) if share > 0)
        for columns, row in rows
    ]


def largest(parts: Matrix, n: int) -> npt.NDArray[np.intp]:
    """Return for each of k rows the columns of its n largest values, the largest first.

    Sorts only those n: a user may have rated thousands of movies.
    """
    if parts.shape[1] > n:
        chosen = np.sort(np.argpartition(-parts, n - 1, axis=1)[:, :n], axis=1)
    else:
        chosen = np.broadcast_to(np.arange(parts.shape[1]), parts.shape)
    values = np.take_along_axis(parts, chosen, axis=1)
    order: npt.NDArray[np.intp] = np.argsort(-values, axis=1, kind="stable")
    return np.take_along_axis(chosen, order, axis=1)
