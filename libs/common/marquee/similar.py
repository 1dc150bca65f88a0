"""Which of a viewer's films a recommended film resembles, and how much each counts."""

import numpy as np
import numpy.typing as npt

from marquee.pipeline import unit

Matrix = npt.NDArray[np.float32]

_SOURCES = 3


def contributions(
    codes: Matrix, sources: Matrix, weights: npt.NDArray[np.number]
) -> list[tuple[tuple[int, float], ...]]:
    """Return for each of k films up to three (index of a source, share), the largest share first.

    `codes` k × e and `sources` m × e have unit rows; a source's part is cosine · its weight (m),
    left out when not above 0. Shares of a film sum to 1.
    """
    parts = np.maximum((codes @ sources.T) * weights, 0)
    order = largest(parts, _SOURCES)
    chosen = np.take_along_axis(parts, order, axis=1)
    total = chosen.sum(axis=1, keepdims=True)
    shares = (chosen / np.where(total > 0, total, 1)).round(4)
    return [
        tuple((i, share) for i, share in zip(places, row, strict=True) if share > 0)
        for places, row in zip(order.tolist(), shares.tolist(), strict=True)
    ]


def largest(parts: Matrix, n: int) -> npt.NDArray[np.intp]:
    """Return for each of k rows the columns of its n largest values, the largest first.

    Sorts only those n: a viewer may have rated thousands of films.
    """
    if parts.shape[1] > n:
        chosen = np.sort(np.argpartition(-parts, n - 1, axis=1)[:, :n], axis=1)
    else:
        chosen = np.broadcast_to(np.arange(parts.shape[1]), parts.shape)
    values = np.take_along_axis(parts, chosen, axis=1)
    order: npt.NDArray[np.intp] = np.argsort(-values, axis=1, kind="stable")
    return np.take_along_axis(chosen, order, axis=1)


def direction(codes: Matrix) -> Matrix:
    """Return the unit vector of the sum of n × e codes; zeros when there is none."""
    summed: Matrix = unit(codes.sum(axis=0)[None])[0]
    return summed
