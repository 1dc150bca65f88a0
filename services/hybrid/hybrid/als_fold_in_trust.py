"""Choice of the trust in content-based factors against a movie's first raters, on hidden movies."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from marquee.arrays import Ints, Mask, Matrix
from marquee.domain.likes import is_like
from marquee.features.interactions import RatingRows, split_users
from marquee.scoring.scorers.als import AlsFactors

_USERS = 2000
"""Users sampled."""
_MOVIES = 200
"""Hidden movies, those liked most."""
_REVEALED = 3
"""Ratings known of a hidden movie."""
_LIKERS = 8
"""Users who must like a hidden movie; some of them may be among the revealed raters."""


def choose_trust(
    factors: AlsFactors,
    predicted: Matrix,
    hidden: Mask,
    rows: RatingRows,
    trusts: Sequence[float],
    seed: int,
) -> float:
    """Return the trust by which hidden movies, three ratings known, find those who like them.

    The criterion is the AUC: the chance that a user who likes the movie scores above one who did
    not rate it.

    Args:
        factors: of the ALS.
        predicted: float32 n × f, factors of all movies by content, learned without hidden ones.
        hidden: bool n.
        rows: the users' ratings.
        trusts: to choose from.
        seed: of the samples.
    """
    trials = _HiddenMovies(factors, predicted, hidden, rows, seed)
    return max(trusts, key=lambda trust: trials.mean_auc(replace(factors, trust=trust)))


class _HiddenMovies:
    """Hidden movies among sampled users, whose factors are solved without them."""

    def __init__(
        self,
        factors: AlsFactors,
        predicted: Matrix,
        hidden: Mask,
        rows: RatingRows,
        seed: int,
    ) -> None:
        self._predicted = predicted
        sample, _ = split_users(len(rows), 0.0, seed)
        rows = rows.of_users(sample[:_USERS])
        self._movies, self._owners, self._half_stars = rows.movies, rows.owners, rows.half_stars
        self._users = _fold_in(factors, rows, ~hidden[rows.movies])
        likers = np.bincount(rows.movies[rows.liked], minlength=len(hidden))
        movies = np.flatnonzero(hidden & (likers >= _LIKERS))
        movies = movies[np.argsort(-likers[movies], kind="stable")[:_MOVIES]]
        rng = np.random.default_rng(seed)
        self._orders = {i: rng.permutation(self._ratings_of(i)) for i in movies.tolist()}

    def mean_auc(self, factors: AlsFactors) -> float:
        """Return the mean over movies of the chance that a liker scores above a non-rater."""
        aucs = [self._auc(movie, factors) for movie in self._orders]
        return float(np.mean(aucs)) if aucs else 0.0

    def _ratings_of(self, movie: int) -> Ints:
        return np.flatnonzero(self._movies == movie)

    def _auc(self, movie: int, factors: AlsFactors) -> float:
        order = self._orders[movie]
        known, unknown = order[:_REVEALED], order[_REVEALED:]
        equations = factors.equations(self._users[self._owners[known]], self._half_stars[known])
        scores = self._users @ factors.refine(self._predicted[movie], *equations)
        likers = self._owners[unknown[is_like(self._half_stars[unknown])]]
        others = np.sort(np.delete(scores, self._owners[order]))
        if not len(others):
            return 0.0
        return float(np.searchsorted(others, scores[likers]).mean() / len(others))


def _fold_in(factors: AlsFactors, rows: RatingRows, shown: Mask) -> Matrix:
    """Return the factors of users, u × f, solved from those of their ratings that are shown."""
    users = np.zeros((len(rows), factors.f), np.float32)
    for i, (start, end) in enumerate(zip(rows.starts[:-1], rows.starts[1:], strict=True)):
        chosen = start + np.flatnonzero(shown[start:end])
        users[i] = factors.fold_in(factors.items[rows.movies[chosen]], rows.half_stars[chosen])
    return users
