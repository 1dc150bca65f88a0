"""Diversity re-ranking: movies that are in most lists anyway lose a share of what puts them there.

A model's scores follow popularity, so that all users share a small head of movies. A movie's
exposure threshold is the score that only the top 1 % of users reach for it, in deviations of a
list (`marquee.training.exposure_threshold`). Among a model's best candidates the order is that of
the score less a share of the threshold: with the share 0 the model's own, with 1 by how much the
movie suits this user more than it suits others. A threshold for each movie in place of one for all
distinguishes this from the re-ranking of Adomavicius and Kwon 2012 (Improving Aggregate
Recommendation Diversity Using Ranking-Based Techniques).
"""

from collections.abc import Sequence

import numpy as np

from marquee.arrays import Floating, Ints, Mask, Reals, Vector
from marquee.domain.recommendation import Scored
from marquee.features.movie_table import MovieTable
from marquee.scoring.top_k import top

POOL = 300
"""Candidates, a model's best, that are re-ranked; fewer give less diversity."""
_REFERENCE = 100
"""Best candidates whose mean and deviation are the units of scores and thresholds."""


def pool_size(k: int, diversity: float) -> int:
    """Return how many candidates a list of k is made from."""
    return max(POOL, k) if diversity > 0 else k


def diverse_top(scores: Floating, mask: Mask, k: int, thresholds: Vector, diversity: float) -> Ints:
    """Return up to k rows where `mask` holds, best first after re-ranking.

    Args:
        scores: n, those of the model.
        mask: n, which rows may be returned.
        k: Length of the list.
        thresholds: n, the exposure thresholds of the rows.
        diversity: Share of the threshold that is subtracted, 0 to 1.
    """
    pool = top(scores, mask, pool_size(k, diversity))
    return pool[diverse_order(scores[pool], thresholds[pool], diversity)[:k]]


def diversify(
    candidates: Sequence[Scored], movies: MovieTable, diversity: float, k: int
) -> list[Scored]:
    """Return k of a model's candidates, re-ranked.

    The first k' < k movies are the list of k', so that a list may be cut or filled up.

    Args:
        candidates: A model's recommendations, best first; `pool_size` of them.
        movies: The table that they are rows of.
        diversity: Share of the threshold that is subtracted, 0 to 1.
        k: Length of the list.
    """
    rows = movies.indexes(item.movie_id for item in candidates)
    scores = np.array([item.score for item in candidates])
    order = diverse_order(scores, movies.exposure_thresholds[rows], diversity)
    return [candidates[i] for i in order[:k]]


def diverse_order(scores: Floating, thresholds: Vector, diversity: float) -> Ints:
    """Return the order of n candidates, the model's best first; those beyond the pool stay behind.

    Args:
        scores: n, descending.
        thresholds: n, the candidates' exposure thresholds.
        diversity: Share of the threshold that is subtracted; 0 keeps the order.
    """
    order = np.arange(len(scores))
    if diversity > 0:
        lift = list_z_scores(scores)[:POOL] - diversity * thresholds[:POOL]
        order[: len(lift)] = np.argsort(-lift, kind="stable")
    return order


def list_z_scores(scores: Floating) -> Reals:
    """Return n descending scores in deviations of the best hundred from their mean."""
    best = scores[:_REFERENCE].astype(np.float64)
    deviation = best.std() if len(best) else 0.0
    centred: Reals = scores - (best.mean() if len(best) else 0.0)
    return centred / (deviation if deviation > 1e-12 else 1.0)
