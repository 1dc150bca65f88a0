"""Reference fold of a log into facts: the checker's own simple code, on plain JSON."""

import json
import struct
from dataclasses import dataclass, field
from typing import Any

KNOWN = (
    "rating.added", "rating.removed", "movie.viewed", "movie.dismissed", "movie.restored",
    "watchlist.added", "watchlist.removed", "user.erased", "movie.added", "movie.updated",
    "movie.removed", "movie.promoted", "movie.unpromoted", "movie.blocked", "movie.unblocked",
)  # fmt: skip
POSITIVE = 8
"""Half stars."""
_HEAD, _SUMS = struct.Struct("<BIII"), struct.Struct("<III")


@dataclass(frozen=True)
class Sent:
    """A message as the log holds it."""

    partition: str
    offset: int
    value: bytes


@dataclass
class Person:
    """Facts of one user."""

    rated: dict[int, int] = field(default_factory=dict)
    viewed: list[int] = field(default_factory=list)
    dismissed: list[int] = field(default_factory=list)
    watchlist: list[int] = field(default_factory=list)


@dataclass
class World:
    """The facts of all partitions of one kind of log; `dead` are the places of dead letters."""

    movies: dict[int, dict[str, Any]] = field(default_factory=dict)
    rules: dict[int, dict[str, Any]] = field(default_factory=dict)
    people: dict[int, Person] = field(default_factory=dict)
    dead: set[str] = field(default_factory=set)
    events: dict[str, tuple[str, int, dict[str, Any]]] = field(default_factory=dict)
    """By id: partition and offset of the first time, and the event."""

    def follow(self, log: list[Sent]) -> None:
        """Apply the messages of one partition, in the order of the log."""
        for message in log:
            event = parsed(message.value)
            if event is None:
                self.dead.add(f"{message.partition}:{message.offset}")
            elif event["id"] not in self.events:
                self.events[event["id"]] = (message.partition, message.offset, event)
                self._apply(event["type"], event["data"])

    def sums(self) -> dict[int, list[int]]:
        """Return of each movie: ratings, positive ones, half stars."""
        found: dict[int, list[int]] = {}
        for person in self.people.values():
            for movie, half in person.rated.items():
                three = found.setdefault(movie, [0, 0, 0])
                three[0] += 1
                three[1] += half >= POSITIVE
                three[2] += half
        return found

    def _apply(self, name: str, data: dict[str, Any]) -> None:
        if "user_id" in data:
            person = self.people.setdefault(data["user_id"], Person())
            _tell(person, name, data)
        elif name in ("movie.added", "movie.updated", "movie.removed"):
            self._movie(name, data)
        else:
            kind = "promotion" if name.endswith("promoted") else "block"
            rules = self.rules.setdefault(data["movie_id"], {})
            rules.pop(kind, None)
            if not name.startswith("movie.un"):
                rules[kind] = data

    def _movie(self, name: str, data: dict[str, Any]) -> None:
        movie = data["movie_id"]
        if name == "movie.added":
            blank: dict[str, Any] = {"year": None, "genres": [], "tags": {}}
            self.movies[movie] = blank | {k: v for k, v in data.items() if v is not None}
        elif name == "movie.removed":
            self.movies.pop(movie, None)
        elif movie in self.movies:
            cleared = dict.fromkeys(data.get("cleared", ()))
            replaced = {k: v for k, v in data.items() if k != "cleared" and v is not None}
            self.movies[movie] |= cleared | replaced


def _tell(person: Person, name: str, data: dict[str, Any]) -> None:
    movie = data.get("movie_id", 0)
    if name == "user.erased":
        for kept in (person.rated, person.viewed, person.dismissed, person.watchlist):
            kept.clear()
    elif name == "rating.added":
        person.rated[movie] = round(data["rating"] * 2)
    elif name == "rating.removed":
        person.rated.pop(movie, None)
    elif name == "movie.viewed":
        person.viewed = [*(i for i in person.viewed if i != movie), movie]
    elif name == "movie.dismissed" and movie not in person.dismissed:
        person.dismissed.append(movie)
    elif name == "movie.restored":
        person.dismissed = [i for i in person.dismissed if i != movie]
    elif name in ("watchlist.added", "watchlist.removed"):
        person.watchlist = [i for i in person.watchlist if i != movie]
        person.watchlist += [movie] if name == "watchlist.added" else []


def parsed(value: bytes) -> dict[str, Any] | None:
    """Return an event, None for a message that no service can read."""
    try:
        event = json.loads(value)
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict) or event.get("type") not in KNOWN:
        return None
    data = event.get("data")
    if not isinstance(data, dict) or not event.get("id"):
        return None
    rating = data.get("rating", 1.0)
    return event if 0.5 <= rating <= 5.0 and rating * 2 == round(rating * 2) else None


def person_of(packed: bytes | None) -> Person:
    """Return the facts of a packed profile, by its published format."""
    if not packed:
        return Person()
    version, rated, viewed, dismissed = _HEAD.unpack_from(packed)
    if version != 1:
        raise ValueError(f"a profile of version {version}")
    at, columns = _HEAD.size, []
    for count, kind in ((rated, "I"), (rated, "B"), (viewed, "I"), (dismissed, "I")):
        columns.append(struct.unpack_from(f"<{count}{kind}", packed, at))
        at += struct.calcsize(f"<{count}{kind}")
    movies, halves, seen, unwanted = columns
    at += 4 * rated  # times, which are there wherever a watchlist is
    listed = struct.unpack_from(f"<{max(0, len(packed) - at) // 4}I", packed, at)
    rated_by_movie = dict(zip(movies, halves, strict=True))
    return Person(rated_by_movie, list(seen), list(unwanted), list(listed))


def sums_of(packed: bytes) -> list[int]:
    """Return a movie's sums over all time, by their published format."""
    return list(_SUMS.unpack_from(packed))
