"""Selection of the k best rows."""

import numpy as np
import numpy.typing as npt


def top(
    scores: npt.NDArray[np.floating], mask: npt.NDArray[np.bool_], k: int
) -> npt.NDArray[np.int64]:
    """Return the rows of the k highest scores where `mask` holds, best first, ties by row."""
    rows = np.flatnonzero(mask)
    if len(rows) > k:
        rows = np.sort(rows[np.argpartition(-scores[rows], k - 1)[:k]])
    return rows[np.argsort(-scores[rows], kind="stable")]
