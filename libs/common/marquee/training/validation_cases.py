"""Samples of fold-ins and movies for validation."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from marquee.arrays import Ints

T = TypeVar("T")


def sample_fold_ins(fold_ins: Sequence[T], limit: int, seed: int) -> list[T]:
    """Return at most `limit` of the fold-ins, drawn at random, in their order."""
    if len(fold_ins) <= limit:
        return list(fold_ins)
    drawn = np.random.default_rng(seed).choice(len(fold_ins), limit, replace=False)
    return [fold_ins[i] for i in np.sort(drawn).tolist()]


def most_liked(positive: Ints, limit: int) -> Ints:
    """Return the rows of at most `limit` movies with most positive ratings, ascending."""
    return np.sort(np.argsort(-positive, kind="stable")[:limit])
