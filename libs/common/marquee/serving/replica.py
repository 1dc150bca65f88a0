"""In-memory replica of a model service's rows: loaded once, then kept by update streams."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from marquee import telemetry
from marquee.domain.models import Versioned
from marquee.domain.rating_sums import RatingSums
from marquee.domain.ratings import Ratings
from marquee.errors import ArtifactError, ModelUnavailable
from marquee.events import MODELS, MOVIES, RATINGS, ModelVersion
from marquee.events.erasure import ErasureLists
from marquee.features.movie_table import MovieTable
from marquee.features.popularity import LivePopularity, MovieSums
from marquee.registry.registry import Registry
from marquee.serving.background_job import BackgroundJob
from marquee.serving.movie_rows import FoldRow, MovieTableWriter
from marquee.serving.progress import Progress
from marquee.serving.replica_reader import ReplicaReader, read_sums
from marquee.serving.update_stream import Tail, Update
from marquee.store.keys import Keys, PartitionKeys


class ServableModel(Versioned, Protocol):
    """A fitted model as an app uses it."""

    @property
    def half_life(self) -> float | None:
        """Half-life of likes in the trend of popularity that it reads, in days; None: none."""
        ...

    def movies(self) -> MovieTable:
        """Return a new table of the rows that the model was fitted with."""
        ...


SUMS_MAX_AGE_S = 0.5
"""For how long popularity by another service's sums may lag: they change with every rating. With
that of a result cache of the gateway it is one second."""

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
    published: ModelVersion | None = None


class _RowChange(NamedTuple):
    version: str
    keys: PartitionKeys
    movie_id: int
    value: bytes

    def put_into(self, rows: MovieTableWriter[Any]) -> None:
        """Put a movie's row, or the part of a partition of ratings."""
        if self.keys.partition.topic == MOVIES:
            rows.put(self.movie_id, self.value)
        else:
            rows.put_part(self.movie_id, self.keys.partition.partition, self.value)


