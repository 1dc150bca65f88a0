"""A route's score: a weighted sum of z-scores of named signals, weights learned on validation."""

from collections.abc import Mapping

import numpy as np

from marquee.arrays import Floating, Mask


def standardise(scores: Floating, mask: Mask) -> Floating:
    """Return n scores with mean 0 and deviation 1 over the rows where `mask` holds."""
    chosen = scores[mask]
    if len(chosen) == 0:
        return np.zeros_like(scores)
    deviation = chosen.std()
    scaled: Floating = (scores - chosen.mean()) / (deviation if deviation > 1e-12 else 1.0)
    return scaled


def blend(signals: Mapping[str, Floating], weights: Mapping[str, float], mask: Mask) -> Floating:
    """Return Σ weight · z-score of the signals (n each); one without a weight counts nothing."""
    total = np.zeros(len(mask), np.float32)
    for name, scores in signals.items():
        if weight := weights.get(name, 0.0):
            total += np.float32(weight) * standardise(scores, mask)
    return total


def weighted(signals: Mapping[str, Floating], weights: Mapping[str, float]) -> Floating:
    """Return Σ weight · signal (n each), as they are; one without a weight counts nothing."""
    size = max((len(scores) for scores in signals.values()), default=0)
    total = np.zeros(size, np.float32)
    for name, scores in signals.items():
        if weight := weights.get(name, 0.0):
            total += np.float32(weight) * scores
    return total
