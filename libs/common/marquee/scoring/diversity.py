"""Diversity re-ranking: the last places of a list are reserved for movies that few lists show.

A model's scores follow popularity, so that all users share a small head of movies. A reserved
place goes, among the model's best candidates, to the movie with the highest lift: its score above
its exposure threshold, the score that only the top 1 % of users reach for this movie
(`marquee.training.exposure_threshold`). So each movie finds about as many users as any other,
those who like it most. The method is that of Adomavicius and Kwon 2012 (Improving Aggregate
Recommendation Diversity Using Ranking-Based Techniques), with a threshold for each movie in place
of one for all.
"""

from collections.abc import Sequence
from zlib import crc32

import numpy as np

from marquee.arrays import Floating, Reals
from marquee.domain.recommendation import Scored
from marquee.features.movie_table import MovieTable

POOL = 300
"""Candidates, a model's best, among which reserved places are filled; fewer give less diversity."""
_REFERENCE = 100
"""Best candidates whose mean and deviation are the units of lifts."""
_PAGE = 10
"""Places of which the last ones are reserved: what a user sees at a time."""


def pool_size(k: int, diversity: float) -> int:
    """Return how many candidates to request from a model for a list of k."""
    return max(POOL, k) if diversity > 0 else k


def diversify(
    candidates: Sequence[Scored], movies: MovieTable, diversity: float, k: int
) -> list[Scored]:
    """Return k of a model's candidates, re-ranked.

    The first k' < k movies are the list of k', so that a list may be cut or filled up.

    Args:
        candidates: a model's recommendations, best first.
        movies: the table that they are rows of.
        diversity: share of places that are reserved, 0 to 1, the last ones of every page of ten; 0
            leaves the model's order.
        k: length of the list.
    """
    if diversity <= 0 or len(candidates) < 2:
        return list(candidates[:k])
    rows = movies.indexes(item.movie_id for item in candidates)
    scores = np.array([item.score for item in candidates])
    lift = list_z_scores(scores) - movies.exposure_thresholds[rows]
    rounding_seed = crc32(movies.movie_ids[rows[:_PAGE]].tobytes()) / 2**32
    return [candidates[i] for i in rank(lift, diversity, rounding_seed, k)]


def rank(lift: Floating, diversity: float, rounding_seed: float, k: int) -> list[int]:
    """Return the indexes of up to k of n candidates in the order of their places.

    Args:
        lift: n, by how much each candidate, the model's best first, exceeds its threshold.
        diversity: share of reserved places.
        rounding_seed: 0 to 1, see `reserved_slots`.
        k: length of the list.
    """
    left = np.ones(len(lift), bool)
    order: list[int] = []
    for place in range(min(k, len(lift))):
        best = int(np.argmax(left))
        reserved = reserved_slots(place // _PAGE, diversity, rounding_seed)
        if best < POOL and _PAGE - place % _PAGE <= reserved:
            best = int(np.argmax(np.where(left[:POOL], lift[:POOL], -np.inf)))
        order.append(best)
        left[best] = False
    return order


def reserved_slots(page: int, diversity: float, rounding_seed: float) -> int:
    """Return how many places of a page of ten, counted from 0, are reserved.

    Where the share is no whole number of places, `rounding_seed` decides. It is derived from the
    list, so that the share holds over many lists and equal requests give equal lists.
    """
    share = _PAGE * diversity
    return int((page + 1) * share + rounding_seed) - int(page * share + rounding_seed)


def list_z_scores(scores: Floating) -> Reals:
    """Return n descending scores in deviations of the best hundred from their mean."""
    best = scores[:_REFERENCE].astype(np.float64)
    deviation = best.std() if len(best) else 0.0
    centred: Reals = scores - (best.mean() if len(best) else 0.0)
    return centred / (deviation if deviation > 1e-12 else 1.0)
