"""Lists that show more of the catalogue: the last places are kept for movies that few are shown.

A model's scores follow popularity, so that all users share a small head of movies. A place that is
kept goes, among the model's best candidates, to the movie that suits this user more than it suits
others: whose score is highest above its mark, the score that it takes to be among the hundredth of
the users whom it suits best (`marquee.marks_fit`). So each movie finds users of its own, about
as many as any other, and what speaks for it is taste and not fame. This is re-ranking against
popularity (Adomavicius and Kwon 2012, Improving Aggregate Recommendation Diversity Using
Ranking-Based Techniques), with a threshold for each movie in place of one for all.
"""

from collections.abc import Sequence
from zlib import crc32

import numpy as np

from marquee.arrays import Floating, Reals
from marquee.domain.recommendation import Scored
from marquee.features.movie_table import MovieTable

POOL = 300
"""Candidates, a model's best, that a place may be given to: with fewer, lists are less broad."""
_BEST = 100
"""Candidates whose mean and deviation scores are measured by."""
_TEN = 10
"""Places among which the last ones are kept: what a user sees at a time."""


def pool_size(k: int, diversity: float) -> int:
    """Return how many candidates to ask a model for, so that a list of k can be made of them."""
    return max(POOL, k) if diversity > 0 else k


def diversify(
    found: Sequence[Scored], movies: MovieTable, diversity: float, k: int
) -> list[Scored]:
    """Return k of a model's candidates, best first, which `movies` holds.

    `diversity`, 0 to 1, is the share of places that are kept, the last ones of every ten: 0 leaves
    the model's order. The first k' < k movies are the list of k', so that a list may be cut or be
    filled up.
    """
    if diversity <= 0 or len(found) < 2:
        return list(found[:k])
    rows = movies.indexes(item.movie_id for item in found)
    merit = scaled(np.array([item.score for item in found])) - movies.marks[rows]
    luck = crc32(movies.movie_ids[rows[:_TEN]].tobytes()) / 2**32
    return [found[i] for i in places(merit, diversity, luck, k)]


def places(merit: Floating, diversity: float, luck: float, k: int) -> list[int]:
    """Return the indexes of up to k of n candidates in the order of their places.

    `merit` n: by how much each, the model's best first, suits the user more than others.
    """
    left = np.ones(len(merit), bool)
    order: list[int] = []
    for place in range(min(k, len(merit))):
        chosen = int(np.argmax(left))
        if chosen < POOL and _TEN - place % _TEN <= kept(place // _TEN, diversity, luck):
            chosen = int(np.argmax(np.where(left[:POOL], merit[:POOL], -np.inf)))
        order.append(chosen)
        left[chosen] = False
    return order


def kept(ten: int, diversity: float, luck: float) -> int:
    """Return how many places of the list's ten number `ten`, from 0, are kept.

    Where the share is no whole number of places, `luck`, 0 to 1, decides: a number of the list's
    own, so that the share holds over many lists, and the same user gets the same list again.
    """
    share = _TEN * diversity
    return int((ten + 1) * share + luck) - int(ten * share + luck)


def scaled(scores: Floating) -> Reals:
    """Return n scores, falling, in deviations of the best hundred from their mean."""
    best = scores[:_BEST].astype(np.float64)
    deviation = best.std() if len(best) else 0.0
    found: Reals = scores - (best.mean() if len(best) else 0.0)
    return found / (deviation if deviation > 1e-12 else 1.0)
