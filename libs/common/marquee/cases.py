"""Signals of many validation cases side by side, as the weights of a mix are learned from them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from marquee.mix import standardise
from marquee.mix_fit import learn_weights, quality
from marquee.rating_rows import Case, split_users
from marquee.recommender import top

Matrix = npt.NDArray[np.float32]
Signals = Callable[[Case], dict[str, Matrix]]

_OFFSETS = np.arange(-2.0, 10.1, 0.25)


@dataclass(frozen=True, eq=False)
class CaseSignals:
    """z-scores by name, cases × candidates, and which of the candidates are relevant."""

    signals: dict[str, Matrix]
    relevant: npt.NDArray[np.bool_]
    n_relevant: npt.NDArray[np.int64]

    def learn(
        self, start: dict[str, float], least: dict[str, float] | None = None
    ) -> dict[str, float]:
        """Return the weights that rank best, from those of `start`, none below its `least`."""
        return learn_weights(self.signals, self.relevant, self.n_relevant, start, least)

    def quality(self, weights: dict[str, float]) -> float:
        """Return the mean of NDCG@10 and NDCG@100 that weights reach."""
        total = np.zeros(self.relevant.shape, np.float32)
        for name, weight in weights.items():
            total += np.float32(weight) * self.signals[name]
        return quality(total, self.relevant, self.n_relevant)


def gather(
    cases: Sequence[Case], signals: Signals, candidates: npt.NDArray[np.int64], n_films: int
) -> CaseSignals:
    """Return the signals of all cases on the candidate rows; films shown score the mean, 0."""
    stacks: dict[str, list[Matrix]] = {}
    relevant = np.zeros((len(cases), len(candidates)), bool)
    for i, case in enumerate(cases):
        mask = np.ones(n_films, bool)
        mask[case.films] = False
        hidden = ~mask[candidates]
        for name, scores in signals(case).items():
            row = standardise(scores, mask)[candidates].astype(np.float32)
            row[hidden] = 0.0
            stacks.setdefault(name, []).append(row)
        relevant[i] = np.isin(candidates, case.targets)
    stacked = {name: np.stack(rows) for name, rows in stacks.items()}
    n_relevant = np.array([len(case.targets) for case in cases], np.int64)
    return CaseSignals(stacked, relevant, n_relevant)


def some(cases: Sequence[Case], limit: int, seed: int) -> list[Case]:
    """Return at most `limit` of the cases, drawn at random, in their order."""
    if len(cases) <= limit:
        return list(cases)
    chosen = np.random.default_rng(seed).choice(len(cases), limit, replace=False)
    return [cases[i] for i in np.sort(chosen).tolist()]


def most_liked(positive: npt.NDArray[np.int64], limit: int) -> npt.NDArray[np.int64]:
    """Return the rows with most positive ratings, at most `limit` of them, in order of row."""
    return np.sort(np.argsort(-positive, kind="stable")[:limit])


def hide(
    rated: npt.NDArray[np.bool_], share: float, seed: int
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return (known, cold) of n films: cold are some rated ones and all others."""
    places = np.flatnonzero(rated)
    shown, _ = split_users(len(places), share, seed)
    known = np.zeros(len(rated), bool)
    known[places[shown]] = True
    return known, ~known


class OffsetSearch:
    """Finds what to add to the scores of hidden films, so that lists of both kinds rank best."""

    def __init__(self, hidden: npt.NDArray[np.bool_], places: int = 100) -> None:
        self._hidden, self._places = hidden, places
        self._scores: list[Matrix] = []
        self._relevant: list[npt.NDArray[np.bool_]] = []
        self._n_relevant: list[int] = []

    def add(
        self, scores: Matrix, mask: npt.NDArray[np.bool_], targets: npt.NDArray[np.int64]
    ) -> None:
        """Take the scores, n, of a case; the best of both kinds where `mask` holds count."""
        kinds = (mask & ~self._hidden, mask & self._hidden)
        rows = np.concatenate([self._best(scores, kind) for kind in kinds])
        self._scores.append(np.where(rows >= 0, scores[rows], -1e9).astype(np.float32))
        self._relevant.append(np.isin(rows, targets))
        self._n_relevant.append(len(targets))

    def largest(self, loss: float = 0.005) -> float:
        """Return the largest offset that costs at most `loss` of the quality; 0 without a case.

        Quality alone hardly tells offsets apart, and a film that never appears is never rated.
        """
        if not self._scores:
            return 0.0
        scores, relevant = np.stack(self._scores), np.stack(self._relevant)
        n_relevant = np.array(self._n_relevant, np.int64)
        hidden = (np.arange(scores.shape[1]) >= self._places).astype(np.float32)
        reached = [quality(scores + np.float32(o) * hidden, relevant, n_relevant) for o in _OFFSETS]
        good = np.array(reached) >= (1 - loss) * max(reached)
        return float(_OFFSETS[int(np.flatnonzero(good)[-1])])

    def _best(self, scores: Matrix, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """Return the rows of the best scores, filled up with -1."""
        rows = np.full(self._places, -1, np.int64)
        chosen = top(scores, mask, self._places)
        rows[: len(chosen)] = chosen
        return rows
