"""Measures of one ranked list, as Liang et al. 2018 define them (VAEs for CF)."""

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt


def hits(
    ranked: Sequence[int] | npt.NDArray[np.int64], relevant: Collection[int]
) -> npt.NDArray[np.bool_]:
    """Return for each of the ranked films whether it is relevant."""
    wanted = np.fromiter(relevant, np.int64, len(relevant))
    return np.isin(np.asarray(ranked, np.int64), wanted)


def recall_at_k(
    ranked: Sequence[int] | npt.NDArray[np.int64], relevant: Collection[int], k: int
) -> float:
    """Return the share of min(k, relevant) films found in the first k; 0 when none is relevant."""
    if not len(relevant):
        return 0.0
    return float(hits(ranked[:k], relevant).sum() / min(k, len(relevant)))


def ndcg_at_k(
    ranked: Sequence[int] | npt.NDArray[np.int64], relevant: Collection[int], k: int
) -> float:
    """Return the discounted gain of the first k over the best possible; 0 when none is relevant."""
    if not len(relevant):
        return 0.0
    found = hits(ranked[:k], relevant)
    return float((found * discounts(len(found))).sum() / discounts(min(k, len(relevant))).sum())


def average_precision_at_k(
    ranked: Sequence[int] | npt.NDArray[np.int64], relevant: Collection[int], k: int
) -> float:
    """Return the mean, over min(k, relevant) films, of the precision where each was found."""
    if not len(relevant):
        return 0.0
    found = hits(ranked[:k], relevant)
    precisions = np.cumsum(found) / np.arange(1, len(found) + 1)
    return float((precisions * found).sum() / min(k, len(relevant)))


def discounts(k: int) -> npt.NDArray[np.float64]:
    """Return 1 / log2(1 + rank) for ranks 1 to k."""
    return 1 / np.log2(np.arange(2, k + 2))
