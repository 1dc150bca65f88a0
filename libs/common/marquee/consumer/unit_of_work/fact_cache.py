"""The facts of one partition as a unit of work sees them: read in batches, own changes included."""

from collections.abc import Iterable
from typing import Any

import orjson

from marquee.domain.movies import Movie, kept_movie
from marquee.domain.rating_sums import RatingSums
from marquee.domain.ratings import Ratings
from marquee.store.api import ReadRequest, ReadResult, Store
from marquee.store.keys import PartitionKeys


class FactCache:
    """Reads facts from the store at most once, and returns later changes of them."""

    def __init__(self, keys: PartitionKeys, store: Store) -> None:
        self._keys = keys
        self._store = store
        self._stored = ReadResult({}, {}, {})
        self._ratings: dict[int, Ratings] = {}
        self._movies: dict[int, Movie | None] = {}
        self._sums: dict[int, RatingSums] = {}
        self._rules: dict[int, bytes] = {}

    def prefetch(self, users: Iterable[int] = (), movies: Iterable[int] = ()) -> None:
        """Read the facts of users and movies (rows and sums) in one round trip."""
        names = [str(movie_id) for movie_id in movies]
        self._stored = self._store.read(
            ReadRequest(
                [self._keys.user(user_id) for user_id in users],
                {self._keys.movies: names, self._keys.sums: names} if names else None,
            )
        )

    def prefetch_users(self, user_ids: Iterable[int]) -> None:
        """Read the facts of users that were not read yet, in one round trip."""
        keys = [self._keys.user(user_id) for user_id in user_ids if user_id not in self._ratings]
        if missing := [key for key in keys if key not in self._stored.strings]:
            self._stored.strings.update(self._store.read(ReadRequest(missing)).strings)

    def ratings(self, user_id: int) -> Ratings:
        """Return a user's facts; change them only through `UnitOfWork.put_ratings`."""
        if user_id not in self._ratings:
            key = self._keys.user(user_id)
            if key not in self._stored.strings:
                self._stored.strings.update(self._store.read(ReadRequest([key])).strings)
            self._ratings[user_id] = Ratings.unpack(self._stored.strings[key])
        return self._ratings[user_id]

    def movie(self, movie_id: int) -> Movie | None:
        """Return a movie's row, None when there is none."""
        if movie_id not in self._movies:
            value = self._field(self._keys.movies, movie_id)
            self._movies[movie_id] = kept_movie(value) if value else None
        return self._movies[movie_id]

    def sums(self, movie_id: int) -> RatingSums:
        """Return the sums of this partition's ratings of a movie."""
        if movie_id not in self._sums:
            self._sums[movie_id] = RatingSums.unpack(self._field(self._keys.sums, movie_id))
        return self._sums[movie_id]

    def rules(self, movie_id: int) -> dict[str, Any]:
        """Return a movie's rules, `{"promotion": …, "block": …}`, empty when there are none."""
        changed = self._rules.get(movie_id)
        value = changed if changed is not None else self._field(self._keys.rules, movie_id)
        return dict(orjson.loads(value)) if value else {}

    def set_ratings(self, user_id: int, ratings: Ratings) -> None:
        """Let a user's facts be these from now on."""
        self._ratings[user_id] = ratings

    def set_movie(self, movie_id: int, movie: Movie | None) -> None:
        """Let a movie's row be this from now on; None removes it."""
        self._movies[movie_id] = movie

    def set_sums(self, movie_id: int, sums: RatingSums) -> None:
        """Let a movie's sums be these from now on."""
        self._sums[movie_id] = sums

    def set_rules(self, movie_id: int, value: bytes) -> None:
        """Let a movie's rules be these (JSON) from now on; no bytes: it has none."""
        self._rules[movie_id] = value

    def _field(self, key: str, movie_id: int) -> bytes | None:
        name = (key, str(movie_id))
        if name not in self._stored.fields:
            request = ReadRequest((), {key: [name[1]]})
            self._stored.fields.update(self._store.read(request).fields)
        return self._stored.fields[name]
