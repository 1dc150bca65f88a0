"""The routing rule: which route answers a user by the evidence about them, and its fallbacks."""

from collections.abc import Container
from dataclasses import dataclass

import numpy as np

from marquee.domain.likes import is_like
from marquee.domain.ratings import Ratings
from marquee.domain.recommendation import Route
from marquee.settings import Settings


@dataclass(frozen=True)
class Thresholds:
    """Numbers of ratings from which routes answer."""

    few: int = 5
    many: int = 20
    positive: int = 3

    @classmethod
    def of(cls, settings: Settings) -> "Thresholds":
        """Return the thresholds that the settings say."""
        return cls(settings.few_ratings, settings.many_ratings, settings.positive_ratings)


@dataclass(frozen=True)
class Evidence:
    """Evidence about a user: number of ratings, of likes among them, of viewed movies.

    `unknown`: movies rated or viewed that the catalogue does not have; no model can place them, so
    they count nowhere else.
    """

    ratings: int = 0
    positive: int = 0
    viewed: int = 0
    unknown: int = 0

    @classmethod
    def of(cls, facts: Ratings, catalogue: Container[int]) -> "Evidence":
        """Count a user's facts on the movies of a catalogue."""
        rated = [half for movie_id, half in facts.rated.items() if movie_id in catalogue]
        viewed = sum(movie_id in catalogue for movie_id in facts.viewed)
        unknown = len(facts.rated) + len(facts.viewed) - len(rated) - viewed
        positive = int(is_like(np.frombuffer(bytes(rated), np.uint8)).sum())
        return cls(len(rated), positive, viewed, unknown)


@dataclass(frozen=True)
class Decision:
    """The route for the evidence, and the reason in words."""

    route: Route
    reason: str
    evidence: Evidence


def decide(evidence: Evidence, thresholds: Thresholds) -> Decision:
    """Return the route for the evidence; exactly `few` (or `many`) ratings reach the threshold."""
    route, why = _rule(evidence, thresholds)
    return Decision(route, f"{_words(evidence)}{why}", evidence)


def chain(route: Route, evidence: Evidence) -> list[Route]:
    """Return `route` and its fallbacks in order, down to `popular`.

    `similar` needs a seed movie: a viewed one, or one rated above 3.5.
    """
    order = _CHAIN[_CHAIN.index(route) :]
    if evidence.viewed or evidence.positive:
        return list(order)
    return [fallback for fallback in order if fallback is not Route.SIMILAR]


_CHAIN = (Route.NEURAL, Route.USER_CLUSTER, Route.HYBRID, Route.SIMILAR, Route.POPULAR)


def _rule(evidence: Evidence, thresholds: Thresholds) -> tuple[Route, str]:
    if not evidence.ratings:
        return (Route.SIMILAR, "") if evidence.viewed else (Route.POPULAR, "")
    if evidence.ratings < thresholds.few:
        return Route.HYBRID, f": fewer than {thresholds.few} ratings"
    if evidence.positive < thresholds.positive:
        return Route.HYBRID, f": fewer than {thresholds.positive} positive ratings"
    if evidence.ratings < thresholds.many:
        return Route.USER_CLUSTER, f": {_enough(thresholds.few, thresholds.positive)}"
    return Route.NEURAL, f": {_enough(thresholds.many, thresholds.positive)}"


def _enough(ratings: int, positive: int) -> str:
    return f"{ratings} or more ratings, {positive} or more positive"


def _words(evidence: Evidence) -> str:
    known = _known_words(evidence)
    if not evidence.unknown:
        return known
    return f"{known}, {_count(evidence.unknown, 'film')} not in the catalogue"


def _known_words(evidence: Evidence) -> str:
    if evidence.ratings:
        return f"{_count(evidence.ratings, 'rating')}, {evidence.positive} positive"
    if evidence.viewed:
        return f"{_count(evidence.viewed, 'viewed film')}, no rating"
    return "no rating, no viewed film"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
