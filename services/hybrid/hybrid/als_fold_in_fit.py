"""How much a film's first raters have to outweigh what its content says, chosen on hidden films."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from marquee.domain.ratings import POSITIVE
from marquee.features.interactions import RatingRows, split_users
from marquee.features.pipeline import Matrix
from marquee.scoring.als import Factors

_USERS = 2000
_FILMS = 200
_REVEALED = 3
_LIKERS = 8
"""A hidden film has so many viewers who liked it; the revealed ones are among its raters."""


def choose_trust(
    factors: Factors,
    predicted: Matrix,
    hidden: npt.NDArray[np.bool_],
    rows: RatingRows,
    trusts: Sequence[float],
    seed: int,
) -> float:
    """Return the trust by which hidden films, three ratings known, find those who like them.

    `predicted` n × f the factors of all films by content alone,
    learned where `hidden`, n, does not hold. What counts is the chance that somebody who liked the
    film scores above somebody who did not rate it.
    """
    cases = _Cases(factors, predicted, hidden, rows, seed)
    return max(trusts, key=lambda trust: cases.chance(replace(factors, trust=trust)))


class _Cases:
    """Hidden films among sampled viewers."""

    def __init__(
        self,
        factors: Factors,
        predicted: Matrix,
        hidden: npt.NDArray[np.bool_],
        rows: RatingRows,
        seed: int,
    ) -> None:
        self._predicted = predicted
        sample, _ = split_users(len(rows), 0.0, seed)
        rows = rows.of_users(sample[:_USERS])
        self._films, self._owners, self._half_stars = rows.films, rows.owners, rows.half_stars
        self._viewers = _fold_in(factors, rows, ~hidden[rows.films])
        likers = np.bincount(rows.films[rows.liked], minlength=len(hidden))
        chosen = np.flatnonzero(hidden & (likers >= _LIKERS))
        chosen = chosen[np.argsort(-likers[chosen], kind="stable")[:_FILMS]]
        rng = np.random.default_rng(seed)
        self._orders = {i: rng.permutation(self._at(i)) for i in chosen.tolist()}

    def chance(self, factors: Factors) -> float:
        """Return the mean over films of the chance that a liker scores above a non-rater."""
        chances = [self._of(film, factors) for film in self._orders]
        return float(np.mean(chances)) if chances else 0.0

    def _at(self, film: int) -> npt.NDArray[np.int64]:
        return np.flatnonzero(self._films == film)

    def _of(self, film: int, factors: Factors) -> float:
        order = self._orders[film]
        known, rest = order[:_REVEALED], order[_REVEALED:]
        equations = factors.equations(self._viewers[self._owners[known]], self._half_stars[known])
        scores = self._viewers @ factors.refine(self._predicted[film], *equations)
        likers = self._owners[rest[self._half_stars[rest] >= POSITIVE]]
        others = np.sort(np.delete(scores, self._owners[order]))
        if not len(others):
            return 0.0
        return float(np.searchsorted(others, scores[likers]).mean() / len(others))


def _fold_in(factors: Factors, rows: RatingRows, shown: npt.NDArray[np.bool_]) -> Matrix:
    """Return the factors, u × f, of viewers by those of their ratings that are shown."""
    viewers = np.zeros((len(rows), factors.f), np.float32)
    for i, (start, end) in enumerate(zip(rows.starts[:-1], rows.starts[1:], strict=True)):
        chosen = start + np.flatnonzero(shown[start:end])
        viewers[i] = factors.fold_in(factors.items[rows.films[chosen]], rows.half_stars[chosen])
    return viewers
