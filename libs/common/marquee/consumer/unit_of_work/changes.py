"""Unit of work: the facts and derived rows that a batch of one partition changes."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from marquee.consumer.unit_of_work.fact_cache import FactCache
from marquee.consumer.unit_of_work.update_entries import update_entries
from marquee.domain.ids import refuse_collision, string_of
from marquee.domain.movies import Movie
from marquee.domain.rating_sums import RatingSums
from marquee.domain.ratings import Ratings
from marquee.events import MOVIES, Event, MovieEvent, RatingEvent
from marquee.events.erasure import digest_of_user
from marquee.store.api import Command, Store
from marquee.store.keys import PartitionKeys


class UnitOfWork:
    """The writes of one batch, collected until `commands` turns them into one transaction.

    `offset` is that of the current event; facts that the event changes record it.
    """

    def __init__(self, keys: PartitionKeys, store: Store) -> None:
        self.keys = keys
        self.store = store
        self.facts = FactCache(keys, store)
        """The facts of the partition, changes of this unit of work included."""
        self.offset = -1
        self.since: float | None = None
        """Time of the oldest event in seconds since 1970, for a metric only."""
        self.users: dict[int, None] = {}
        """Users changed by this unit of work."""
        self.movies: dict[int, None] = {}
        """Movies changed by this unit of work."""
        self.erasures: dict[int, int] = {}
        """Users erased by this unit of work → offset, whether they came back in it or not."""
        self.audit_keys: dict[str, None] = {}
        """Sorted sets that got audit entries."""
        self._erased: set[int] = set()
        self._changed_sums: dict[int, None] = {}
        self._changed_at: dict[int, int] = {}
        self._movie_texts: dict[int, str] = {}
        self._commands: list[Command] = []
        self._updates: dict[str, bytes] = {}

    def put_ratings(self, user_id: int, ratings: Ratings) -> None:
        """Set a user's facts."""
        ratings.user = string_of(user_id) or ratings.user
        self.facts.set_ratings(user_id, ratings)
        self._erased.discard(user_id)
        self._mark_changed(self.users, user_id)

    def erase(self, user_id: int) -> None:
        """Remove a user's facts."""
        self.facts.set_ratings(user_id, Ratings())
        self._erased.add(user_id)
        self.erasures[user_id] = self.offset
        self._mark_changed(self.users, user_id)

    def put_erasure(self, digest: bytes, offset: int) -> None:
        """Add an erasure to the list, by the digest of the user's id."""
        self.write("ZADD", self.keys.erased, offset, digest)
        self.announce(f"erased:{digest.hex()}", str(offset).encode())

    def put_movie(self, movie: Movie) -> None:
        """Set a movie's row."""
        self.facts.set_movie(movie.movie_id, movie)
        self._mark_changed(self.movies, movie.movie_id)

    def remove_movie(self, movie_id: int) -> None:
        """Remove a movie's row."""
        self.facts.set_movie(movie_id, None)
        self._mark_changed(self.movies, movie_id)

    def put_movie_text(self, movie_id: int, text: str) -> None:
        """Keep the string that is a movie's id; it stays, whatever becomes of its ratings."""
        self._movie_texts[movie_id] = text

    def put_sums(self, movie_id: int, sums: RatingSums) -> None:
        """Set the sums of this partition's ratings of a movie."""
        self.facts.set_sums(movie_id, sums)
        self._changed_sums[movie_id] = None

    def put_rules(self, movie_id: int, rules: dict[str, Any]) -> None:
        """Set a movie's rules; empty removes them."""
        value = orjson.dumps(rules) if rules else b""
        self.facts.set_rules(movie_id, value)
        self.announce(f"rules:{movie_id}", value)
        if rules:
            self.write("HSET", self.keys.rules, movie_id, value)
        else:
            self.write("HDEL", self.keys.rules, movie_id)
        self.write("SET", self.keys.rules_version, self.offset)

    def put_audit(self, key: str, ms: int, entry: bytes) -> None:
        """Add an audit entry, or a receipt, to a sorted set, by its time in milliseconds."""
        self.audit_keys[key] = None
        self.write("ZADD", key, ms, entry)

    def put_row(self, version: str, entity: int, row: bytes) -> None:
        """Set a derived row under a model version; no bytes: the movie is removed."""
        self.write("HSET", self.keys.rows(version), entity, row)
        self._announce_row(entity, row)

    def drop_row(self, version: str, entity: int) -> None:
        """Remove the derived row of a movie or user under a model version."""
        self.write("HDEL", self.keys.rows(version), entity)
        self._announce_row(entity, b"")

    def announce(self, name: str, value: bytes) -> None:
        """Send the apps a changed value, through the update stream."""
        self._updates[name] = value

    def write(self, name: str, key: str, *arguments: bytes | str | int | float) -> None:
        """Add a command to the transaction."""
        self._commands.append((name, key, *arguments))

    def commands(self, start: int, end: int, version: str | None = None) -> list[Command]:
        """Return all writes, for a batch that goes from position `start` to `end`."""
        self._write_users()
        self._write_movies()
        self._write_sums()
        self._write_movie_texts()
        self._write_changed()
        return self._with_updates(start, end, version)

    def row_commands(self, position: int, version: str) -> list[Command]:
        """Return the writes of derived rows at a position, where no fact changes."""
        return self._with_updates(position, position, version)

    def _mark_changed(self, changed: dict[int, None], entity: int) -> None:
        changed[entity] = None
        self._changed_at[entity] = self.offset

    def _announce_row(self, entity: int, row: bytes) -> None:
        """Send the apps a movie's row; no app keeps users' rows, and a stream is not erased."""
        if self.keys.partition.topic == MOVIES:
            self.announce(f"row:{entity}", row)

    def _with_updates(self, start: int, end: int, version: str | None) -> list[Command]:
        head: list[bytes | str | int | float] = ["from", start, "to", end, "version", version or ""]
        if self.since is not None:
            head += ["since", self.since]
        for command in update_entries(self.keys.updates, head, self._updates):
            self._commands.append(command)
        return self._commands

    def _write_users(self) -> None:
        for user_id in self.users:
            if user_id in self._erased:
                self.write("DEL", self.keys.user(user_id))
            else:
                self.write("SET", self.keys.user(user_id), self.facts.ratings(user_id).pack())

    def _write_movies(self) -> None:
        for movie_id in self.movies:
            movie = self.facts.movie(movie_id)
            value = movie.model_dump_json().encode() if movie else b""
            if movie:
                self.write("HSET", self.keys.movies, movie_id, value)
            else:
                self.write("HDEL", self.keys.movies, movie_id)
            self.announce(f"film:{movie_id}", value)

    def _write_sums(self) -> None:
        for movie_id in self._changed_sums:
            value = self.facts.sums(movie_id).pack()
            self.write("HSET", self.keys.sums, movie_id, value)
            self.announce(f"sums:{movie_id}", value)

    def _write_movie_texts(self) -> None:
        """Write them by one command: films are rated many times in a batch."""
        pairs: list[int | str] = []
        for pair in self._movie_texts.items():
            pairs += pair
        if pairs:
            self.write("HSET", self.keys.movie_texts, *pairs)

    def _write_changed(self) -> None:
        for entity, offset in self._changed_at.items():
            if entity in self._erased:
                self.write("ZREM", self.keys.changed, entity)
            else:
                self.write("ZADD", self.keys.changed, offset, entity)
        for user_id, offset in self.erasures.items():
            self.put_erasure(digest_of_user(user_id), offset)