class _PendingChanges:
    """Row changes that arrive while a new table is read, which may have missed them."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._changes: list[_RowChange] = []

    @asynccontextmanager
    async def collecting(self) -> AsyncIterator[None]:
        """Collect changes meanwhile; one table is read at a time."""
        async with self._lock:
            yield

    def clear(self) -> None:
        """Forget all changes: a table is about to be read from the start."""
        self._changes.clear()

    def add(self, change: _RowChange) -> None:
        """Keep a change if a table is being read."""
        if self._lock.locked():
            self._changes.append(change)

    def put_into(self, rows: MovieTableWriter[Any], version: str) -> None:
        """Apply the changes of a version to the table that was read."""
        for change in self._changes:
            if change.version == version:
                change.put_into(rows)


class ModelReplica(Generic[M]):
    """Follows a service's rows and published versions in Redis.

    States: no version yet (`serving` raises ModelUnavailable); serving a version, whose table
    follows every update. A published version is swapped in by a background job once all its rows
    are complete; the first one is served at once.
    """

    def __init__(
        self,
        keys: Keys,
        client: Any,
        registry: Registry,
        load: Callable[[Path], M],
        fold: FoldRow[M] | None = None,
        mask: MaskUsers[M] | None = None,
        sums_of: Keys | None = None,
    ) -> None:
        """Connect nothing yet; `start` begins to follow.

        Args:
            keys: of the service.
            client: asyncio client of Redis.
            registry: of the model versions.
            load: reads a model from a bundle's directory.
            fold: refines a movie's row by what its raters tell, if the service does that.
            mask: takes erased users out of a model, if it holds any.
            sums_of: of another service, whose rating sums tell popularity; None: its own do.
        """
        self._service, self._registry, self._load_model = keys.service, registry, load
        self._fold, self._mask = fold, mask
        self._reader, self._redis = ReplicaReader(keys, client), client
        self._sums, self._erased = MovieSums(), ErasureLists()
        self._serving: ServingState[M] | None = None
        self._pending = _PendingChanges()
        self._is_mask_outdated = False
        self._swap = BackgroundJob(self._try_swap)
        streams = [*self._reader.movies, *self._reader.ratings, *keys.all(MODELS)]
        self.tail = Tail(client, streams, self._load, self._apply)
        # A tail of its own, so that neither rows nor reads wait for another service.
        self._other_sums = [] if sums_of is None else sums_of.all(RATINGS)
        self._sums_tail = Tail(client, self._other_sums, self._load_sums, self._apply_sums)
        others = [self._sums_tail] if self._other_sums else []
        self._progress = Progress(self._row_streams, self.tail, *others)

    def start(self) -> None:
        """Begin to follow, in tasks of the event loop."""
        self.tail.start()
        if self._other_sums:
            self._sums_tail.start()

    async def close(self) -> None:
        """Stop following, and wait for a swap under way."""
        await asyncio.gather(self.tail.close(), self._sums_tail.close(), self._swap.close())

    @property
    def serving(self) -> ServingState[M]:
        """The state that answers now.

        Raises:
            ModelUnavailable: no version is loaded yet.
        """
        if self._serving is None:
            raise ModelUnavailable(f"{self._service}: no model version is loaded yet")
        return self._serving

    @property
    def positions(self) -> dict[str, int]:
        """Progress of the rows: `topic:partition` → next offset."""
        return self._progress.positions

    def state_document(self) -> dict[str, Any]:
        """Return the fields of `AppState`, of the state that has just answered."""
        live, half_life = self.serving.popularity, self.serving.model.half_life
        reads_popularity = live.is_known and (not self._other_sums or half_life is not None)
        return {
            "settled": self._progress.is_connected and not self._swap.is_pending,
            "lags": reads_popularity and live.lags,
            "entries": self._progress.entries,
        }

    async def passed(self, after: dict[str, int], seconds: float) -> bool:
        """Wait until the rows have passed positions, `topic:partition` → next offset."""
        followed = {str(keys.partition): keys.updates for keys in self._row_streams}
        wanted = {followed[name]: offset for name, offset in after.items() if name in followed}
        return await self.tail.passed(wanted, seconds)

    async def user(self, user_id: int) -> dict[str, Any]:
        """Return the derived features of a user: cluster, version, position."""
        return await self._reader.user_features(user_id, self.serving.model.version)

    async def facts(self, user_id: int) -> Ratings:
        """Return the service's facts of a user: ratings, views, dismissals."""
        return await self._reader.facts(user_id)

    @property
    def _row_streams(self) -> tuple[PartitionKeys, ...]:
        return (*self._reader.movies, *self._reader.ratings)

    async def _load(self) -> None:
        """Read the rows of the published version or of the serving one, and the own sums."""
        await self._reader.read_erasures(self._erased)
        if not self._other_sums:
            await read_sums(self._redis, self._reader.ratings, self._sums)
        async with self._pending.collecting():
            published = await self._reader.published()
            if published and (self._serving is None or await self._is_complete(published)):
                await self._serve(published)
            elif self._serving is not None:
                self._serving = await self._read_table(self._serving.model, self._serving.published)

    async def _is_complete(self, published: ModelVersion) -> bool:
        return await self._reader.is_complete(published)

    async def _serve(self, published: ModelVersion) -> None:
        """Serve a version; the serving one is read from the start, a damaged one is refused."""
        if self._serving is not None and self._serving.published == published:
            self._serving = await self._read_table(self._serving.model, published)
            return
        try:
            model = await asyncio.to_thread(self._open, published)
        except ArtifactError as error:
            telemetry.log.error("published version refused", detail=str(error))
            return
        former = None if self._serving is None else self._serving.model.version
        self._serving = await self._read_table(model, published)
        telemetry.show_model(self._service, former, published.version)
        telemetry.log.info("model serves", version=published.version)

    def _open(self, published: ModelVersion) -> M:
        model = self._registry.load(published.address, published.sha256, self._load_model)
        return self._masked(model, published)

    def _masked(self, model: M, published: ModelVersion) -> M:
        erased = self._erased.since(published.cut)
        return self._mask(model, erased) if self._mask is not None and erased else model

    async def _read_table(self, model: M, published: ModelVersion | None) -> ServingState[M]:
        """Return the state of a model with all its rows in Redis."""
        movies = model.movies()
        rows = MovieTableWriter(model, movies, self._fold)
        self._pending.clear()
        await self._reader.read_rows(rows, model.version)
        if self._fold is not None:
            await self._reader.read_parts(rows, model.version)
        self._pending.put_into(rows, model.version)
        max_age = SUMS_MAX_AGE_S if self._other_sums else 0.0
        popularity = LivePopularity(movies, self._sums, model.half_life, max_age=max_age)
        return ServingState(model, movies, popularity, rows, published)

    async def _load_sums(self) -> None:
        """Read the sums of the other service."""
        await read_sums(self._redis, self._other_sums, self._sums)
        if self._serving is not None:
            self._serving.popularity.reload()

    def _apply_sums(self, keys: PartitionKeys, update: Update) -> None:
        """Apply the sums in one entry of an update stream."""
        for name, value in update.values.items():
            kind, _, entity = name.partition(":")
            if kind == "sums":
                self._sums.put(keys.partition.partition, int(entity), RatingSums.unpack(value))
                if self._serving is not None:
                    self._serving.popularity.update(int(entity))

    def _apply(self, keys: PartitionKeys, update: Update) -> None:
        """Apply one entry of an update stream."""
        if not self._other_sums:
            self._apply_sums(keys, update)
        for name, value in update.values.items():
            kind, _, entity = name.partition(":")
            if kind == "part" or (kind == "row" and keys.partition.topic == MOVIES):
                self._put_row(_RowChange(update.version, keys, int(entity), value))
            elif kind == "erased":
                self._erased.put(keys.partition.partition, bytes.fromhex(entity), int(value))
                self._is_mask_outdated |= self._mask is not None
                self._swap.request()
            elif kind in ("model", "complete"):
                self._swap.request()

    def _put_row(self, change: _RowChange) -> None:
        self._pending.add(change)
        serving = self._serving
        if serving is not None and serving.model.version == change.version:
            change.put_into(serving.rows)
            serving.popularity.update(change.movie_id)

    async def _try_swap(self) -> None:
        """Swap in the published version if it is new and complete, beside following updates."""
        published = await self._reader.published()
        if self._is_mask_outdated:
            await self._mask_serving()
        serving = self._serving
        if published is None or (serving is not None and serving.published == published):
            return
        async with self._pending.collecting():
            if self._serving is None or await self._is_complete(published):
                await self._serve(published)

    async def _mask_serving(self) -> None:
        """Take users who were erased meanwhile out of the serving model."""
        async with self._pending.collecting():
            self._is_mask_outdated = False
            serving = self._serving
            if serving is not None and serving.published is not None:
                model = await asyncio.to_thread(self._masked, serving.model, serving.published)
                self._serving = replace(serving, model=model)
