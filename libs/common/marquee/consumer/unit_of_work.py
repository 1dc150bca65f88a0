"""One step of a consumer: the facts and derived rows that a batch of one partition changes."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from marquee.domain.movies import Movie
from marquee.domain.ratings import Ratings
from marquee.events import (
    MOVIES,
    Event,
    MovieEvent,
    RatingEvent,
)
from marquee.events.erasure import digest_of_user
from marquee.store.api import Command, ReadRequest, ReadResult, Store
from marquee.store.codec import pack_sums, unpack_sums
from marquee.store.keys import PartitionKeys

UPDATES_KEPT = 10_000
"""Entries that a partition's update stream keeps, about; an app that falls behind reads anew."""

ENTRY_VALUES = 1000
"""Values of one entry; a step with more writes several, as Lua cannot pass on 8,000 arguments."""


class UnitOfWork:
    """The writes of one batch. What is read sees what was written before in the same step.

    `offset` is that of the event under way; facts that an event changes remember it.
    """

    def __init__(self, keys: PartitionKeys, store: Store) -> None:
        self.keys = keys
        self.store = store
        self.offset = -1
        self.since: float | None = None
        """When the oldest event of the step happened, in seconds since 1970, for a measure only."""
        self.users: dict[int, None] = {}
        """Users that this step changed."""
        self.movies: dict[int, None] = {}
        """Movies that this step changed."""
        self._found = ReadResult({}, {}, {})
        self._ratings: dict[int, Ratings] = {}
        self.erasures: dict[int, int] = {}
        """Users that this step erased → offset, whether they came back in it or not."""
        self._erased: set[int] = set()
        self._movie: dict[int, Movie | None] = {}
        self._sums: dict[int, tuple[int, int, int]] = {}
        self._touched_sums: dict[int, None] = {}
        self._commands: list[Command] = []
        self._changed: dict[int, int] = {}
        self._updates: dict[str, bytes] = {}

    # --- reading

    def prefetch(self, users: Iterable[int] = (), movies: Iterable[int] = ()) -> None:
        """Read the facts of users and movies (rows and sums) in one round trip."""
        names = [str(movie_id) for movie_id in movies]
        self._found = self.store.read(
            ReadRequest(
                [self.keys.user(user_id) for user_id in users],
                {self.keys.movies: names, self.keys.sums: names} if names else None,
            )
        )

    def ratings(self, user_id: int) -> Ratings:
        """Return a user's facts; change them only through `put_ratings`."""
        if user_id not in self._ratings:
            key = self.keys.user(user_id)
            if key not in self._found.strings:
                self._found.strings.update(self.store.read(ReadRequest([key])).strings)
            self._ratings[user_id] = Ratings.unpack(self._found.strings[key])
        return self._ratings[user_id]

    def read_users(self, user_ids: Iterable[int]) -> None:
        """Read the facts of users that were not read yet, in one round trip."""
        keys = [self.keys.user(user_id) for user_id in user_ids if user_id not in self._ratings]
        if missing := [key for key in keys if key not in self._found.strings]:
            self._found.strings.update(self.store.read(ReadRequest(missing)).strings)

    def movie(self, movie_id: int) -> Movie | None:
        """Return a movie's row, None when there is none."""
        if movie_id not in self._movie:
            value = self._field(self.keys.movies, movie_id)
            self._movie[movie_id] = Movie.model_validate_json(value) if value else None
        return self._movie[movie_id]

    def sums(self, movie_id: int) -> tuple[int, int, int]:
        """Return what this partition's ratings sum up to for a movie: n, positive, half stars."""
        if movie_id not in self._sums:
            self._sums[movie_id] = unpack_sums(self._field(self.keys.sums, movie_id))
        return self._sums[movie_id]

    def rules(self, movie_id: int) -> dict[str, Any]:
        """Return a movie's rules, `{"promotion": …, "block": …}`, empty when there are none."""
        key = f"rules:{movie_id}"
        held = self._updates.get(key)
        value = held if held is not None else self._field(self.keys.rules, movie_id)
        return dict(orjson.loads(value)) if value else {}

    def _field(self, key: str, movie_id: int) -> bytes | None:
        name = (key, str(movie_id))
        if name not in self._found.fields:
            self._found.fields.update(self.store.read(ReadRequest((), {key: [name[1]]})).fields)
        return self._found.fields[name]

    # --- writing facts

    def put_ratings(self, user_id: int, ratings: Ratings) -> None:
        """Set a user's facts."""
        self._ratings[user_id] = ratings
        self._erased.discard(user_id)
        self._touch(self.users, user_id)

    def erase(self, user_id: int) -> None:
        """Remove a user's facts."""
        self._ratings[user_id] = Ratings()
        self._erased.add(user_id)
        self.erasures[user_id] = self.offset
        self._touch(self.users, user_id)

    def note_erased(self, digest: bytes, offset: int) -> None:
        """Put an erasure on the list, by the digest of the user's id."""
        self.write("ZADD", self.keys.erased, offset, digest)
        self.announce(f"erased:{digest.hex()}", str(offset).encode())

    def put_movie(self, movie: Movie) -> None:
        """Set a movie's row."""
        self._movie[movie.movie_id] = movie
        self._touch(self.movies, movie.movie_id)

    def remove_movie(self, movie_id: int) -> None:
        """Remove a movie's row."""
        self._movie[movie_id] = None
        self._touch(self.movies, movie_id)

    def put_sums(self, movie_id: int, sums: tuple[int, int, int]) -> None:
        """Set what this partition's ratings sum up to for a movie."""
        self._sums[movie_id] = sums
        self._touched_sums[movie_id] = None

    def put_rules(self, movie_id: int, rules: dict[str, Any]) -> None:
        """Set a movie's rules; empty removes them."""
        value = orjson.dumps(rules) if rules else b""
        self._updates[f"rules:{movie_id}"] = value
        if rules:
            self.write("HSET", self.keys.rules, movie_id, value)
        else:
            self.write("HDEL", self.keys.rules, movie_id)
        self.write("SET", self.keys.rules_version, self.offset)

    def _touch(self, touched: dict[int, None], entity: int) -> None:
        touched[entity] = None
        self._changed[entity] = self.offset

    # --- writing derived rows

    def put_row(self, version: str, entity: int, row: bytes) -> None:
        """Set a derived row under a model version; no bytes: the movie is removed."""
        self.write("HSET", self.keys.rows(version), entity, row)
        self._announce_row(entity, row)

    def drop_row(self, version: str, entity: int) -> None:
        """Remove the derived row of a movie or user under a model version."""
        self.write("HDEL", self.keys.rows(version), entity)
        self._announce_row(entity, b"")

    def _announce_row(self, entity: int, row: bytes) -> None:
        """Tell the apps of a movie's row; no app keeps users' rows, and a stream is not erased."""
        if self.keys.partition.topic == MOVIES:
            self.announce(f"row:{entity}", row)

    def announce(self, name: str, value: bytes) -> None:
        """Tell the apps, in the update entry of this step."""
        self._updates[name] = value

    def write(self, name: str, key: str, *arguments: bytes | str | int | float) -> None:
        """Add a command to the step."""
        self._commands.append((name, key, *arguments))

    # --- what goes to the store

    def commands(self, start: int, end: int, version: str | None = None) -> list[Command]:
        """Return all writes of the step that goes from position `start` to `end`."""
        self._write_users()
        self._write_movies()
        self._write_sums()
        self._write_changed()
        return self._with_entry(start, end, version)

    def rows(self, position: int, version: str) -> list[Command]:
        """Return the writes of a step that changes no fact: derived rows at a position."""
        return self._with_entry(position, position, version)

    def _with_entry(self, start: int, end: int, version: str | None) -> list[Command]:
        head: list[bytes | str | int | float] = ["from", start, "to", end, "version", version or ""]
        if self.since is not None:
            head += ["since", self.since]
        values = list(self._updates.items())
        for at in range(0, max(1, len(values)), ENTRY_VALUES):
            entry = [part for value in values[at : at + ENTRY_VALUES] for part in value]
            trim = ("MAXLEN", "~", UPDATES_KEPT)
            self.write("XADD", self.keys.updates, *trim, "*", *head, *entry)
        return self._commands

    def _write_users(self) -> None:
        for user_id in self.users:
            if user_id in self._erased:
                self.write("DEL", self.keys.user(user_id))
            else:
                self.write("SET", self.keys.user(user_id), self._ratings[user_id].pack())

    def _write_movies(self) -> None:
        for movie_id in self.movies:
            movie = self._movie[movie_id]
            value = movie.model_dump_json().encode() if movie else b""
            if movie:
                self.write("HSET", self.keys.movies, movie_id, value)
            else:
                self.write("HDEL", self.keys.movies, movie_id)
            self.announce(f"film:{movie_id}", value)

    def _write_sums(self) -> None:
        for movie_id in self._touched_sums:
            value = pack_sums(self._sums[movie_id])
            self.write("HSET", self.keys.sums, movie_id, value)
            self.announce(f"sums:{movie_id}", value)

    def _write_changed(self) -> None:
        for entity, offset in self._changed.items():
            if entity in self._erased:
                self.write("ZREM", self.keys.changed, entity)
            else:
                self.write("ZADD", self.keys.changed, offset, entity)
        for user_id, offset in self.erasures.items():
            self.note_erased(digest_of_user(user_id), offset)


Handler = Callable[[UnitOfWork, Any], None]
"""Changes facts by one event; deterministic, reads only the facts of the step's partition."""


Handlers = Mapping[type[Event], Handler]


def prefetch(unit_of_work: UnitOfWork, events: list[Event]) -> None:
    """Read in one round trip what the handlers of these events will ask for."""
    users = {e.data.user_id: None for e in events if isinstance(e, RatingEvent)}
    movies = {e.data.movie_id: None for e in events if isinstance(e, MovieEvent)}
    unit_of_work.prefetch(users, movies)
