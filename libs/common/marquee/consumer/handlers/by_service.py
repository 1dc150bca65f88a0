"""Which facts each service keeps: the handlers that make them, and what is in them."""

from collections.abc import Mapping
from dataclasses import dataclass

from marquee.consumer.handlers.catalogue import MOVIE_HANDLERS
from marquee.consumer.handlers.curation import RULE_HANDLERS
from marquee.consumer.handlers.popularity import SUM_HANDLERS
from marquee.consumer.handlers.profiles import USER_HANDLERS
from marquee.consumer.unit_of_work import Handlers
from marquee.events import MOVIES, RATINGS


@dataclass(frozen=True, eq=False)
class FactSet:
    """The facts of a topic that a service keeps; services with the same share the object."""

    handlers: Handlers
    rules: bool = False
    """Curators' rules beside the movies."""
    marks: bool = False
    """What was viewed and dismissed beside the ratings."""
    sums: bool = False
    """What the ratings sum up to, movie by movie."""


_MOVIES = FactSet(MOVIE_HANDLERS)
_MOVIES_AND_RULES = FactSet({**MOVIE_HANDLERS, **RULE_HANDLERS}, rules=True)
_USERS = FactSet(USER_HANDLERS, marks=True)
_RATINGS_AND_SUMS = FactSet(SUM_HANDLERS, sums=True)

FACTS_BY_SERVICE: Mapping[str, Mapping[str, FactSet]] = {
    "gateway": {MOVIES: _MOVIES_AND_RULES, RATINGS: _USERS},
    "content": {MOVIES: _MOVIES, RATINGS: _RATINGS_AND_SUMS},
    "hybrid": {MOVIES: _MOVIES, RATINGS: _USERS},
    "user-model": {MOVIES: _MOVIES, RATINGS: _USERS},
    "neural": {MOVIES: _MOVIES, RATINGS: _USERS},
    "trainer": {MOVIES: _MOVIES_AND_RULES, RATINGS: _USERS},
}
"""Service → topic → what it keeps. The trainer keeps its facts in the history, not in Redis."""


def handlers_of(service: str) -> Handlers:
    """Return the handlers of all facts of a service."""
    return {
        event: handler
        for kept in FACTS_BY_SERVICE[service].values()
        for event, handler in kept.handlers.items()
    }
