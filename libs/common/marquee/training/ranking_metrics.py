"""Ranking metrics with binary or graded relevance: recall, NDCG, average precision.

Binary metrics are normalised by min(k, number of relevant items), so that a perfect list reaches 1
whatever k is, as in Liang et al. 2018, "Variational Autoencoders for Collaborative Filtering".
"""

from collections.abc import Collection, Sequence

import numpy as np

from marquee.arrays import Ints, Mask, Matrix, Reals

_SHORT, _LONG = 10, 100
"""Cutoffs of the NDCG by which blend weights and offsets are chosen."""


def hits(ranked: Sequence[int] | Ints, relevant: Collection[int]) -> Mask:
    """Return for each of the ranked items whether it is relevant."""
    wanted = np.fromiter(relevant, np.int64, len(relevant))
    return np.isin(np.asarray(ranked, np.int64), wanted)


def recall_at_k(ranked: Sequence[int] | Ints, relevant: Collection[int], k: int) -> float:
    """Return Recall@k = |relevant ∩ first k| / min(k, |relevant|) (Liang et al. 2018).

    Args:
        ranked: Item ids or rows, best first.
        relevant: Ids or rows of the relevant items, without repetition.
        k: Cutoff.

    Returns:
        A share from 0 to 1; 0 if no item is relevant.
    """
    if not len(relevant):
        return 0.0
    return float(hits(ranked[:k], relevant).sum() / min(k, len(relevant)))


def weighted_recall_at_k(
    ranked: Sequence[int] | Ints, relevant: Ints, weights: Reals, k: int
) -> float:
    """Return recall@k with a weight a relevant item (Steck 2011, popularity-stratified recall).

    The weights of the relevant items among the first k, over those of the k heaviest relevant
    items, so that the best list reaches 1. With equal weights it is `recall_at_k`.

    Args:
        ranked: Item ids or rows, best first.
        relevant: Ids or rows of the r relevant items, without repetition.
        weights: Weight of each relevant item, r, above 0.
        k: Cutoff.

    Returns:
        A share from 0 to 1; 0 if no item is relevant.
    """
    if not len(relevant):
        return 0.0
    found = np.isin(relevant, np.asarray(ranked[:k], np.int64))
    return float(weights[found].sum() / np.sort(weights)[::-1][:k].sum())


def ndcg_at_k(ranked: Sequence[int] | Ints, relevant: Collection[int], k: int) -> float:
    """Return NDCG@k with binary gains (Järvelin & Kekäläinen 2002).

    DCG@k = Σ rel(i) / log2(1 + i) over the ranks i = 1..k, divided by the DCG of the ideal list,
    which has min(k, |relevant|) relevant items in front.

    Args:
        ranked: Item ids or rows, best first.
        relevant: Ids or rows of the relevant items, without repetition.
        k: Cutoff.

    Returns:
        A value from 0 to 1; 0 if no item is relevant.
    """
    if not len(relevant):
        return 0.0
    is_hit = hits(ranked[:k], relevant)
    return float((is_hit * discounts(len(is_hit))).sum() / discounts(min(k, len(relevant))).sum())


def average_precision_at_k(
    ranked: Sequence[int] | Ints, relevant: Collection[int], k: int
) -> float:
    """Return AP@k = Σ precision@i · rel(i) over the ranks i = 1..k, / min(k, |relevant|).

    Its mean over users is MAP@k.

    Args:
        ranked: Item ids or rows, best first.
        relevant: Ids or rows of the relevant items, without repetition.
        k: Cutoff.

    Returns:
        A value from 0 to 1; 0 if no item is relevant.
    """
    if not len(relevant):
        return 0.0
    is_hit = hits(ranked[:k], relevant)
    precisions = np.cumsum(is_hit) / np.arange(1, len(is_hit) + 1)
    return float((precisions * is_hit).sum() / min(k, len(relevant)))


def graded_ndcg_at_k(predicted: Reals, grades: Reals, k: int) -> float:
    """Return NDCG@k of an order by prediction with the gain 2^grade - 1 (Burges et al. 2005).

    Args:
        predicted: Predicted score of each of n items; equal ones keep their order.
        grades: True grade of each item, above 0 for at least one.
        k: Cutoff; min(k, n) ranks count.
    """
    gains = 2.0**grades - 1
    weights = discounts(min(k, len(grades)))
    order = np.argsort(-predicted, kind="stable")[: len(weights)]
    return float(gains[order] @ weights / (np.sort(gains)[::-1][: len(weights)] @ weights))


def discounts(k: int) -> Reals:
    """Return 1 / log2(1 + rank) for ranks 1 to k."""
    return 1 / np.log2(np.arange(2, k + 2))


def ndcg_of_rows(scores: Matrix, relevant: Mask, n_relevant: Ints) -> tuple[Reals, Reals]:
    """Return NDCG@10 and NDCG@100 with binary gains of many fold-ins at once.

    Args:
        scores: Scores of the candidates, fold-ins × candidates.
        relevant: Which candidates are relevant, fold-ins × candidates.
        n_relevant: Relevant items of each fold-in, at least 1, candidates or not.

    Returns:
        Two arrays with a value a fold-in.
    """
    depth = min(_LONG, scores.shape[1])
    nearest = np.argpartition(-scores, depth - 1, axis=1)[:, :depth]
    order = np.argsort(-np.take_along_axis(scores, nearest, 1), axis=1, kind="stable")
    is_hit = np.take_along_axis(relevant, np.take_along_axis(nearest, order, 1), 1)
    gains = is_hit * discounts(depth)
    ideal = np.concatenate([[0.0], np.cumsum(discounts(_LONG))])
    at_10: Reals = gains[:, :_SHORT].sum(1) / ideal[np.minimum(n_relevant, _SHORT)]
    at_100: Reals = gains.sum(1) / ideal[np.minimum(n_relevant, _LONG)]
    return at_10, at_100


def mean_ndcg(scores: Matrix, relevant: Mask, n_relevant: Ints) -> float:
    """Return the mean of NDCG@10 and NDCG@100 over fold-ins; arguments of `ndcg_of_rows`."""
    at_10, at_100 = ndcg_of_rows(scores, relevant, n_relevant)
    return float((at_10.mean() + at_100.mean()) / 2)
