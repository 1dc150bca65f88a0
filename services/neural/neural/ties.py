"""Which liked films the item weights of a recommended film come from."""

import numpy as np
import numpy.typing as npt

from marquee.few_ratings import FewRatings
from marquee.similar import largest

Ints = npt.NDArray[np.int64]

_SOURCES = 3


def ties(
    weights: FewRatings, rows: Ints, liked: Ints, n_rows: int
) -> list[tuple[tuple[int, float], ...]]:
    """Return for each of r rows up to three (index in `liked`, share), the largest share first.

    A share is a liked film's part of what the weights above 0 add; rows lie among `n_rows`.
    """
    parts = _parts(weights, rows, liked, n_rows)
    order = largest(parts, _SOURCES)
    totals = parts.sum(axis=1)
    return [
        tuple((int(i), round(float(part[i] / total), 4)) for i in best if part[i] > 0)
        for best, part, total in zip(order, parts, totals, strict=True)
    ]


def _parts(weights: FewRatings, rows: Ints, liked: Ints, n_rows: int) -> npt.NDArray[np.float32]:
    places = np.full(n_rows, -1)
    places[rows] = np.arange(len(rows))
    parts = np.zeros((len(rows), len(liked)), np.float32)
    inputs = weights.inputs[liked]
    sources = np.flatnonzero(inputs >= 0)
    at = places[weights.columns[0, inputs[sources]]]
    source, entry = np.nonzero(at >= 0)
    parts[at[source, entry], sources[source]] = weights.values[0, inputs[sources[source]], entry]
    return np.maximum(parts, 0)
