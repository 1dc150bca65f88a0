"""Model versions in a consumer: load the published one, re-derive rows, mark it complete."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from marquee import telemetry
from marquee.bus.api import TopicPartition
from marquee.consumer.unit_of_work import Handler, Handlers, UnitOfWork
from marquee.domain.models import Versioned
from marquee.errors import ArtifactError
from marquee.events import (
    MODELS,
    MOVIES,
    Event,
    ModelEvent,
    ModelPublished,
    ModelRolledBack,
    ModelVersion,
)
from marquee.snapshots.partition import PartitionSnapshot
from marquee.store.api import Store
from marquee.store.keys import Keys, PartitionKeys

CHECK_SECONDS = 0.5
"""How often the published version is looked up."""
OLD_ROWS_SECONDS = 24 * 3600
"""How long the rows of the previous version stay, for a rollback without a re-derivation."""
CHUNK = 256
"""Movies or users whose rows are re-derived in one unit of work."""

M = TypeVar("M", bound=Versioned)
DeriveRows = Callable[[UnitOfWork, M], None]
"""Puts the derived rows of the movies and users that a unit of work changed."""


class ModelStore(Store, Protocol):
    """A store that also reads single values, such as the pointer to the published version."""

    def get(self, key: str) -> bytes | None:
        """Return the value of a string, None when there is none."""
        ...


class VersionLoader(Protocol):
    """Gives access to the files of published versions."""

    def load(self, address: str, sha256: str, load: Callable[[Path], M], /) -> M:
        """Call `load` with a version's folder and return the model.

        Raises:
            ArtifactError: The folder differs from the published one, or is not valid.
        """
        ...


class ModelProjection(Generic[M]):
    """The projection of a service with a model: facts by its handlers, rows by its model."""

    def __init__(
        self,
        keys: Keys,
        store: ModelStore,
        registry: VersionLoader,
        load: Callable[[Path], M],
        handlers: Handlers,
        derive_rows: DeriveRows[M],
        restore: Callable[[UnitOfWork, PartitionSnapshot], None],
        check_seconds: float = CHECK_SECONDS,
    ) -> None:
        model_handlers: dict[type[Event], Handler] = {
            ModelPublished: self._set_published,
            ModelRolledBack: self._set_published,
        }
        self.handlers: Handlers = {**handlers, **model_handlers}
        self.restore = restore
        self._keys, self._store, self._registry = keys, store, registry
        self._load, self._derive = load, derive_rows
        self._model: M | None = None
        self._published: ModelVersion | None = None
        self._fault: str | None = None
        self._checked = 0.0
        self._check_seconds = check_seconds
        self.progress: Callable[[], None] = lambda: None
        """Called between the chunks of a long derivation, as a sign of life."""

    def derive_rows(self, unit_of_work: UnitOfWork) -> str | None:
        """Derive rows under the loaded version and return it, None while there is none."""
        partition, version = (
            unit_of_work.keys.partition,
            self._model.version if self._model else None,
        )
        if partition.topic == MODELS:
            return version
        if version is None or not self._is_complete(unit_of_work.keys, version):
            # Whichever version is marked as complete lacks the changes of this batch.
            unit_of_work.write("DEL", unit_of_work.keys.complete)
            if version is not None:
                unit_of_work.write("HSET", unit_of_work.keys.versions, version, "")
        if self._model is not None:
            self._derive(unit_of_work, self._model)
        if unit_of_work.erasures:
            self._drop_others(unit_of_work, version)
        return version

    def _is_complete(self, keys: PartitionKeys, version: str) -> bool:
        """Return whether all rows of the partition are those of a version.

        The mark in the store is the one authority: another consumer may have had the partition
        meanwhile, and a store may fall back to a moment before the mark without losing an event.
        """
        return self._store.get(keys.complete) == version.encode()

    def _drop_others(self, unit_of_work: UnitOfWork, version: str | None) -> None:
        """Drop the rows of versions that do not serve: they may describe a user erased now.

        A rollback to one of them derives its rows again.
        """
        for name in self._store.scan(unit_of_work.keys.versions):
            if (other := name.decode()) != version:
                unit_of_work.write("UNLINK", unit_of_work.keys.rows(other))
                unit_of_work.write("HDEL", unit_of_work.keys.versions, other)

    def on_idle(self, partitions: frozenset[TopicPartition]) -> str | None:
        """Load a newly published version and re-derive rows, at most every `check_seconds`.

        Returns:
            Why the published version cannot be loaded; None if it is, or there is none.
        """
        if time.monotonic() - self._checked < self._check_seconds:
            return self._fault
        self._checked = time.monotonic()
        self._load_published()
        if self._model is not None:
            for partition in sorted(partitions):
                if partition.topic != MODELS:
                    self._rederive(partition, self._model)
        return self._fault

    def _set_published(self, unit_of_work: UnitOfWork, event: ModelEvent) -> None:
        if event.data.name == self._keys.service:
            value = event.data.model_dump_json().encode()
            unit_of_work.write("SET", unit_of_work.keys.model, value)
            unit_of_work.announce("model", value)

    def _load_published(self) -> None:
        value = self._store.get(self._keys.model)
        if value is None:
            return
        published = ModelVersion.model_validate_json(value)
        if self._published == published:
            return
        try:
            self._model = self._registry.load(published.address, published.sha256, self._load)
        except ArtifactError as error:
            fault = f"{published.address}: {error}"
            if self._fault != fault:
                telemetry.log.error("published version refused", detail=fault)
            self._fault = fault
            return
        self._published, self._fault = published, None
        telemetry.log.info("model loaded", version=published.version)

    def _rederive(self, partition: TopicPartition, model: M) -> None:
        """Derive the rows of all changes since the training cut, then mark it complete.

        Nothing is left to do where it is marked.
        """
        keys = self._keys.of(partition)
        if self._published is None or self._is_complete(keys, model.version):
            return
        position = self._store.position(keys)
        if position is None or position < 0:
            return
        cut = self._published.cut.get(str(partition), 0)
        changed = self._store.changed_since(keys, cut)
        for start in range(0, len(changed), CHUNK):
            unit_of_work = UnitOfWork(keys, self._store)
            unit_of_work.write("HSET", keys.versions, model.version, "")
            _mark_changed(unit_of_work, changed[start : start + CHUNK])
            self._derive(unit_of_work, model)
            self._store.write(
                keys, position, position, unit_of_work.row_commands(position, model.version)
            )
            self.progress()
        self._mark_complete(partition, position, model.version)

    def _mark_complete(self, partition: TopicPartition, position: int, version: str) -> None:
        keys = self._keys.of(partition)
        expiries = {name.decode(): until for name, until in self._store.scan(keys.versions).items()}
        unit_of_work = UnitOfWork(keys, self._store)
        unit_of_work.write("SET", keys.complete, version)
        unit_of_work.announce("complete", version.encode())
        unit_of_work.write("HSET", keys.versions, version, "")
        unit_of_work.write(
            "PERSIST", keys.rows(version)
        )  # expiring since it was replaced, if rolled back
        now = time.time()
        for old in sorted(expiries.keys() - {version}):
            if expiries[old] == b"":
                unit_of_work.write("EXPIRE", keys.rows(old), OLD_ROWS_SECONDS)
                unit_of_work.write("HSET", keys.versions, old, int(now + OLD_ROWS_SECONDS))
            elif int(expiries[old]) < now:
                unit_of_work.write("HDEL", keys.versions, old)
        self._store.write(keys, position, position, unit_of_work.row_commands(position, version))


def _mark_changed(unit_of_work: UnitOfWork, ids: list[int]) -> None:
    """Mark movies or users as changed, so that their rows are derived; read their facts at once."""
    if unit_of_work.keys.partition.topic == MOVIES:
        unit_of_work.facts.prefetch((), ids)
        unit_of_work.movies.update(dict.fromkeys(ids))
    else:
        unit_of_work.facts.prefetch(ids, ())
        unit_of_work.users.update(dict.fromkeys(ids))
