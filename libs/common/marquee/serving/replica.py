"""What a model service holds in memory: the serving version and the movie rows changed since."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from redis.exceptions import RedisError

from marquee import telemetry
from marquee.domain.models import Versioned
from marquee.domain.ratings import Ratings
from marquee.domain.recommendation import UserFeatures
from marquee.errors import ArtifactError, ModelUnavailable
from marquee.events import MODELS, MOVIES, RATINGS, ModelVersion
from marquee.events.erasure import ErasureLists
from marquee.features.movie_table import MovieTable
from marquee.features.popularity import LivePopularity, MovieSums
from marquee.registry.registry import Registry
from marquee.serving.movie_rows import FoldRow, MovieTableWriter
from marquee.serving.update_stream import RETRY_SECONDS, Tail, Update
from marquee.store.codec import DerivedUserRow, unpack_sums
from marquee.store.keys import Keys, PartitionKeys


class ServableModel(Versioned, Protocol):
    """A fitted model as an app uses it."""

    def movies(self) -> MovieTable:
        """Return a new table of the rows that the model was fitted with."""
        ...


M = TypeVar("M", bound=ServableModel)
MaskUsers = Callable[[M, frozenset[bytes]], M]
"""Returns a model without the users of these digests, who were erased after its training."""


@dataclass(frozen=True)
class ServingState(Generic[M]):
    """One model version with its movie rows; a swap replaces the whole by one assignment."""

    model: M
    movies: MovieTable
    popularity: LivePopularity
    rows: MovieTableWriter[M]


class ModelReplica(Generic[M]):
    """Follows a service's rows and published versions in Redis."""

    def __init__(
        self,
        keys: Keys,
        client: Any,
        registry: Registry,
        load: Callable[[Path], M],
        fold: FoldRow[M] | None = None,
        mask: MaskUsers[M] | None = None,
    ) -> None:
        self._keys, self._redis, self._registry, self._load_model = keys, client, registry, load
        self._fold, self._mask = fold, mask
        self._erased = ErasureLists()
        self._movies_of = keys.all(MOVIES)
        self._sums_of = keys.all(RATINGS)
        self._serving: ServingState[M] | None = None
        self._published: ModelVersion | None = None
        self._sums = MovieSums()
        self._swap: asyncio.Task[None] | None = None
        self._swap_wanted = False
        self._mask_wanted = False
        self._filling = asyncio.Lock()
        self._late: list[tuple[str, PartitionKeys, int, bytes]] = []
        self.tail = Tail(
            client, [*self._movies_of, *self._sums_of, *keys.all(MODELS)], self._load, self._apply
        )

    async def close(self) -> None:
        """Follow no more, and let a swap under way end."""
        await self.tail.close()
        if self._swap is not None:
            await asyncio.wait({self._swap})

    @property
    def serving(self) -> ServingState[M]:
        """What answers now; ModelUnavailable before the first version."""
        if self._serving is None:
            raise ModelUnavailable(f"{self._keys.service}: no model version is loaded yet")
        return self._serving

    @property
    def positions(self) -> dict[str, int]:
        """How far the rows have come: `topic:partition` → next offset."""
        every = (*self._movies_of, *self._sums_of)
        return {str(keys.partition): self.tail.position(keys) for keys in every}

    async def passed(self, after: dict[str, int], seconds: float) -> bool:
        """Wait until the rows have passed positions, `topic:partition` → next offset."""
        followed = {str(k.partition): k.updates for k in (*self._movies_of, *self._sums_of)}
        wanted = {followed[name]: offset for name, offset in after.items() if name in followed}
        return await self.tail.passed(wanted, seconds)

    async def user(self, user_id: int) -> dict[str, Any]:
        """Return what events have derived for a user: cluster, version, position."""
        keys, version = self._keys.user(user_id), self.serving.model.version
        pipe = self._redis.pipeline(transaction=False)
        pipe.hget(keys.rows(version), user_id)
        pipe.get(keys.position)
        row, position = await pipe.execute()
        cluster = DerivedUserRow.unpack(row).cluster if row else None
        return UserFeatures(
            user_id=user_id,
            cluster=cluster,
            model_version=version,
            position=None if position is None else int(position),
        ).model_dump()

    async def facts(self, user_id: int) -> Ratings:
        """Return what the service holds of a user's ratings, views and dismissals."""
        return Ratings.unpack(await self._redis.get(self._keys.user(user_id).user(user_id)))

    # --- reading all rows

    async def _load(self) -> None:
        """Read the sums and the rows of the serving version, or of the published one."""
        for keys in self._sums_of:
            fields = await self._redis.hgetall(keys.sums)
            rows = {int(movie_id): unpack_sums(value) for movie_id, value in fields.items()}
            self._sums.replace(keys.partition.partition, rows)
            listed = await self._redis.zrange(keys.erased, 0, -1, withscores=True)
            self._erased.replace(keys.partition.partition, {d: int(at) for d, at in listed})
        async with self._filling:
            published = await self._read_pointer()
            if published and (self._serving is None or await self._is_complete(published)):
                await self._serve(published)
            elif self._serving is not None:
                self._serving = await self._filled(self._serving.model)

    async def _read_pointer(self) -> ModelVersion | None:
        value = await self._redis.get(self._keys.model)
        return None if value is None else ModelVersion.model_validate_json(value)

    async def _is_complete(self, published: ModelVersion) -> bool:
        """Whether every partition's rows are complete under a version."""
        marks = await self._redis.mget([k.complete for k in (*self._movies_of, *self._sums_of)])
        return all(mark is not None and mark.decode() == published.version for mark in marks)

    async def _serve(self, published: ModelVersion) -> None:
        if self._published == published and self._serving is not None:
            self._serving = await self._filled(self._serving.model)
            return
        try:
            model = await asyncio.to_thread(self._open, published)
        except ArtifactError as error:
            telemetry.log.error("published version refused", detail=str(error))
            return
        self._serving = await self._filled(model)
        self._published = published
        service = self._keys.service
        telemetry.MODEL.clear()
        telemetry.MODEL.labels(service, published.version).set(1)
        telemetry.log.info("model serves", version=published.version)

    def _open(self, published: ModelVersion) -> M:
        model = self._registry.load(published.address, published.sha256, self._load_model)
        return self._masked(model, published)

    def _masked(self, model: M, published: ModelVersion) -> M:
        erased = self._erased.since(published.cut)
        return self._mask(model, erased) if self._mask is not None and erased else model

    async def _filled(self, model: M) -> ServingState[M]:
        movies = model.movies()
        rows = MovieTableWriter(model, movies, self._fold)
        self._late.clear()
        for keys in self._movies_of:
            found = await self._redis.hgetall(keys.rows(model.version))
            for movie_id, row in found.items():
                rows.put(int(movie_id), row)
        if self._fold is not None:
            await self._read_parts(rows, model.version)
        for version, keys, movie_id, value in self._late:  # came while the rows were read
            if version == model.version:
                _put(rows, keys, movie_id, value)
        return ServingState(model, movies, LivePopularity(movies, self._sums), rows)

    async def _read_parts(self, rows: MovieTableWriter[M], version: str) -> None:
        for keys in self._sums_of:
            async for name, part in self._redis.hscan_iter(keys.rows(version), "part:*"):
                rows.put_part(int(name[5:]), keys.partition.partition, part)

    # --- following

    def _apply(self, keys: PartitionKeys, update: Update) -> None:
        for name, value in update.values.items():
            kind, _, entity = name.partition(":")
            if kind == "part" or (kind == "row" and keys.partition.topic == MOVIES):
                self._put(keys, int(entity), value, update.version)
            elif kind == "sums":
                self._sums.put(keys.partition.partition, int(entity), unpack_sums(value))
                if self._serving is not None:
                    self._serving.popularity.update(int(entity))
            elif kind == "erased":
                self._erased.put(keys.partition.partition, bytes.fromhex(entity), int(value))
                self._look_for_swap(anew=self._mask is not None)
            elif kind in ("model", "complete"):
                self._look_for_swap()

    def _put(self, keys: PartitionKeys, movie_id: int, value: bytes, version: str) -> None:
        if self._filling.locked():
            self._late.append((version, keys, movie_id, value))
        serving = self._serving
        if serving is not None and serving.model.version == version:
            _put(serving.rows, keys, movie_id, value)
            serving.popularity.update(movie_id)

    def _look_for_swap(self, anew: bool = False) -> None:
        """Swap in the published version beside the following of updates, one swap at a time.

        `anew`: take the serving version once more, without users who were erased meanwhile.
        """
        self._swap_wanted = True
        self._mask_wanted |= anew
        if self._swap is None or self._swap.done():
            self._swap = asyncio.create_task(self._swap_while_wanted())

    async def _swap_while_wanted(self) -> None:
        # What is announced during a look may have come too late for it, hence another look.
        while self._swap_wanted and not self.tail.closed:
            self._swap_wanted = False
            try:
                await self._try_swap()
            except (RedisError, OSError):
                self._swap_wanted = True
                await asyncio.sleep(RETRY_SECONDS)

    async def _try_swap(self) -> None:
        published = await self._read_pointer()
        if self._mask_wanted:
            await self._mask_serving()
        if published is None or published == self._published:
            return
        async with self._filling:
            if self._serving is None or await self._is_complete(published):
                await self._serve(published)

    async def _mask_serving(self) -> None:
        async with self._filling:
            self._mask_wanted = False
            serving, published = self._serving, self._published
            if serving is not None and published is not None:
                model = await asyncio.to_thread(self._masked, serving.model, published)
                self._serving = replace(serving, model=model)


def _put(rows: MovieTableWriter[Any], keys: PartitionKeys, movie_id: int, value: bytes) -> None:
    """Put a movie's row, or the part of a partition of ratings."""
    if keys.partition.topic == MOVIES:
        rows.put(movie_id, value)
    else:
        rows.put_part(movie_id, keys.partition.partition, value)
