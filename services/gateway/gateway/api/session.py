"""Sessions: facts of somebody who is not a user, from the ratings that travel with a request."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeVar

from gateway.api.schemas.requests import SessionRating
from marquee.domain.ratings import Ratings, half_stars

MAX_FACTS = 1000
"""Newest ratings, and newest views, of a session that count: more change no list, and cost time."""
_Facts = TypeVar("_Facts")


@dataclass(frozen=True)
class SessionHistory:
    """A session's facts with its newest ratings and views, and the movies of its older ones."""

    facts: Ratings
    older: frozenset[int] = frozenset()
    notes: tuple[str, ...] = ()
    """What was left out, in words; nothing if all count."""


def session_history(ratings: Sequence[SessionRating], viewed: Sequence[int] = ()) -> SessionHistory:
    """Return the history of a session.

    Args:
        ratings: In the order given, or in that of their times where all have one; of several of one
            movie the last counts.
        viewed: Movies seen, newest last; of one that is told again the last counts.
    """
    facts = Ratings()
    for movie_id in viewed:
        facts.view(movie_id)
    for rating in _in_order(ratings):
        at = int(rating.at.timestamp()) if rating.at is not None else 0
        facts.rate(rating.movie_id, half_stars(rating.rating), at)
    rated, older_rated = _newest(facts.rated)
    seen, older_seen = _newest(facts.viewed)
    parts = (("ratings", facts.rated, older_rated), ("viewed films", facts.viewed, older_seen))
    notes = tuple(
        f"the newest {MAX_FACTS:,} of {len(all_facts):,} {what} count"
        for what, all_facts, older in parts
        if older
    )
    return SessionHistory(replace(facts, rated=rated, viewed=seen), older_rated | older_seen, notes)


def _newest(facts: dict[int, _Facts]) -> tuple[dict[int, _Facts], frozenset[int]]:
    """Return the newest facts by movie, and the movies of the older ones."""
    older = frozenset(islice(facts, max(0, len(facts) - MAX_FACTS)))
    return {i: fact for i, fact in facts.items() if i not in older} if older else facts, older


def _in_order(ratings: Sequence[SessionRating]) -> list[SessionRating]:
    timed = [(rating.at.timestamp(), rating) for rating in ratings if rating.at is not None]
    if len(timed) < len(ratings):
        return list(ratings)
    return [rating for _, rating in sorted(timed, key=lambda pair: pair[0])]
