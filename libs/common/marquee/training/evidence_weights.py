"""Learning of blend weights by evidence, on random fold-ins and on first ratings in time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from marquee.arrays import Ints, Reals
from marquee.features.interactions import FoldIn, RatingRows
from marquee.scoring.evidence_weights import (
    EvidenceWeights,
    OrderLikelihood,
    Weights,
    order_features,
)
from marquee.scoring.scorers.recent_trend import TREND
from marquee.training.blending import BlendWeightSearch, Signals, Validation, beyond_noise
from marquee.training.recent_trend import PastTrends

FoldInPredicate = Callable[[FoldIn], bool]

_UNKNOWN = 0.5
"""Likelihood of ratings whose times tell nothing: one rating, or none with a time."""
_SIZES = (2, 3, 5, 10, 20, 40, 80)
"""Numbers of ratings on which the order's likelihood is fitted."""
_MAX_USERS = 2000
_MIN_USERS = 20


@dataclass(frozen=True)
class EvidenceDraw:
    """Fold-ins of validation users in both orders, by the number of ratings that they show."""

    at_random: Mapping[int, Validation]
    in_time: Mapping[int, Validation]

    @classmethod
    def draw(
        cls, rows: RatingRows, users: Ints, sizes: Sequence[int], draws: int, seed: int
    ) -> "EvidenceDraw":
        """Return the fold-ins of each size, `draws` random ones and one in time of each user."""
        return cls(
            {n: Validation.draw(rows, users, (n,), draws, seed) for n in sizes},
            {n: Validation.first(rows, users, (n,)) for n in sizes},
        )

    def only(self, predicate: FoldInPredicate) -> "EvidenceDraw":
        """Return the fold-ins for which a predicate holds."""
        return EvidenceDraw(
            {n: validation.only(predicate) for n, validation in self.at_random.items()},
            {n: validation.only(predicate) for n, validation in self.in_time.items()},
        )

    def at_most(self, limit: int) -> "EvidenceDraw":
        """Return at most about `limit` of the fold-ins, as many of each number and order."""
        share = max(1, limit // max(1, len(self.at_random) + len(self.in_time)))
        return EvidenceDraw(
            {n: validation.at_most(share) for n, validation in self.at_random.items()},
            {n: validation.at_most(share) for n, validation in self.in_time.items()},
        )

    @property
    def fold_ins(self) -> list[FoldIn]:
        """All fold-ins: those in time after the random ones."""
        parts = (*self.at_random.values(), *self.in_time.values())
        return [fold_in for part in parts for fold_in in part.fold_ins]


@dataclass(frozen=True, eq=False)
class LearnedWeights:
    """Weights of a blend, and the trend among its signals, if there is one."""

    weights: EvidenceWeights
    trend: PastTrends | None


def learn_evidence_weights(
    drawn: EvidenceDraw,
    signals: Signals,
    candidates: Ints,
    initial: tuple[Weights, Weights],
    minimum: Weights,
    order: OrderLikelihood,
    trends: Sequence[PastTrends] = (),
) -> LearnedWeights:
    """Return weights for each number of ratings and order, and the trend that they are made for.

    Weights of an order start from the initial ones, move on all its fold-ins together, and then on
    those of each number, while that gains beyond noise.

    Args:
        drawn: Fold-ins of validation users.
        signals: Gives the signals of a fold-in, all but the trend.
        candidates: Rows of the movies that are ranked.
        initial: Weights at random and in time to start from.
        minimum: Lower bounds of weights.
        order: Likelihood of the order; without usable times both orders have the random weights.
        trends: Trends by half-life: the first, unless another one ranks better with the initial
            weights, beyond noise.
    """
    orders = (drawn.at_random, drawn.in_time if order.unknown else {})
    searches = tuple(_searches(by_number, signals, candidates) for by_number in orders)
    trend = None
    if trends and any(searches):
        searches, trend = _with_best_trend(orders, searches, candidates, initial, trends)
    at_random, in_time = (
        _of_order(own, weights, minimum) for own, weights in zip(searches, initial, strict=True)
    )
    if not order.unknown:
        in_time = at_random
    return LearnedWeights(EvidenceWeights(at_random, in_time, order), trend)


def _searches(
    by_number: Mapping[int, Validation], signals: Signals, candidates: Ints
) -> dict[int, BlendWeightSearch]:
    return {
        n: BlendWeightSearch.of(validation, signals, candidates)
        for n, validation in sorted(by_number.items())
        if validation.fold_ins
    }


def _with_best_trend(
    orders: Sequence[Mapping[int, Validation]],
    searches: Sequence[Mapping[int, BlendWeightSearch]],
    candidates: Ints,
    initial: Sequence[Weights],
    trends: Sequence[PastTrends],
) -> tuple[tuple[dict[int, BlendWeightSearch], ...], PastTrends]:
    """Return the searches with the first trend, or with one that ranks better beyond noise."""
    tried = [
        tuple(
            _with_trend(by_number, own, candidates, past)
            for by_number, own in zip(orders, searches, strict=True)
        )
        for past in trends
    ]
    ndcg = [_initial_ndcg(own, initial) for own in tried]
    best = 0
    for i in range(1, len(trends)):
        if beyond_noise(ndcg[i] - ndcg[best]):
            best = i
    return tried[best], trends[best]


def _with_trend(
    by_number: Mapping[int, Validation],
    searches: Mapping[int, BlendWeightSearch],
    candidates: Ints,
    past: PastTrends,
) -> dict[int, BlendWeightSearch]:
    """Return the searches with the trend at the time of each fold-in as a signal more."""
    return {
        n: search.with_signal(
            TREND, np.stack([past.at(case.asked_at)[candidates] for case in by_number[n].fold_ins])
        )
        for n, search in searches.items()
    }


def _initial_ndcg(
    searches: Sequence[Mapping[int, BlendWeightSearch]], initial: Sequence[Weights]
) -> Reals:
    """Return the NDCG with the initial weights by user, for all orders and numbers in turn."""
    return np.concatenate(
        [
            search.ndcg_by_user(search.blended(weights))
            for by_number, weights in zip(searches, initial, strict=True)
            for search in by_number.values()
        ]
    )


def _of_order(
    searches: Mapping[int, BlendWeightSearch], initial: Weights, minimum: Weights
) -> dict[int, Weights]:
    if not searches:
        return {1: dict(initial)}
    common = BlendWeightSearch.joined(list(searches.values())).search(initial, minimum)
    return {n: search.search(common, minimum) for n, search in searches.items()}


def fit_order_likelihood(rows: RatingRows, seed: int) -> OrderLikelihood:
    """Fit how likely ratings are a user's first ones, on first and random ones of some users.

    Without times no ratings are taken for first ones.
    """
    if rows.times is None:
        return OrderLikelihood()
    generator = np.random.default_rng(seed)
    users = generator.permutation(np.flatnonzero(rows.sizes > _SIZES[0]))[:_MAX_USERS]
    features, in_time = [], []
    for user in users.tolist():
        times = rows.times[int(rows.starts[user]) : int(rows.starts[user + 1])]
        for n in (n for n in _SIZES if n < len(times)):
            for shown, is_first in ((times[:n], 1), (generator.choice(times, n, False), 0)):
                found = order_features(shown)
                if found is not None:
                    features.append(found)
                    in_time.append(is_first)
    if len(users) < _MIN_USERS or not features:
        return OrderLikelihood(unknown=_UNKNOWN)
    fitted = LogisticRegression().fit(np.array(features), np.array(in_time))
    (per_gap, per_size), (intercept,) = fitted.coef_[0].tolist(), fitted.intercept_.tolist()
    return OrderLikelihood(round(intercept, 6), round(per_gap, 6), round(per_size, 6), _UNKNOWN)
