"""Which liked movies the item weights of a recommended movie come from."""

import numpy as np
import numpy.typing as npt

from marquee.arrays import Ints
from marquee.scoring.explanations import strongest
from marquee.scoring.linear_autoencoder import LinearAutoencoder


def item_explanations(
    weights: LinearAutoencoder, rows: Ints, liked: Ints, n_rows: int
) -> list[tuple[tuple[int, float], ...]]:
    """Return for each of r rows up to three (index in `liked`, share), the largest share first.

    A share is a liked movie's part of what the weights above 0 add; rows lie among `n_rows`.
    """
    parts = _parts(weights, rows, liked, n_rows)
    return strongest(parts, parts.sum(axis=1))


def _parts(
    weights: LinearAutoencoder, rows: Ints, liked: Ints, n_rows: int
) -> npt.NDArray[np.float32]:
    places = np.full(n_rows, -1)
    places[rows] = np.arange(len(rows))
    parts = np.zeros((len(rows), len(liked)), np.float32)
    inputs = weights.inputs[liked]
    sources = np.flatnonzero(inputs >= 0)
    at = places[weights.columns[0, inputs[sources]]]
    source, entry = np.divmod(np.flatnonzero(at >= 0), max(1, at.shape[1]))
    parts[at[source, entry], sources[source]] = weights.values[0, inputs[sources[source]], entry]
    return np.maximum(parts, 0)