Handler = Callable[[UnitOfWork, Any], None]
"""Changes facts by one event; deterministic, and reads only the facts of the event's partition."""

Handlers = Mapping[type[Event], Handler]


def apply_event(unit_of_work: UnitOfWork, offset: int, event: Event, handlers: Handlers) -> None:
    """Change the facts by an event; an event of a type without handler changes nothing.

    Raises:
        IdCollision: Its user or movie has the same number inside as another one that is known.
    """
    unit_of_work.offset = offset
    if (handler := handlers.get(type(event))) is not None:
        _refuse_collisions(unit_of_work, event)
        handler(unit_of_work, event)


def _refuse_collisions(unit_of_work: UnitOfWork, event: Event) -> None:
    """Refuse the second of two texts with one number; a whole number is its own number."""
    if isinstance(event, RatingEvent) and (user_id := event.data.user_id) < 0:
        refuse_collision("user_id", user_id, unit_of_work.facts.ratings(user_id).user)
    elif isinstance(event, MovieEvent) and (movie_id := event.data.movie_id) < 0:
        known = unit_of_work.facts.movie(movie_id)
        refuse_collision("movie_id", movie_id, string_of(known.movie_id) if known else "")


def prefetch(unit_of_work: UnitOfWork, events: list[Event]) -> None:
    """Read the facts that the handlers of these events need, in one round trip."""
    users = {e.data.user_id: None for e in events if isinstance(e, RatingEvent)}
    movies = {e.data.movie_id: None for e in events if isinstance(e, MovieEvent)}
    unit_of_work.facts.prefetch(users, movies)
