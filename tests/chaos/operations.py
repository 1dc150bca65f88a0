"""Random operations of one writer, by a seed; its users and movies have no other writer."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

FIRST_USER, FIRST_MOVIE = 50_000_000, 1_500_000_000
USERS, MOVIES = 6, 3
"""How many users and new movies one writer has."""
GENRES = ("Action", "Comedy", "Drama", "Horror", "Romance", "Sci-Fi", "Thriller")
_WEIGHTS = {
    "rating.added": 60, "rating.removed": 8, "movie.viewed": 8, "movie.dismissed": 5,
    "movie.restored": 3, "watchlist.added": 5, "watchlist.removed": 2, "user.erased": 1,
    "movie.added": 4, "movie.updated": 4, "movie.removed": 1, "movie.blocked": 2,
    "movie.unblocked": 2, "movie.promoted": 2, "movie.unpromoted": 1,
}  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """Type and data of an event."""

    type: str
    data: dict[str, Any]


class Writer:
    """Endless operations of one writer: `known` movies stay, `ruled` ones get its rules.

    No other writer has its users, its new movies and the rules of its movies, so its writes must
    take effect in the order in which they are accepted.
    """

    def __init__(self, seed: str, number: int, known: list[int], ruled: list[int]) -> None:
        self.draw = random.Random(f"{seed} {number}")
        self._known, self._ruled = known, ruled
        self._users = [FIRST_USER + number * USERS + i for i in range(USERS)]
        self._movies = [FIRST_MOVIE + number * MOVIES + i for i in range(MOVIES)]

    def operation(self) -> Operation:
        """Return the next operation."""
        [name] = self.draw.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
        return Operation(name, self._data(name))

    def _data(self, name: str) -> dict[str, Any]:
        draw = self.draw
        if name in ("movie.added", "movie.updated", "movie.removed"):
            return self._movie(name, draw.choice(self._movies))
        user, movie = draw.choice(self._users), draw.choice(self._known)
        rule = {"movie_id": draw.choice(self._ruled), "actor": "chaos"}
        made: dict[str, Callable[[], dict[str, Any]]] = {
            "rating.added": lambda: {"rating": draw.randint(1, 10) / 2},
            "movie.blocked": lambda: rule | {"reason": f"r{draw.randrange(1000)}"},
            "movie.promoted": lambda: rule | {"weight": float(draw.randint(1, 9)), "slots": [3]},
            "movie.unblocked": lambda: rule,
            "movie.unpromoted": lambda: rule,
        }
        data = made.get(name, dict)()
        if name == "user.erased":
            return {"user_id": user}
        return data if "movie_id" in data else {"user_id": user, "movie_id": movie} | data

    def _movie(self, name: str, movie_id: int) -> dict[str, Any]:
        draw, data = self.draw, {"movie_id": movie_id}
        if name == "movie.removed":
            return data
        change = data | {"year": draw.randint(1950, 2020)}
        if name == "movie.updated":
            return change if change["year"] < 2010 else data | {"cleared": ["year"]}
        genres = sorted(draw.sample(GENRES, 2))
        return change | {"title": f"Chaos {draw.randrange(10**6)}", "genres": genres, "tags": {}}

    def poison(self) -> bytes:
        """Return a message that no service can read."""
        user = self.draw.choice(self._users)
        rating = {"user_id": user, "movie_id": self._known[0], "rating": 7.0}
        return self.draw.choice(
            (
                b'{"type": "rating.added", "data": {',
                b"\xff\xfe\x00",
                str({"type": "rating.added", "data": rating}).replace("'", '"').encode(),
                b'{"specversion": "1.0", "id": "x", "type": "rating.invented", "data": {}}',
                b'{"type": "rating.added", "data": {"rating": NaN}}',
                b"[" * 5000,
            )
        )
