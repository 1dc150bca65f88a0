"""Weights of a mix: what is known to be good, moved only where validation gains beyond its noise.

Some sixty validation users tell weights apart by less than they differ among themselves, so a free
search fits their accidents. A step from the prior has to gain 2.5 times its standard error.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, field_validator

from marquee.arrays import Floating, Ints, Mask, Matrix, Reals
from marquee.features.interactions import FoldIn, RatingRows, draw_fold_ins
from marquee.training.ranking_metrics import ndcg_at_10_and_100

Signals = Callable[[FoldIn], Mapping[str, Floating]]

_STEPS = (-1.0, -0.5, 0.5, 1.0)
_SMALLEST = 0.2
"""A weight moves by shares of itself, or of this where it is smaller."""
_ROUNDS = 2
_BEYOND = 2.5
"""Standard errors that a gain must have."""


@dataclass(frozen=True, eq=False)
class Validation:
    """Cases of held-out users: `owners` says whose each is."""

    cases: Sequence[FoldIn]
    owners: Ints

    @classmethod
    def draw(
        cls, rows: RatingRows, users: Ints, sizes: Sequence[int], draws: int, seed: int
    ) -> "Validation":
        """Return fold-ins of each size, `draws` times a user."""
        cases: list[FoldIn] = []
        owners: list[int] = []
        for user in users.tolist():
            own = draw_fold_ins(rows, np.array([user]), sizes, draws, seed + user)
            cases += own
            owners += [user] * len(own)
        return cls(cases, np.array(owners, np.int64))

    def only(self, chosen: Callable[[FoldIn], bool]) -> "Validation":
        """Return the cases that are chosen."""
        places = np.array([i for i, case in enumerate(self.cases) if chosen(case)], np.int64)
        return self._at(places)

    def at_most(self, limit: int) -> "Validation":
        """Return at most `limit` of the cases, spread over the users."""
        if len(self.cases) <= limit:
            return self
        return self._at(np.linspace(0, len(self.cases) - 1, limit).astype(np.int64))

    def _at(self, places: Ints) -> "Validation":
        return Validation([self.cases[i] for i in places], self.owners[places])


@dataclass(frozen=True, eq=False)
class BlendWeightSearch:
    """Signals of cases on candidates (cases × candidates); movies that a case shows are `shown`."""

    signals: Mapping[str, Matrix]
    shown: Mask
    relevant: Mask
    n_relevant: Ints
    owners: Ints

    @classmethod
    def of(cls, validation: Validation, signals: Signals, candidates: Ints) -> "BlendWeightSearch":
        """Return the judge of signals, each n_movies long by case, on the candidate rows."""
        stacks: dict[str, list[Matrix]] = {}
        for case in validation.fold_ins:
            for name, scores in signals(case).items():
                stacks.setdefault(name, []).append(scores[candidates].astype(np.float32))
        cases = validation.fold_ins
        return cls(
            {name: np.stack(stack) for name, stack in stacks.items()},
            np.stack([np.isin(candidates, case.inputs) for case in cases]),
            np.stack([np.isin(candidates, case.held_out) for case in cases]),
            np.array([len(case.held_out) for case in cases], np.int64),
            np.unique(validation.owners, return_inverse=True)[1],
        )

    def learn(
        self, prior: Mapping[str, float], least: Mapping[str, float] | None = None
    ) -> dict[str, float]:
        """Return the weights of the prior, each moved while that gains beyond noise.

        No weight goes below what `least` says of it.
        """
        weights = {name: float(prior.get(name, 0.0)) for name in self.signals}
        total = self.total(weights)
        values = self.values(total)
        for _ in range(_ROUNDS):
            before = dict(weights)
            for name, scores in self.signals.items():
                floor = (least or {}).get(name, -np.inf)
                step, moved = self._best_step(total, values, scores, weights[name], floor)
                if step:
                    total, values = total + np.float32(step) * scores, moved
                    weights[name] += step
            if weights == before:
                break
        return {name: round(weight, 4) for name, weight in weights.items()}

    def total(self, weights: Mapping[str, float]) -> Matrix:
        """Return the weighted sum of the signals."""
        total = np.zeros(self.relevant.shape, np.float32)
        for name, weight in weights.items():
            if weight:
                total += np.float32(weight) * self.signals[name]
        return total

    def values(self, total: Matrix) -> Reals:
        """Return the mean of NDCG@10 and NDCG@100 of each user."""
        scores = np.where(self.shown, np.float32(-1e9), total)
        at_10, at_100 = ndcg_at_10_and_100(scores, self.relevant, self.n_relevant)
        sums = np.bincount(self.owners, (at_10 + at_100) / 2)
        values: Reals = sums / np.bincount(self.owners)
        return values

    def _best_step(
        self, total: Matrix, values: Reals, scores: Matrix, weight: float, floor: float
    ) -> tuple[float, Reals]:
        best, reached, gained = 0.0, values, 0.0
        for share in _STEPS:
            step = share * max(abs(weight), _SMALLEST)
            if weight + step < floor:
                continue
            moved = self.values(total + np.float32(step) * scores)
            gain = float((moved - values).mean())
            if gain > gained and beyond_noise(moved - values):
                best, reached, gained = step, moved, gain
        return best, reached


def beyond_noise(gains: Reals) -> bool:
    """Return whether the mean of users' gains is more than noise explains."""
    if len(gains) < 2:
        return False
    error = float(gains.std(ddof=1)) / np.sqrt(len(gains))
    return bool(gains.mean() > _BEYOND * error + 1e-6)


V = TypeVar("V")


class BlendConfig(BaseModel):
    """`signals` are the names of the mix; a subclass sets them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    signals: ClassVar[tuple[str, ...]] = ()

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
