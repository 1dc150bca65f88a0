"""What to add to the score of a film without ratings, so that it comes before some viewers."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.floating]

DEPTH = 20
"""Length of the lists that a film without ratings is to come into."""

REACH = 0.02
"""The viewers whom it is to reach: this share of all, those whom it suits best."""

MAX_CASES = 200
"""So many viewers are enough to tell."""


def margins(scores: Reals, hidden: Reals, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Return by how much each of n films, were it new, misses a list of the films of `mask`.

    `hidden` are the scores of the same films, were their ratings not known.
    """
    chosen = scores[mask]
    depth = min(DEPTH, -(-len(chosen) // 10))  # a tenth, where 20 were nearly all films
    least = np.partition(chosen, -depth)[-depth] if depth else 0.0
    missed: npt.NDArray[np.float32] = (least - hidden).astype(np.float32)
    return missed


def fair_bonus(cases: Sequence[npt.NDArray[np.float32]], share: float) -> float:
    """Return the bonus by which `share` of the films, each hidden in turn, would reach viewers.

    Film by film, so that the few that look popular by their content do not take all places.
    """
    if not cases:
        return 0.0
    needed = np.quantile(np.stack(cases), REACH, axis=0)
    return float(np.quantile(needed, share))
