"""Lists that show more of the catalogue: some places are kept for films that few others are shown.

A model's scores follow popularity, so that all viewers share a small head of films. A place that is
kept goes, among the model's best candidates, to the film whose score is highest above what its
popularity would let expect: what speaks for it is this viewer's taste and not its fame, and so it
differs from viewer to viewer. Likeness to the films placed before counts against it. This is
re-ranking by popularity (Adomavicius and Kwon 2012, Improving Aggregate Recommendation Diversity
Using Ranking-Based Techniques), with the relevance of MMR (Carbonell and Goldstein 1998) in it.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from marquee.films import Films, genre_matrix
from marquee.pipeline import unit
from marquee.recommender import Scored

Reals = npt.NDArray[np.floating]

POOL = 100
"""Candidates, a model's best, that a place may be given to."""
_LIKENESS = 0.75
"""Deviations of the score that a film loses where one with the same genres is placed before it."""
_FAME = 1.6
"""How many times what popularity adds to a score is taken off it. At 1 many more places must be
kept for lists as broad, and then they are worse (measured on two folds of ml-latest-small)."""
_REACH = 12.0
"""Deviations, at a setting of 1, that a film may be below the best one left: so a small setting
costs little, as films far below are not taken."""


class Rated(Protocol):
    """What knows the ratings of films at its training, as every model does."""

    def sums(self, movie_id: int, /) -> tuple[int, int, int]:
        """Return the ratings, positive ones and half stars of a film; zeros for a new one."""
        ...


def pool_size(k: int, diversity: float) -> int:
    """Return how many candidates to ask a model for, so that a list of k can be made of them."""
    return max(POOL, k) if diversity > 0 else k


def diversify(
    found: Sequence[Scored], films: Films, model: Rated, diversity: float, k: int
) -> list[Scored]:
    """Return k of a model's candidates, best first, which `films` holds.

    `diversity`, 0 to 1, is the share of places that are kept: 0 leaves the model's order. The
    first k' < k films are the list of k', so that a list may be cut or be filled up.
    """
    if diversity <= 0 or len(found) < 2:
        return list(found[:k])
    rows = films.indexes(item.movie_id for item in found)
    scores = np.array([item.score for item in found])
    popularity = np.log1p([model.sums(item.movie_id)[1] for item in found])
    return [found[i] for i in places(scores, popularity, films.genres[rows], diversity, k)]


def places(
    scores: Reals, popularity: Reals, genres: npt.NDArray[np.uint32], diversity: float, k: int
) -> list[int]:
    """Return the indexes of up to k of n candidates in the order of their places.

    `scores` n, falling; `popularity` n; `genres` n bit masks.
    """
    merit, score = lift(scores, popularity), _scaled(scores)
    kinds = unit(genre_matrix(genres))
    likeness = np.zeros(len(scores))
    left = np.ones(len(scores), bool)
    order: list[int] = []
    for place in range(1, min(k, len(scores)) + 1):
        chosen = int(np.argmax(left))
        if kept(place, diversity):
            near = left & (score >= score[chosen] - _REACH * diversity)
            chosen = int(np.argmax(np.where(near, merit - _LIKENESS * likeness, -np.inf)))
        order.append(chosen)
        left[chosen] = False
        likeness = np.maximum(likeness, kinds @ kinds[chosen])
    return order


def kept(place: int, diversity: float) -> bool:
    """Return whether a place, from 1, is one that is kept: they are spread evenly over the list."""
    steps = np.floor(np.array([place - 1, place]) * diversity + 1e-9)
    return bool(steps[1] > steps[0])


def lift(scores: Reals, popularity: Reals) -> npt.NDArray[np.float64]:
    """Return by how many deviations each of n scores is above what popularity lets expect.

    The expectation is a line through the candidates, `_FAME` times as steep as the one that fits
    them best, and level where scores fall with popularity.
    """
    score, fame = _scaled(scores), _scaled(popularity)
    slope = max(0.0, float((score * fame).mean()))
    return score - _FAME * slope * fame


def _scaled(values: Reals) -> npt.NDArray[np.float64]:
    centred = values.astype(np.float64) - values.mean()
    deviation = centred.std()
    scaled: npt.NDArray[np.float64] = centred / (deviation if deviation > 1e-12 else 1.0)
    return scaled
