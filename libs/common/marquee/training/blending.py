"""Learning of blend weights: defaults, moved only where validation gains beyond its noise.

Sixty-odd validation users tell weights apart by less than they differ among themselves, so that a
free search would fit their accidents. A step has to gain 2.5 times its standard error.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, field_validator

from marquee.arrays import Floating, Ints, Mask, Matrix, Reals
from marquee.features.interactions import FoldIn, RatingRows, draw_fold_ins, first_fold_ins
from marquee.training.ranking_metrics import ndcg_of_rows

Signals = Callable[[FoldIn], Mapping[str, Floating]]

_STEPS = (-1.0, -0.5, 0.5, 1.0)
_SMALLEST = 0.2
"""A weight moves by shares of itself, or of this where it is smaller."""
_ROUNDS = 2
_BEYOND = 2.5
"""Standard errors that a gain must have."""


@dataclass(frozen=True, eq=False)
class Validation:
    """Fold-ins of held-out users; `owners`, int64, is the user of each."""

    fold_ins: Sequence[FoldIn]
    owners: Ints

    @classmethod
    def draw(
        cls, rows: RatingRows, users: Ints, sizes: Sequence[int], draws: int, seed: int
    ) -> "Validation":
        """Return fold-ins of each size, `draws` times a user."""
        fold_ins: list[FoldIn] = []
        owners: list[int] = []
        for user in users.tolist():
            drawn = draw_fold_ins(rows, np.array([user]), sizes, draws, seed + user)
            fold_ins += drawn
            owners += [user] * len(drawn)
        return cls(fold_ins, np.array(owners, np.int64))

    @classmethod
    def first(cls, rows: RatingRows, users: Ints, sizes: Sequence[int]) -> "Validation":
        """Return the first ratings in time of each size, the user's later likes held out."""
        drawn = [
            (fold_in, user)
            for user in users.tolist()
            for fold_in in first_fold_ins(rows, user, sizes)
        ]
        return cls([fold_in for fold_in, _ in drawn], np.array([u for _, u in drawn], np.int64))

    def only(self, predicate: Callable[[FoldIn], bool]) -> "Validation":
        """Return the fold-ins for which a predicate holds."""
        indexes = [i for i, fold_in in enumerate(self.fold_ins) if predicate(fold_in)]
        return self._at(np.array(indexes, np.int64))

    def at_most(self, limit: int) -> "Validation":
        """Return at most `limit` of the fold-ins, spread over the users."""
        if len(self.fold_ins) <= limit:
            return self
        return self._at(np.linspace(0, len(self.fold_ins) - 1, limit).astype(np.int64))

    def _at(self, indexes: Ints) -> "Validation":
        return Validation([self.fold_ins[i] for i in indexes], self.owners[indexes])


