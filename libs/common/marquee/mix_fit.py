"""Learns the weights of a mix on validation cases: coordinate ascent on NDCG@10 + NDCG@100."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from marquee.metrics import discounts

Signals = Mapping[str, npt.NDArray[np.float32]]

_DEPTH = 100
_STEPS = (-1.0, -0.5, -0.25, 0.25, 0.5, 1.0)
_ROUNDS = 3
_SMALLEST_GAIN = 2e-4


def learn_weights(
    signals: Signals,
    relevant: npt.NDArray[np.bool_],
    n_relevant: npt.NDArray[np.int64],
    start: Mapping[str, float],
    least: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Return the weight of each signal: those of `start`, moved while validation gains by it.

    `signals`: z-scores by name, cases × candidates; `relevant`: the same shape; `n_relevant`: how
    many relevant films a case has, candidates or not. Without a case `start` is the answer. Steps
    are a share of the largest weight; a signal that `start` lacks begins at 0, and no weight goes
    below what `least` says of it.
    """
    weights = {name: float(start.get(name, 0.0)) for name in signals}
    if not len(relevant):
        return weights
    total = _total(signals, weights)
    best = quality(total, relevant, n_relevant)
    for _ in range(_ROUNDS):
        before = best
        for name, scores in signals.items():
            unit = max(abs(weight) for weight in weights.values()) or 1.0
            for step in _STEPS:
                if least and weights[name] + step * unit < least.get(name, -np.inf):
                    continue
                moved = total + np.float32(step * unit) * scores
                reached = quality(moved, relevant, n_relevant)
                if reached > best + _SMALLEST_GAIN:
                    best, total = reached, moved
                    weights[name] += step * unit
                    break
        if best <= before:
            break
    return {name: round(weight, 4) for name, weight in weights.items()}


def quality(
    scores: npt.NDArray[np.float32],
    relevant: npt.NDArray[np.bool_],
    n_relevant: npt.NDArray[np.int64],
) -> float:
    """Return the mean of NDCG@10 and NDCG@100 over cases; all three are cases × candidates."""
    depth = min(_DEPTH, scores.shape[1])
    nearest = np.argpartition(-scores, depth - 1, axis=1)[:, :depth]
    order = np.argsort(-np.take_along_axis(scores, nearest, 1), axis=1, kind="stable")
    found = np.take_along_axis(relevant, np.take_along_axis(nearest, order, 1), 1)
    gains = found * discounts(depth)
    ideal = np.concatenate([[0.0], np.cumsum(discounts(_DEPTH))])
    at_10 = gains[:, :10].sum(1) / ideal[np.minimum(n_relevant, 10)]
    at_100 = gains.sum(1) / ideal[np.minimum(n_relevant, _DEPTH)]
    return float((at_10.mean() + at_100.mean()) / 2)


def _total(signals: Signals, weights: Mapping[str, float]) -> npt.NDArray[np.float32]:
    shape = next(iter(signals.values())).shape
    total = np.zeros(shape, np.float32)
    for name, scores in signals.items():
        total += np.float32(weights[name]) * scores
    return total
