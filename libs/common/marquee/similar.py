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
    parts = (codes @ sources.T) * weights
    order = np.argsort(-parts, axis=1, kind="stable")[:, :_SOURCES]
    result = []
    for places, row in zip(order, parts, strict=True):
        chosen = [(int(i), float(row[i])) for i in places if row[i] > 0]
        total = sum(part for _, part in chosen)
        result.append(tuple((i, round(part / total, 4)) for i, part in chosen))
    return result


def direction(codes: Matrix) -> Matrix:
    """Return the unit vector of the sum of n × e codes; zeros when there is none."""
    summed: Matrix = unit(codes.sum(axis=0)[None])[0]
    return summed
