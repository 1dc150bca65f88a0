"""Scenario: the messages that producers send to a simulated log, drawn from its seed."""

import json
from collections.abc import Callable
from typing import Any

from marquee.bus.api import Outgoing
from marquee.events import MOVIES, RATINGS
from marquee_testing.simulation.loop import Simulation

USERS: tuple[int | str, ...] = (1, 2, 3, "user:4")
MOVIE_IDS: tuple[int | str, ...] = (1, 2, 3, "tt4")
THROWING = 666
"""A rating of this movie is meant to make its handler throw."""


class Scenario:
    """Messages of producers, chosen by the seed: valid events, late duplicates, poison."""

    def __init__(self, simulation: Simulation) -> None:
        self._sim, self._random = simulation, simulation.faults.random
        self._sent: list[Outgoing] = []
        self._number = 0

    def send(self) -> None:
        """Send one more message."""
        kind = self._random.random()
        if kind < 0.1 and self._sent:
            self._sim.log.append([self._random.choice(self._sent)])
        elif kind < 0.2:
            self._sim.log.append(
                [self._poison()], self._random.randrange(self._sim.log.counts[MOVIES])
            )
        else:
            message = self._event()
            self._sim.log.append([message])
            self._sent.append(message)

    def _event(self) -> Outgoing:
        r = self._random
        user, movie = r.choice(USERS), r.choice(MOVIE_IDS)
        both: dict[str, Any] = {"user_id": user, "movie_id": movie}
        made: dict[str, Callable[[], dict[str, Any]]] = {
            "rating.added": lambda: both | {"rating": r.randint(1, 10) / 2},
            "rating.removed": lambda: both,
            "movie.viewed": lambda: both,
            "movie.dismissed": lambda: both,
            "movie.restored": lambda: both,
            "watchlist.added": lambda: both,
            "watchlist.removed": lambda: both,
            "user.erased": lambda: {"user_id": user},
            "movie.added": lambda: {"movie_id": movie, "title": f"T{r.randint(1, 9)}"},
            "movie.updated": lambda: {"movie_id": movie, **_change(r.randint(1990, 1999))},
            "movie.removed": lambda: {"movie_id": movie},
            "movie.promoted": lambda: {"movie_id": movie, "weight": float(r.randint(1, 9))},
            "movie.unpromoted": lambda: {"movie_id": movie},
            "movie.blocked": lambda: {"movie_id": movie},
            "movie.unblocked": lambda: {"movie_id": movie},
        }
        names = ["rating.added"] * 6 + list(made)
        name = r.choice(names)
        return self._message(name, made[name]())

    def _poison(self) -> Outgoing:
        kind = self._random.randint(0, 4)
        if kind == 0:
            return Outgoing(RATINGS, b"1", b'{"type": "rating.added", "data": {')
        if kind == 1:
            return Outgoing(MOVIES, b"1", b"\xff" * 9)
        if kind == 2:
            return self._message("rating.added", {"user_id": 1, "movie_id": 1, "rating": 7})
        if kind == 3:
            return self._message("rating.invented", {"user_id": 1})
        data = {"user_id": 3, "movie_id": THROWING, "rating": 1.0}
        return self._message("rating.added", data)

    def _message(self, name: str, data: dict[str, Any]) -> Outgoing:
        self._number += 1
        topic = MOVIES if name.startswith("movie.") and "user_id" not in data else RATINGS
        key = str(data["user_id" if topic == RATINGS else "movie_id"]).encode()
        about = {"specversion": "1.0", "id": str(self._number), "source": "story", "type": name}
        # Clocks of producers jump a year to and fro: an event's time never decides its place.
        time = f"{2025 + self._number % 3}-01-01T00:00:00Z"
        value = about | {"time": time, "data": data}
        return Outgoing(topic, key, json.dumps(value).encode())


def _change(year: int) -> dict[str, Any]:
    """Return a change of a movie's year; some take it away."""
    return {"year": year} if year < 1998 else {"cleared": ["year"]}
