"""What to add to the score of a film without ratings, so that lists hold a fair share of such."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.floating]

DEPTH = 20
"""Length of a list in which films without ratings get their share."""


def margins(scores: Reals, hidden: Reals) -> Reals:
    """Return by how much hidden films miss a list of `scores`, m each: the smallest margins first.

    `hidden` are the scores of the same films, were their ratings not known.
    """
    least = np.partition(scores, -min(DEPTH, len(scores)))[-min(DEPTH, len(scores))]
    missed: Reals = np.sort(least - hidden)[: 5 * DEPTH]
    return missed


def fair_bonus(cases: Sequence[Reals], share: float) -> float:
    """Return the bonus with which films, hidden in turn, take `share` of the places they had."""
    if not cases:
        return 0.0
    ordered = np.sort(np.concatenate(cases))
    return float(ordered[min(int(share * DEPTH * len(cases)), len(ordered) - 1)])
