"""Reference model: facts computed from a log in the simplest way, compared with a store."""

import json
from typing import Any

from marquee.bus.api import Message, TopicPartition, dead_letter_topic
from marquee.domain.ids import parse_id
from marquee.domain.movies import Movie
from marquee.domain.rating_sums import RatingSums
from marquee.domain.ratings import Ratings
from marquee.events import MOVIES, RATINGS, Event, decode
from marquee.events.partitioning import partition_of
from marquee_testing.simulation.loop import Simulation
from marquee_testing.simulation.scenario import THROWING, USERS


class ReferenceModel:
    """The facts of a partition, computed from its whole log in the simplest way."""

    def __init__(self, partition: TopicPartition, log: list[Message], partitions: int) -> None:
        self.movies: dict[int, dict[str, Any]] = {}
        self.rules: dict[int, set[str]] = {}
        self.rated: dict[int, dict[int, int]] = {}
        self.viewed: dict[int, list[int]] = {}
        self.dismissed: dict[int, list[int]] = {}
        self.watchlists: dict[int, list[int]] = {}
        self.dead: set[int] = set()
        self._seen: set[str] = set()
        self._partitions = partitions
        for message in log:
            event = self._read(partition, message)
            if event is None:
                self.dead.add(message.offset)
            elif event.id not in self._seen:
                self._seen.add(event.id)
                self._apply(event.type, json.loads(message.value)["data"])

    def sums(self) -> dict[int, tuple[int, int, int]]:
        found: dict[int, tuple[int, int, int]] = {}
        for rated in self.rated.values():
            for movie, half in rated.items():
                n, positive, total = found.get(movie, (0, 0, 0))
                found[movie] = (n + 1, positive + (half >= 8), total + half)
        return found

    def _read(self, partition: TopicPartition, message: Message) -> Event | None:
        try:
            event = decode(message.value)
        except Exception:
            return None
        wrong = partition_of(event.key, self._partitions) != partition.partition
        if wrong or event.topic != partition.topic or message.key != event.key.encode():
            return None
        throws = event.key == "3" and f'"movie_id": {THROWING}'.encode() in message.value
        return None if throws else event

    def _apply(self, name: str, data: dict[str, Any]) -> None:
        if "user_id" in data:
            self._apply_to_user(name, data)
        else:
            self._apply_to_movie(name, data)

    def _apply_to_user(self, name: str, data: dict[str, Any]) -> None:
        user, movie = parse_id(data["user_id"]), parse_id(data.get("movie_id", 1))
        rated = self.rated.setdefault(user, {})
        viewed, dismissed = self.viewed.setdefault(user, []), self.dismissed.setdefault(user, [])
        watchlist = self.watchlists.setdefault(user, [])
        if name == "user.erased":
            for kept in (rated, viewed, dismissed, watchlist):
                kept.clear()
        elif name == "rating.added":
            rated[movie] = round(data["rating"] * 2)
        elif name == "rating.removed":
            rated.pop(movie, None)
        elif name == "movie.viewed":
            viewed[:] = [*(i for i in viewed if i != movie), movie]
        elif name == "movie.dismissed":
            dismissed[:] = dismissed if movie in dismissed else [*dismissed, movie]
        elif name in ("watchlist.added", "watchlist.removed"):
            watchlist[:] = [i for i in watchlist if i != movie]
            watchlist += [movie] if name == "watchlist.added" else []
        else:
            dismissed[:] = [i for i in dismissed if i != movie]

    def _apply_to_movie(self, name: str, data: dict[str, Any]) -> None:
        movie = parse_id(data["movie_id"])
        if name == "movie.added":
            self.movies[movie] = {"title": data["title"], "year": None}
        elif name == "movie.updated" and movie in self.movies:
            self.movies[movie]["year"] = data.get("year")
        elif name == "movie.removed":
            self.movies.pop(movie, None)
        elif name in ("movie.promoted", "movie.unpromoted"):
            self._rule(movie, "promotion", name == "movie.promoted")
        elif name in ("movie.blocked", "movie.unblocked"):
            self._rule(movie, "block", name == "movie.blocked")

    def _rule(self, movie: int, kind: str, holds: bool) -> None:
        rules = self.rules.setdefault(movie, set())
        (rules.add if holds else rules.discard)(kind)


def check(simulation: Simulation) -> None:
    """Compare the store with what the log says, and the update streams with the store."""
    for partition, log in simulation.log.messages.items():
        if partition.topic in (MOVIES, RATINGS):
            expected = ReferenceModel(partition, log, simulation.log.counts[partition.topic])
            _check_movies(simulation, partition, expected)
            _check_users(simulation, partition, expected)
            _check_dead(simulation, partition, expected.dead)
            _check_updates(simulation, partition, len(log))


def _check_movies(
    simulation: Simulation, partition: TopicPartition, expected: ReferenceModel
) -> None:
    keys, store = simulation.keys(partition), simulation.store
    movies = [Movie.model_validate_json(value) for value in store.scan(keys.movies).values()]
    _equal({f.movie_id: {"title": f.title, "year": f.year} for f in movies}, expected.movies)
    sums = {int(i): RatingSums.unpack(value).totals for i, value in store.scan(keys.sums).items()}
    _equal({i: three for i, three in sums.items() if three[0]}, expected.sums())
    rules = {int(i): set(json.loads(value)) for i, value in store.scan(keys.rules).items()}
    _equal(rules, {i: kinds for i, kinds in expected.rules.items() if kinds})


def _check_users(
    simulation: Simulation, partition: TopicPartition, expected: ReferenceModel
) -> None:
    keys, store = simulation.keys(partition), simulation.store
    for user_id in map(parse_id, USERS):
        found = Ratings.unpack(store.get(keys.user(user_id)))
        _equal(found.rated, expected.rated.get(user_id, {}))
        _equal(list(found.viewed), expected.viewed.get(user_id, []))
        _equal(list(found.dismissed), expected.dismissed.get(user_id, []))
        _equal(list(found.watchlist), expected.watchlists.get(user_id, []))


def _check_dead(simulation: Simulation, partition: TopicPartition, expected: set[int]) -> None:
    letters = simulation.log.messages[TopicPartition(dead_letter_topic(partition.topic), 0)]
    places = {message.headers["marquee-position"] for message in letters}
    of_this = {place for place in places if place.startswith(f"{partition}:")}
    _equal(of_this, {f"{partition}:{offset}" for offset in expected})


def _check_updates(simulation: Simulation, partition: TopicPartition, end: int) -> None:
    keys, at = simulation.keys(partition), 0
    told: dict[str, bytes] = {}
    for entry in simulation.store.values.get(keys.updates, []):
        _equal(int(entry[b"from"]) <= at, True)
        at = max(at, int(entry[b"to"]))
        told |= {name.decode(): value for name, value in entry.items()}
    _equal(at, end)
    for kind, key in (("sums", keys.sums), ("film", keys.movies), ("rules", keys.rules)):
        held = {name.decode(): value for name, value in simulation.store.scan(key).items()}
        said = {n[len(kind) + 1 :]: v for n, v in told.items() if n.startswith(f"{kind}:") and v}
        _equal(said, held)


def _equal(found: Any, expected: Any) -> None:
    assert found == expected, f"found {found}, expected {expected}"
