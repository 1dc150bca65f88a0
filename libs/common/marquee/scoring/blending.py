"""Blending of named signals into one score; `marquee.training.blending` learns the weights."""

from collections.abc import Mapping

import numpy as np

from marquee.arrays import Floating, Mask


def standardise(scores: Floating, mask: Mask) -> Floating:
    """Return n scores with mean 0 and deviation 1 over the rows where `mask` holds."""
    masked = scores[mask]
    if len(masked) == 0:
        return np.zeros_like(scores)
    deviation = masked.std()
    z_scores: Floating = (scores - masked.mean()) / (deviation if deviation > 1e-12 else 1.0)
    return z_scores


def blend(signals: Mapping[str, Floating], weights: Mapping[str, float], mask: Mask) -> Floating:
    """Return Σ weight · z-score of the signals, n each; a signal without a weight counts 0."""
    total = np.zeros(len(mask), np.float32)
    for name, scores in signals.items():
        if weight := weights.get(name, 0.0):
            total += np.float32(weight) * standardise(scores, mask)
    return total


def weighted_sum(signals: Mapping[str, Floating], weights: Mapping[str, float]) -> Floating:
    """Return Σ weight · signal, n each, unscaled; a signal without a weight counts 0."""
    size = max((len(scores) for scores in signals.values()), default=0)
    total = np.zeros(size, np.float32)
    for name, scores in signals.items():
        if weight := weights.get(name, 0.0):
            total += np.float32(weight) * scores
    return total
