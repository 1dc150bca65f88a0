"""Blend weights by evidence: how many ratings are known, and whether they are the first ones.

What a user likes next depends on both. After a first evening popular movies are still to come;
a random part of a long history, as an import leaves it, has them behind. Weights are learned for
both orders at a few numbers of ratings, and interpolated between them.
"""

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from marquee.arrays import Ints, Reals

Weights = Mapping[str, float]


@dataclass(frozen=True)
class OrderLikelihood:
    """How likely it is that ratings are a user's first ones in time: a logistic regression.

    Ratings of one sitting lie seconds apart, those of a random part of a history much further.

    Attributes:
        intercept: Of the log odds.
        per_gap: Per log(1 + median gap between ratings, in seconds).
        per_size: Per log of the number of ratings.
        unknown: The likelihood where times tell nothing; 0 for data without usable times.
    """

    intercept: float = 0.0
    per_gap: float = 0.0
    per_size: float = 0.0
    unknown: float = 0.0

    def of(self, times: Ints | None) -> float:
        """Return the likelihood, 0 to 1, of n ratings with times in seconds, 0 where unknown."""
        features = order_features(times)
        if features is None or not self.unknown:
            return self.unknown
        log_odds = self.intercept + self.per_gap * features[0] + self.per_size * features[1]
        return float(1 / (1 + np.exp(-log_odds)))


def order_features(times: Ints | None) -> Reals | None:
    """Return log(1 + median gap) and log n of n ratings; None with fewer than two known times."""
    known = np.zeros(0, np.int64) if times is None else np.sort(times[times > 0])
    if len(known) < 2:
        return None
    gap = float(np.median(np.diff(known)))
    return np.array([np.log1p(gap), np.log(len(known))])


@dataclass(frozen=True)
class EvidenceWeights:
    """Weights of signals by number of ratings, for first ratings and for random ones.

    Attributes:
        at_random: Number of ratings → weight by signal; the numbers rise.
        in_time: The same for the first ratings in time.
        order: Tells which of both a history is like.
    """

    at_random: Mapping[int, Weights]
    in_time: Mapping[int, Weights]
    order: OrderLikelihood = OrderLikelihood()

    @classmethod
    def constant(cls, weights: Weights) -> "EvidenceWeights":
        """Return weights that do not depend on evidence."""
        return cls({1: dict(weights)}, {1: dict(weights)})

    @property
    def signals(self) -> set[str]:
        """Names of the signals that have a weight."""
        return {
            name
            for weights in (*self.at_random.values(), *self.in_time.values())
            for name in weights
        }

    def of(self, n: int, times: Ints | None = None) -> dict[str, float]:
        """Return the weights for n ratings with times in seconds since 1970, 0 where unknown."""
        share = self.order.of(times)
        first, others = _interpolated(self.in_time, n), _interpolated(self.at_random, n)
        return {
            name: share * first.get(name, 0.0) + (1 - share) * others.get(name, 0.0)
            for name in {**others, **first}
        }

    def to_stored(self) -> dict[str, Any]:
        """Return the form that a bundle stores."""
        order = self.order
        return {
            "at_random": {str(n): dict(weights) for n, weights in self.at_random.items()},
            "in_time": {str(n): dict(weights) for n, weights in self.in_time.items()},
            "order": [order.intercept, order.per_gap, order.per_size, order.unknown],
        }

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> "EvidenceWeights":
        """Return the weights of a stored form; one number a signal is the form of old bundles."""
        if "at_random" not in stored:
            return cls.constant(stored)
        at_random, in_time = (_by_number(stored[name]) for name in ("at_random", "in_time"))
        return cls(at_random, in_time, OrderLikelihood(*stored["order"]))


def _by_number(stored: Mapping[str, Weights]) -> dict[int, Weights]:
    """Return weights by number, rising: files have their keys in the order of text, 10 before 5."""
    return {int(n): dict(stored[n]) for n in sorted(stored, key=int)}


def _interpolated(by_number: Mapping[int, Weights], n: int) -> dict[str, float]:
    """Return weights between those of the nearest numbers, linear in log n."""
    numbers = list(by_number)
    i = bisect_left(numbers, n)
    low, high = numbers[max(i - 1, 0)], numbers[min(i, len(numbers) - 1)]
    share = math.log(n / low) / math.log(high / low) if low < n < high else float(n >= high)
    lower, upper = by_number[low], by_number[high]
    return {
        name: (1 - share) * lower.get(name, 0.0) + share * upper.get(name, 0.0)
        for name in {**lower, **upper}
    }
