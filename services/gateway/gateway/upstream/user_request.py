"""A request of a user's list to a model service, in both forms in which it may be sent."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from marquee.domain.ratings import Ratings
from marquee.domain.recommendation import packed_request


def _rated_at(facts: Ratings) -> list[int]:
    return [facts.times.get(i, 0) for i in facts.rated] if facts.times else []


_FACTS: Mapping[str, Callable[[Ratings], list[Any]]] = {
    "ratings": lambda facts: [(i, half_stars / 2) for i, half_stars in facts.rated.items()],
    "rated_at": _rated_at,
    "viewed": lambda facts: list(facts.viewed),
    "dismissed": lambda facts: list(facts.dismissed),
}
"""Fields that the facts give."""


class UserRequest(Mapping[str, Any]):
    """The fields of a `RecommendRequest`; those of the facts are made when they are read.

    As a rule nobody reads them: the facts travel packed, as they are stored.
    """

    def __init__(self, options: Mapping[str, Any], facts: Ratings) -> None:
        """Take the parts.

        Args:
            options: The fields beside the user's facts.
            facts: The user's facts.
        """
        self._options, self._facts = options, facts

    def __getitem__(self, name: str) -> Any:
        made = _FACTS.get(name)
        return self._options[name] if made is None else made(self._facts)

    def __iter__(self) -> Iterator[str]:
        yield from self._options
        yield from _FACTS

    def __len__(self) -> int:
        return len(self._options) + len(_FACTS)

    def json(self) -> bytes:
        """Return it as JSON, which services of every release read."""
        return orjson.dumps(dict(self))

    def packed(self) -> bytes:
        """Return it with packed facts (`PACKED_REQUEST`)."""
        return packed_request(orjson.dumps(self._options), self._facts.packed)
