"""Cold-start offset: an addition to unrated movies' scores that gives them minimum exposure."""

from collections.abc import Sequence

import numpy as np

from marquee.arrays import Floating, Ints, Mask, Vector
from marquee.features.interactions import split_users
from marquee.scoring.top_k import top
from marquee.training.ranking_metrics import mean_ndcg

DEPTH = 20
"""Length of the lists that an unrated movie has to enter."""

REACHED_USER_SHARE = 0.02
"""Share of users that an unrated movie has to reach, those with the highest scores for it."""

MAX_CASES = 200
"""Fold-ins that suffice for the offset."""

_OFFSETS = np.arange(-2.0, 10.1, 0.25)
_HIDDEN_SCORE = -1e9


def score_gaps(scores: Floating, hidden: Floating, mask: Mask) -> Vector:
    """Return how much each movie, were it unrated, lacks to enter the list of a user, n.

    Args:
        scores: n, the user's scores.
        hidden: n, the scores of the same movies if their ratings were not known.
        mask: bool n, movies that may be in the list.
    """
    eligible = scores[mask]
    depth = min(DEPTH, -(-len(eligible) // 10))  # a tenth, where 20 were nearly all movies
    last = np.partition(eligible, -depth)[-depth] if depth else 0.0
    gaps: Vector = (last - hidden).astype(np.float32)
    return gaps


def cold_start_offset(gaps: Sequence[Vector], share: float) -> float:
    """Return the offset at which a share of the movies, each hidden in turn, would reach users.

    Taken movie by movie, so that the few that look popular by content do not get all places.

    Args:
        gaps: `score_gaps` of each user.
        share: of the movies, 0 to 1.
    """
    if not gaps:
        return 0.0
    needed = np.quantile(np.stack(gaps), REACHED_USER_SHARE, axis=0)
    return float(np.quantile(needed, share))


def hide_movies(rated: Mask, share: float, seed: int) -> tuple[Mask, Mask]:
    """Hide a random share of the rated movies.

    Returns:
        Masks over the n movies: those known, and those cold (hidden or never rated).
    """
    rows = np.flatnonzero(rated)
    shown, _ = split_users(len(rows), share, seed)
    known = np.zeros(len(rated), bool)
    known[rows[shown]] = True
    return known, ~known


class OffsetSearch:
    """Search of the offset for hidden movies, over fold-ins of validation users."""

    def __init__(self, hidden: Mask, depth: int = 100) -> None:
        """Take the mask of hidden movies, n, and how many of each kind a ranking holds."""
        self._hidden, self._depth = hidden, depth
        self._scores: list[Vector] = []
        self._relevant: list[Mask] = []
        self._n_relevant: list[int] = []

    def add(self, scores: Vector, mask: Mask, held_out: Ints) -> None:
        """Add a fold-in: its scores, n, the mask of candidates, and the rows to be found."""
        kinds = (mask & ~self._hidden, mask & self._hidden)
        rows = np.concatenate([self._best(scores, kind) for kind in kinds])
        best = np.where(rows >= 0, scores[rows], _HIDDEN_SCORE)
        self._scores.append(best.astype(np.float32))
        self._relevant.append(np.isin(rows, held_out))
        self._n_relevant.append(len(held_out))

    def largest(self, loss: float = 0.005) -> float:
        """Return the largest offset that costs at most `loss` of the NDCG; 0 without fold-ins.

        NDCG alone hardly tells offsets apart, and a movie that is never shown is never rated.
        """
        if not self._scores:
            return 0.0
        scores, relevant = np.stack(self._scores), np.stack(self._relevant)
        n_relevant = np.array(self._n_relevant, np.int64)
        hidden = (np.arange(scores.shape[1]) >= self._depth).astype(np.float32)
        ndcg = [mean_ndcg(scores + np.float32(o) * hidden, relevant, n_relevant) for o in _OFFSETS]
        good = np.array(ndcg) >= (1 - loss) * max(ndcg)
        return float(_OFFSETS[int(np.flatnonzero(good)[-1])])

    def _best(self, scores: Vector, mask: Mask) -> Ints:
        """Return the rows of the best scores, padded with -1."""
        rows = np.full(self._depth, -1, np.int64)
        best = top(scores, mask, self._depth)
        rows[: len(best)] = best
        return rows
