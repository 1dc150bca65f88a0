"""Signals of many validation cases side by side, as the weights of a mix are learned from them."""

from collections.abc import Sequence

import numpy as np

from marquee.arrays import Ints
from marquee.features.interactions import FoldIn


def some(cases: Sequence[FoldIn], limit: int, seed: int) -> list[FoldIn]:
    """Return at most `limit` of the cases, drawn at random, in their order."""
    if len(cases) <= limit:
        return list(cases)
    chosen = np.random.default_rng(seed).choice(len(cases), limit, replace=False)
    return [cases[i] for i in np.sort(chosen).tolist()]


def most_liked(positive: Ints, limit: int) -> Ints:
    """Return the rows with most positive ratings, at most `limit` of them, in order of row."""
    return np.sort(np.argsort(-positive, kind="stable")[:limit])
