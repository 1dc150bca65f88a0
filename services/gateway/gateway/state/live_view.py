"""Live view: catalogue and popularity sums in memory, kept up to date from the store."""

import asyncio
import contextlib
from typing import Any

from gateway.catalogue.catalogue import Catalogue, Row
from gateway.catalogue.popularity import PopularList
from gateway.state.changes import Changes
from gateway.state.consistency_token import Positions
from marquee.domain.rating_sums import RatingSums
from marquee.events import MOVIES, RATINGS
from marquee.features.popularity import MovieSums
from marquee.serving.replica_reader import read_sums
from marquee.serving.update_stream import Tail, Update
from marquee.store.keys import Keys, PartitionKeys


class LiveView:
    """Follows the gateway's own movies and positions, and the content service's rating sums."""

    def __init__(
        self, client: Any, own: Keys, content: Keys, changes: Changes | None = None
    ) -> None:
        """Connect nothing yet; `changes` are told of what the gateway's own streams have."""
        self._redis, self._changes = client, changes
        self._own = {keys.updates for keys in (*own.all(MOVIES), *own.all(RATINGS))}
        self._movies, self._users = own.all(MOVIES), own.all(RATINGS)
        self._sums_of = content.all(RATINGS)
        self._sums = MovieSums()
        self.catalogue = Catalogue()
        self.popular = PopularList(self.catalogue, self._sums)
        self._changed = asyncio.Event()
        streams = [*self._movies, *self._users, *self._sums_of]
        self.tail = Tail(client, streams, self._load, self._apply)

    async def passed(self, after: Positions, seconds: float) -> bool:
        """Return whether movies and profiles have passed `after`, waiting at most `seconds`."""
        streams = {str(keys.partition): keys.updates for keys in (*self._movies, *self._users)}
        targets = {streams[name]: offset for name, offset in after.items() if name in streams}
        return not targets or await self.tail.passed(targets, seconds)

    async def wait_for_movie(self, movie_id: int, seconds: float) -> bool:
        """Return whether a movie is in the catalogue, waiting at most `seconds` for it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.catalogue.get(movie_id) is None:
                    await self._changed.wait()
        return self.catalogue.get(movie_id) is not None

    @property
    def connected(self) -> bool:
        """Whether memory agrees with the store."""
        return self.tail.connected

    async def _load(self) -> None:
        """Load all movies and sums; changes made meanwhile arrive again by the tail."""
        texts: list[bytes] = []
        for keys in self._movies:
            texts += (await self._redis.hgetall(keys.movies)).values()
        rows = await asyncio.to_thread(lambda: [Row.parse(text) for text in texts])
        await read_sums(self._redis, self._sums_of, self._sums)
        self.catalogue.replace(rows)
        self._wake()
        if self._changes is not None:
            self._changes.missed()

    def _apply(self, keys: PartitionKeys, update: Update) -> None:
        for name, value in update.values.items():
            kind, _, entity = name.partition(":")
            if kind == "film":
                self._put(int(entity), value)
            elif kind == "sums":
                self._sums.put(keys.partition.partition, int(entity), RatingSums.unpack(value))
                self.popular.update(int(entity))
        if self._changes is not None and keys.updates in self._own:
            self._changes.apply(keys, update)

    def _put(self, movie_id: int, value: bytes) -> None:
        if value:
            self.catalogue.put(Row.parse(value))
        else:
            self.catalogue.remove(movie_id)
        self.popular.update(movie_id)
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
