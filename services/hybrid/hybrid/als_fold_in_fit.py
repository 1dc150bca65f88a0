"""How much a movie's first raters have to outweigh what its content says, chosen on hidden movies."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from marquee.arrays import Ints, Mask, Matrix
from marquee.domain.ratings import POSITIVE
from marquee.features.interactions import RatingRows, split_users
from marquee.scoring.als import AlsFactors

_USERS = 2000
_MOVIES = 200
_REVEALED = 3
_LIKERS = 8
"""A hidden movie has so many users who liked it; the revealed ones are among its raters."""


def choose_trust(
    factors: AlsFactors,
    predicted: Matrix,
    hidden: Mask,
    rows: RatingRows,
    trusts: Sequence[float],
    seed: int,
) -> float:
    """Return the trust by which hidden movies, three ratings known, find those who like them.

    `predicted` n × f the factors of all movies by content alone,
    learned where `hidden`, n, does not hold. What counts is the chance that somebody who liked the
    movie scores above somebody who did not rate it.
    """
    cases = _Cases(factors, predicted, hidden, rows, seed)
    return max(trusts, key=lambda trust: cases.chance(replace(factors, trust=trust)))


class _Cases:
    """Hidden movies among sampled users."""

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
        chosen = np.flatnonzero(hidden & (likers >= _LIKERS))
        chosen = chosen[np.argsort(-likers[chosen], kind="stable")[:_MOVIES]]
        rng = np.random.default_rng(seed)
        self._orders = {i: rng.permutation(self._at(i)) for i in chosen.tolist()}

    def chance(self, factors: AlsFactors) -> float:
        """Return the mean over movies of the chance that a liker scores above a non-rater."""
        chances = [self._of(movie, factors) for movie in self._orders]
        return float(np.mean(chances)) if chances else 0.0

    def _at(self, movie: int) -> Ints:
        return np.flatnonzero(self._movies == movie)

    def _of(self, movie: int, factors: AlsFactors) -> float:
        order = self._orders[movie]
        known, rest = order[:_REVEALED], order[_REVEALED:]
        equations = factors.equations(self._users[self._owners[known]], self._half_stars[known])
        scores = self._users @ factors.refine(self._predicted[movie], *equations)
        likers = self._owners[rest[self._half_stars[rest] >= POSITIVE]]
        others = np.sort(np.delete(scores, self._owners[order]))
        if not len(others):
            return 0.0
        return float(np.searchsorted(others, scores[likers]).mean() / len(others))


def _fold_in(factors: AlsFactors, rows: RatingRows, shown: Mask) -> Matrix:
    """Return the factors, u × f, of users by those of their ratings that are shown."""
    users = np.zeros((len(rows), factors.f), np.float32)
    for i, (start, end) in enumerate(zip(rows.starts[:-1], rows.starts[1:], strict=True)):
        chosen = start + np.flatnonzero(shown[start:end])
        users[i] = factors.fold_in(factors.items[rows.movies[chosen]], rows.half_stars[chosen])
    return users