@dataclass(frozen=True, eq=False)
class BlendWeightSearch:
    """Coordinate search of blend weights over m fold-ins and c candidate movies.

    Attributes:
        signals: float32 m × c by name.
        shown: bool m × c, candidates that are inputs of the fold-in.
        relevant: bool m × c, candidates that are held out.
        n_relevant: int64 m, movies held out, candidates or not.
        users: int64 m, the user of each fold-in.
    """

    signals: Mapping[str, Matrix]
    shown: Mask
    relevant: Mask
    n_relevant: Ints
    users: Ints

    @classmethod
    def of(cls, validation: Validation, signals: Signals, candidates: Ints) -> "BlendWeightSearch":
        """Return the search over candidate rows; `signals` gives those of a fold-in, n each."""
        stacks: dict[str, list[Matrix]] = {}
        for fold_in in validation.fold_ins:
            for name, scores in signals(fold_in).items():
                stacks.setdefault(name, []).append(scores[candidates].astype(np.float32))
        fold_ins = validation.fold_ins
        return cls(
            {name: np.stack(stack) for name, stack in stacks.items()},
            np.stack([np.isin(candidates, fold_in.inputs) for fold_in in fold_ins]),
            np.stack([np.isin(candidates, fold_in.held_out) for fold_in in fold_ins]),
            np.array([len(fold_in.held_out) for fold_in in fold_ins], np.int64),
            validation.owners,
        )

    @classmethod
    def joined(cls, searches: Sequence["BlendWeightSearch"]) -> "BlendWeightSearch":
        """Return the search over the fold-ins of several searches of the same candidates."""
        first = searches[0]
        return cls(
            {name: np.concatenate([s.signals[name] for s in searches]) for name in first.signals},
            np.concatenate([search.shown for search in searches]),
            np.concatenate([search.relevant for search in searches]),
            np.concatenate([search.n_relevant for search in searches]),
            np.concatenate([search.users for search in searches]),
        )

    def with_signal(self, name: str, rows: Matrix) -> "BlendWeightSearch":
        """Return the search with a signal more, float32 m × c."""
        return replace(self, signals={**self.signals, name: rows})

    def search(
        self, initial: Mapping[str, float], minimum: Mapping[str, float] | None = None
    ) -> dict[str, float]:
        """Return the initial weights, each moved while that gains beyond noise.

        Args:
            initial: weights to start from, 0 where missing.
            minimum: lower bounds of weights; none where missing.
        """
        weights = {name: float(initial.get(name, 0.0)) for name in self.signals}
        blended = self.blended(weights)
        ndcg = self.ndcg_by_user(blended)
        for _ in range(_ROUNDS):
            before = dict(weights)
            for name, scores in self.signals.items():
                floor = (minimum or {}).get(name, -np.inf)
                step, moved = self._best_step(blended, ndcg, scores, weights[name], floor)
                if step:
                    blended, ndcg = blended + np.float32(step) * scores, moved
                    weights[name] += step
            if weights == before:
                break
        return {name: round(weight, 4) for name, weight in weights.items()}

    def blended(self, weights: Mapping[str, float]) -> Matrix:
        """Return the weighted sum of the signals, float32 m × c."""
        total = np.zeros(self.relevant.shape, np.float32)
        for name, weight in weights.items():
            if weight:
                total += np.float32(weight) * self.signals[name]
        return total

    def ndcg_by_user(self, blended: Matrix) -> Reals:
        """Return for each user the mean of NDCG@10 and NDCG@100 over the user's fold-ins."""
        scores = np.where(self.shown, np.float32(-1e9), blended)
        at_10, at_100 = ndcg_of_rows(scores, self.relevant, self.n_relevant)
        owners = self._owners
        ndcg: Reals = np.bincount(owners, (at_10 + at_100) / 2) / np.bincount(owners)
        return ndcg

    @cached_property
    def _owners(self) -> Ints:
        """Number of the user of each fold-in, from 0 without gaps."""
        return np.unique(self.users, return_inverse=True)[1].astype(np.int64)

    def _best_step(
        self, blended: Matrix, ndcg: Reals, scores: Matrix, weight: float, floor: float
    ) -> tuple[float, Reals]:
        """Return the step of a weight that gains most, and the NDCG after it; 0 if none gains."""
        best, best_ndcg, best_gain = 0.0, ndcg, 0.0
        for share in _STEPS:
            step = share * max(abs(weight), _SMALLEST)
            if weight + step < floor:
                continue
            moved = self.ndcg_by_user(blended + np.float32(step) * scores)
            gain = float((moved - ndcg).mean())
            if gain > best_gain and beyond_noise(moved - ndcg):
                best, best_ndcg, best_gain = step, moved, gain
        return best, best_ndcg


def beyond_noise(gains: Reals) -> bool:
    """Return whether the mean of users' gains exceeds 2.5 standard errors."""
    if len(gains) < 2:
        return False
    error = float(gains.std(ddof=1)) / np.sqrt(len(gains))
    return bool(gains.mean() > _BEYOND * error + 1e-6)


V = TypeVar("V")


class BlendConfig(BaseModel):
    """Base of model configs: which of the model's signals the blend leaves out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    signals: ClassVar[tuple[str, ...]] = ()
    """Names of the signals; a subclass sets them."""

    without: tuple[str, ...] = ()
    """Signals that are left out; the weights of the others are learned without them."""

    @field_validator("without")
    @classmethod
    def _are_signals(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in cls.signals:
                raise ValueError(f"no signal {name}; there are {', '.join(cls.signals)}")
        return names

    def used(self, by_signal: Mapping[str, V]) -> dict[str, V]:
        """Return the entries of the signals that are not left out."""
        return {name: value for name, value in by_signal.items() if name not in self.without}
