"""Measures of one ranked list, as Liang et al. 2018 define them (VAEs for CF)."""

from collections.abc import Collection, Sequence

import numpy as np

from marquee.arrays import Ints, Mask, Matrix, Reals


def hits(ranked: Sequence[int] | Ints, relevant: Collection[int]) -> Mask:
    """Return for each of the ranked movies whether it is relevant."""
    wanted = np.fromiter(relevant, np.int64, len(relevant))
    return np.isin(np.asarray(ranked, np.int64), wanted)


def recall_at_k(ranked: Sequence[int] | Ints, relevant: Collection[int], k: int) -> float:
    """Return the share of min(k, relevant) movies found in the first k; 0 when none is relevant."""
    if not len(relevant):
        return 0.0
    return float(hits(ranked[:k], relevant).sum() / min(k, len(relevant)))


def ndcg_at_k(ranked: Sequence[int] | Ints, relevant: Collection[int], k: int) -> float:
    """Return the discounted gain of the first k over the best possible; 0 when none is relevant."""
    if not len(relevant):
        return 0.0
    found = hits(ranked[:k], relevant)
    return float((found * discounts(len(found))).sum() / discounts(min(k, len(relevant))).sum())


def average_precision_at_k(
    ranked: Sequence[int] | Ints, relevant: Collection[int], k: int
) -> float:
    """Return the mean, over min(k, relevant) movies, of the precision where each was found."""
    if not len(relevant):
        return 0.0
    found = hits(ranked[:k], relevant)
    precisions = np.cumsum(found) / np.arange(1, len(found) + 1)
    return float((precisions * found).sum() / min(k, len(relevant)))


def discounts(k: int) -> Reals:
    """Return 1 / log2(1 + rank) for ranks 1 to k."""
    return 1 / np.log2(np.arange(2, k + 2))


_DEPTH = 100


def quality(
    scores: Matrix,
    relevant: Mask,
    n_relevant: Ints,
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
