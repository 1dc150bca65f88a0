"""User profiles: a user's facts with the rules of the same moment, and their source."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.state.rules import Rules
from marquee.domain.ratings import Ratings


@dataclass(frozen=True)
class Profile:
    """A user's facts and the rules of the same moment; `known` is False without the store."""

    facts: Ratings = field(default_factory=Ratings)
    rules: Rules = field(default_factory=Rules)
    known: bool = True


class Profiles(Protocol):
    """Source of profiles and rules."""

    async def read(self, user_id: int | None) -> Profile:
        """Return the facts of a user (None: nobody) and the rules; never raises."""
        ...

    async def movie_texts(self, user_id: int, movie_ids: Sequence[int]) -> dict[int, str]:
        """Return the ids that are strings of movies that a user rated, by number; never raises."""
        ...
