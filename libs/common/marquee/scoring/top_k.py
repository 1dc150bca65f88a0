"""Selection of the k best rows."""

import numpy as np

from marquee.arrays import Floating, Ints, Mask


def top(scores: Floating, mask: Mask, k: int) -> Ints:
    """Return the rows of the k highest scores where `mask` holds, best first, ties by row."""
    rows = np.flatnonzero(mask)
    if len(rows) > k:
        rows = np.sort(rows[np.argpartition(-scores[rows], k - 1)[:k]])
    return rows[np.argsort(-scores[rows], kind="stable")]
