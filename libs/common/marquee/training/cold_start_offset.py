"""What to add to the score of a movie without ratings, so that it comes before some users."""

from collections.abc import Sequence

import numpy as np

from marquee.arrays import Floating, Ints, Mask, Matrix
from marquee.features.interactions import split_users
from marquee.scoring.top_k import top
from marquee.training.ranking_metrics import mean_ndcg

DEPTH = 20
"""Length of the lists that a movie without ratings is to come into."""

REACH = 0.02
"""The users whom it is to reach: this share of all, those whom it suits best."""

MAX_CASES = 200
"""So many users are enough to tell."""


def score_gaps(scores: Floating, hidden: Floating, mask: Mask) -> Matrix:
    """Return by how much each of n movies, were it new, misses a list of the movies of `mask`.

    `hidden` are the scores of the same movies, were their ratings not known.
    """
    chosen = scores[mask]
    depth = min(DEPTH, -(-len(chosen) // 10))  # a tenth, where 20 were nearly all movies
    least = np.partition(chosen, -depth)[-depth] if depth else 0.0
    missed: Matrix = (least - hidden).astype(np.float32)
    return missed


def cold_start_offset(cases: Sequence[Matrix], share: float) -> float:
    """Return the bonus by which `share` of the movies, each hidden in turn, would reach users.

    Movie by movie, so that the few that look popular by their content do not take all places.
    """
    if not cases:
        return 0.0
    needed = np.quantile(np.stack(cases), REACH, axis=0)
    return float(np.quantile(needed, share))


_OFFSETS = np.arange(-2.0, 10.1, 0.25)


def hide_movies(rated: Mask, share: float, seed: int) -> tuple[Mask, Mask]:
    """Return (known, cold) of n movies: cold are some rated ones and all others."""
    places = np.flatnonzero(rated)
    shown, _ = split_users(len(places), share, seed)
    known = np.zeros(len(rated), bool)
    known[places[shown]] = True
    return known, ~known


class OffsetSearch:
    """Finds what to add to the scores of hidden movies, so that lists of both kinds rank best."""

    def __init__(self, hidden: Mask, places: int = 100) -> None:
        self._hidden, self._places = hidden, places
        self._scores: list[Matrix] = []
        self._relevant: list[Mask] = []
        self._n_relevant: list[int] = []

    def add(self, scores: Matrix, mask: Mask, targets: Ints) -> None:
        """Take the scores, n, of a case; the best of both kinds where `mask` holds count."""
        kinds = (mask & ~self._hidden, mask & self._hidden)
        rows = np.concatenate([self._best(scores, kind) for kind in kinds])
        self._scores.append(np.where(rows >= 0, scores[rows], -1e9).astype(np.float32))
        self._relevant.append(np.isin(rows, targets))
        self._n_relevant.append(len(targets))

    def largest(self, loss: float = 0.005) -> float:
        """Return the largest offset that costs at most `loss` of the quality; 0 without a case.

        Quality alone hardly tells offsets apart, and a movie that never appears is never rated.
        """
        if not self._scores:
            return 0.0
        scores, relevant = np.stack(self._scores), np.stack(self._relevant)
        n_relevant = np.array(self._n_relevant, np.int64)
        hidden = (np.arange(scores.shape[1]) >= self._places).astype(np.float32)
        reached = [mean_ndcg(scores + np.float32(o) * hidden, relevant, n_relevant) for o in _OFFSETS]
        good = np.array(reached) >= (1 - loss) * max(reached)
        return float(_OFFSETS[int(np.flatnonzero(good)[-1])])

    def _best(self, scores: Matrix, mask: Mask) -> Ints:
        """Return the rows of the best scores, filled up with -1."""
        rows = np.full(self._places, -1, np.int64)
        chosen = top(scores, mask, self._places)
        rows[: len(chosen)] = chosen
        return rows
