"""The facts that each service keeps, with the handlers that maintain them."""

from collections.abc import Mapping
from dataclasses import dataclass

from marquee.consumer.handlers.catalogue import MOVIE_HANDLERS
from marquee.consumer.handlers.curation import RULE_HANDLERS
from marquee.consumer.handlers.movie_texts import USER_AND_TEXT_HANDLERS
from marquee.consumer.handlers.popularity import SUM_HANDLERS
from marquee.consumer.handlers.profiles import USER_HANDLERS
from marquee.consumer.unit_of_work import Handlers
from marquee.events import MOVIES, RATINGS


@dataclass(frozen=True, eq=False)
class FactSet:
    """The facts of a topic that a service keeps; services with the same facts share the object."""

    handlers: Handlers
    has_rules: bool = False
    """Whether it includes curators' rules, beside the movies."""
    has_marks: bool = False
    """Whether it includes viewed, dismissed and listed movies, beside the ratings."""
    has_sums: bool = False
    """Whether it includes rating sums by movie."""
    has_movie_texts: bool = False
    """Whether it includes the ids of users' movies that are strings."""


_MOVIES = FactSet(MOVIE_HANDLERS)
_MOVIES_AND_RULES = FactSet({**MOVIE_HANDLERS, **RULE_HANDLERS}, has_rules=True)
_USERS = FactSet(USER_HANDLERS, has_marks=True)
_USERS_AND_TEXTS = FactSet(USER_AND_TEXT_HANDLERS, has_marks=True, has_movie_texts=True)
_RATINGS_AND_SUMS = FactSet(SUM_HANDLERS, has_sums=True)

FACTS_BY_SERVICE: Mapping[str, Mapping[str, FactSet]] = {
    "gateway": {MOVIES: _MOVIES_AND_RULES, RATINGS: _USERS_AND_TEXTS},
    "content": {MOVIES: _MOVIES, RATINGS: _RATINGS_AND_SUMS},
    "hybrid": {MOVIES: _MOVIES, RATINGS: _USERS},
    "user-model": {MOVIES: _MOVIES, RATINGS: _USERS},
    "neural": {MOVIES: _MOVIES, RATINGS: _USERS},
    "trainer": {MOVIES: _MOVIES_AND_RULES, RATINGS: _USERS},
}
"""Service → topic → facts. The trainer keeps its facts in the history, not in Redis."""


def handlers_of(service: str) -> Handlers:
    """Return the handlers of all facts of a service."""
    return {
        event: handler
        for fact_set in FACTS_BY_SERVICE[service].values()
        for event, handler in fact_set.handlers.items()
    }
