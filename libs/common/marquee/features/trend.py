"""Trend of recent popularity: shares of recent likes over shares of all likes."""

import numpy as np

from marquee.arrays import Integer, Ints, Reals
from marquee.domain.rating_sums import PERIOD_DAYS

PRIOR_LIKES = 50.0
"""Likes by all-time popularity that the recent ones are mixed with: few likes tell no trend."""
_TINY = 1e-12
"""Stands for a share of nothing, which is not read."""


def period_weights(periods: Integer, now: int, half_life: float) -> Reals:
    """Return how much a like of each of p periods counts: half as much after each half-life.

    Args:
        periods: the periods; 0, the unknown one, and those after `now` count nothing.
        now: the period that counts whole.
        half_life: in days.
    """
    ages = now - periods.astype(np.int64)
    is_counted = (periods > 0) & (ages >= 0)
    weights: Reals = np.where(
        is_counted, np.exp2(-np.maximum(ages, 0) * (PERIOD_DAYS / half_life)), 0.0
    )
    return weights


def trend(decayed: Reals, likes: Ints) -> Reals:
    """Return the logarithm of each movie's share of recent likes over its share of all, m.

    Added to the log of popularity, it makes recent popularity of it. A movie is level, 0, where its
    recent likes are as many as its likes of all time let expect, and where nobody has liked it.

    Args:
        decayed: m, sums of likes that count less with age.
        likes: int64 m, likes of all time.
    """
    shares = likes / max(1, int(likes.sum()))
    recent = (decayed + PRIOR_LIKES * shares) / (decayed.sum() + PRIOR_LIKES)
    logs: Reals = np.zeros(len(likes))
    np.log(recent / np.maximum(shares, _TINY), out=logs, where=likes > 0)
    return logs
