"""Sessions: facts of somebody who is not a user, from the ratings that travel with a request."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from gateway.api.schemas.requests import SessionRating
from marquee.domain.ratings import Ratings, half_stars

MAX_RATINGS = 1000
"""Newest ratings of a session that count: more of them change no list, and cost time."""


@dataclass(frozen=True)
class SessionHistory:
    """A session's facts with its newest ratings, and the movies of its older ones."""

    facts: Ratings
    older: frozenset[int] = frozenset()

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, in words; nothing if all ratings count."""
        if not self.older:
            return ()
        total = len(self.facts.rated) + len(self.older)
        return (f"the newest {MAX_RATINGS:,} of {total:,} ratings count",)


def session_history(ratings: Sequence[SessionRating], viewed: Sequence[int] = ()) -> SessionHistory:
    """Return the history of a session.

    Args:
        ratings: In the order given, or in that of their times where all have one; of several of one
            movie the last counts.
        viewed: Movies seen, newest last.
    """
    facts = Ratings(viewed=dict.fromkeys(viewed))
    for rating in _in_order(ratings):
        at = int(rating.at.timestamp()) if rating.at is not None else 0
        facts.rate(rating.movie_id, half_stars(rating.rating), at)
    older = frozenset(islice(facts.rated, max(0, len(facts.rated) - MAX_RATINGS)))
    if not older:
        return SessionHistory(facts)
    newest = {movie_id: half for movie_id, half in facts.rated.items() if movie_id not in older}
    return SessionHistory(replace(facts, rated=newest), older)


def _in_order(ratings: Sequence[SessionRating]) -> list[SessionRating]:
    timed = [(rating.at.timestamp(), rating) for rating in ratings if rating.at is not None]
    if len(timed) < len(ratings):
        return list(ratings)
    return [rating for _, rating in sorted(timed, key=lambda pair: pair[0])]
