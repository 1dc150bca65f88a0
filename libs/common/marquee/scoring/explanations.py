"""Explanations: the movies of a user that a recommended movie resembles most, with shares."""

import numpy as np
import numpy.typing as npt

from marquee.arrays import Matrix, Vector

_SOURCES = 3
"""Movies named in an explanation."""


def contributions(
    codes: Matrix, sources: Matrix, weights: npt.NDArray[np.number], least: float = 0.0
) -> list[tuple[tuple[int, float], ...]]:
    """Return the sources that each recommended movie resembles most.

    Args:
        codes: float32 k × e, unit codes of the recommended movies.
        sources: float32 m × e, unit codes of the user's movies.
        weights: m, weights of the sources; a source's part is cosine · weight, if above 0.
        least: a source of a smaller cosine explains nothing.

    Returns:
        For each of k movies up to three (index of a source, share), the largest share first. The
        shares of a movie sum to 1.
    """
    cosines = codes @ sources.T
    return shares_of_largest(np.where(cosines >= least, np.maximum(cosines * weights, 0), 0))


def shares_of_largest(parts: Matrix) -> list[tuple[tuple[int, float], ...]]:
    """Return for each row of k × m parts its three largest, as shares that sum to 1."""
    order = largest(parts, _SOURCES)
    total = np.take_along_axis(parts, order, axis=1).sum(axis=1)
    return strongest(parts, total, order)


def strongest(
    parts: Matrix, totals: Vector, order: npt.NDArray[np.intp] | None = None
) -> list[tuple[tuple[int, float], ...]]:
    """Return for each row up to three (column, share of the row's total), largest first.

    Args:
        parts: k × m, at least 0; a share of 0 is left out.
        totals: k.
        order: the columns of the largest parts of each row, if they are known.
    """
    columns = largest(parts, _SOURCES) if order is None else order
    selected = np.take_along_axis(parts, columns, axis=1)
    shares = selected / np.where(totals > 0, totals, 1)[:, None]
    # Lists of Python's own numbers: reading those of an array costs ten times as much.
    rows = zip(columns.tolist(), shares.astype(np.float64).round(4).tolist(), strict=True)
    return [
        tuple((i, share) for i, share in zip(indexes, row, strict=True) if share > 0)
        for indexes, row in rows
    ]


def largest(parts: Matrix, n: int) -> npt.NDArray[np.intp]:
    """Return for each of k rows the columns of its n largest values, the largest first.

    Sorts only those n: a user may have rated thousands of movies.
    """
    if parts.shape[1] > n:
        columns = np.sort(np.argpartition(-parts, n - 1, axis=1)[:, :n], axis=1)
    else:
        columns = np.broadcast_to(np.arange(parts.shape[1]), parts.shape)
    values = np.take_along_axis(parts, columns, axis=1)
    order: npt.NDArray[np.intp] = np.argsort(-values, axis=1, kind="stable")
    return np.take_along_axis(columns, order, axis=1)
