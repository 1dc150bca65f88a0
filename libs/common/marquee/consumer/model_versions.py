"""A consumer's side of model versions: load what is published, re-derive rows, then say so."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from marquee import telemetry
from marquee.bus.api import TopicPartition
from marquee.consumer.unit_of_work import Handler, Handlers, UnitOfWork
from marquee.errors import ArtifactError
from marquee.events import MODELS, Event, ModelEvent, ModelPublished, ModelRolledBack, ModelVersion
from marquee.snapshots.partition import PartitionSnapshot
from marquee.store.api import Store
from marquee.store.keys import Keys

CHECK_SECONDS = 0.5
OLD_ROWS_SECONDS = 24 * 3600
"""How long the rows of the version before stay, for a rollback without a re-derivation."""
CHUNK = 256


class Versioned(Protocol):
    """A fitted model that knows its version."""

    @property
    def version(self) -> str:
        """The version's name."""
        ...


M = TypeVar("M", bound=Versioned)
DeriveRows = Callable[[UnitOfWork, M], None]
"""Puts the derived rows of the movies and users that a step changed."""


class Pointers(Store, Protocol):
    """A store that also reads single values, such as the pointer to the published version."""

    def get(self, key: str) -> bytes | None: ...


class Versions(Protocol):
    """Where the files of published versions are."""

    def load(self, address: str, sha256: str, load: Callable[[Path], M], /) -> M:
        """Return what `load` makes of a version's folder; ArtifactError: it is not as published."""
        ...


class ModelProjection(Generic[M]):
    """What a service with a model does with events: facts by its handlers, rows by its model."""

    def __init__(
        self,
        keys: Keys,
        store: Pointers,
        registry: Versions,
        load: Callable[[Path], M],
        handlers: Handlers,
        derive_rows: DeriveRows[M],
        restore: Callable[[UnitOfWork, PartitionSnapshot], None],
        check_seconds: float = CHECK_SECONDS,
    ) -> None:
        follow: dict[type[Event], Handler] = {
            ModelPublished: self._point,
            ModelRolledBack: self._point,
        }
        self.handlers: Handlers = {**handlers, **follow}
        self.restore = restore
        self._keys, self._store, self._registry = keys, store, registry
        self._load, self._derive_rows = load, derive_rows
        self._model: M | None = None
        self._published: ModelVersion | None = None
        self._refused: ModelVersion | None = None
        self._done: dict[TopicPartition, str] = {}
        self._checked = 0.0
        self._check_seconds = check_seconds
        self.progress: Callable[[], None] = lambda: None
        """Called between the chunks of a long derivation: whoever watches the loop sees it live."""

    def derive_rows(self, unit_of_work: UnitOfWork) -> str | None:
        """Derive rows under the loaded version; None while there is none."""
        partition, version = (
            unit_of_work.keys.partition,
            self._model.version if self._model else None,
        )
        if partition.topic == MODELS:
            return version
        if version is None or not self._is_done(unit_of_work, version):
            # Whichever version is marked as complete lacks what this step changes.
            unit_of_work.write("DEL", unit_of_work.keys.complete)
            if version is not None:
                unit_of_work.write("HSET", unit_of_work.keys.versions, version, "")
        if self._model is not None:
            self._derive_rows(unit_of_work, self._model)
        if unit_of_work.erasures:
            self._drop_others(unit_of_work, version)
        return version

    def _is_done(self, unit_of_work: UnitOfWork, version: str) -> bool:
        """Whether the rows are those of a version, and the store, which may have fallen back to a
        moment before the mark without losing an event, still says so."""
        partition = unit_of_work.keys.partition
        if self._done.get(partition) != version:
            return False
        if self._store.get(unit_of_work.keys.complete) != version.encode():
            del self._done[partition]
        return partition in self._done

    def _drop_others(self, unit_of_work: UnitOfWork, version: str | None) -> None:
        """Drop the rows of versions that do not serve: they may speak of a user erased now.

        A rollback to one derives its rows anew all the same.
        """
        for name in self._store.scan(unit_of_work.keys.versions):
            if (other := name.decode()) != version:
                unit_of_work.write("UNLINK", unit_of_work.keys.rows(other))
                unit_of_work.write("HDEL", unit_of_work.keys.versions, other)

    def assigned(self, partition: TopicPartition) -> None:
        """Take nothing for granted of a partition that others may have had."""
        self._done.pop(partition, None)

    def on_idle(self, partitions: frozenset[TopicPartition]) -> None:
        """Follow the published version, at most every `check_seconds`."""
        if time.monotonic() - self._checked < self._check_seconds:
            return
        self._checked = time.monotonic()
        self._follow()
        if self._model is not None:
            for partition in sorted(partitions):
                if partition.topic != MODELS and self._done.get(partition) != self._model.version:
                    self._rederive(partition, self._model)

    def _point(self, unit_of_work: UnitOfWork, event: ModelEvent) -> None:
        if event.data.name == self._keys.service:
            value = event.data.model_dump_json().encode()
            unit_of_work.write("SET", unit_of_work.keys.model, value)
            unit_of_work.announce("model", value)

    def _follow(self) -> None:
        value = self._store.get(self._keys.model)
        if value is None:
            return
        published = ModelVersion.model_validate_json(value)
        if self._published == published:
            return
        try:
            self._model = self._registry.load(published.address, published.sha256, self._load)
        except ArtifactError as error:
            if self._refused != published:
                telemetry.log.error("published version refused", detail=str(error))
            self._refused = published
            return
        self._published = published
        telemetry.log.info("model loaded", version=published.version)

    def _rederive(self, partition: TopicPartition, model: M) -> None:
        """Derive the rows of all that changed since the training cut, then mark the partition."""
        keys = self._keys.of(partition)
        position = self._store.position(keys)
        if position is None or position < 0 or self._published is None:
            return
        if self._store.get(keys.complete) == model.version.encode():
            self._done[partition] = model.version
            return
        cut = self._published.cut.get(str(partition), 0)
        changed = self._store.changed_since(keys, cut)
        for start in range(0, len(changed), CHUNK):
            unit_of_work = UnitOfWork(keys, self._store)
            unit_of_work.write("HSET", keys.versions, model.version, "")
            mark_changed(unit_of_work, changed[start : start + CHUNK])
            self._derive_rows(unit_of_work, model)
            self._store.write(keys, position, position, unit_of_work.rows(position, model.version))
            self.progress()
        self._finish(partition, position, model.version)

    def _finish(self, partition: TopicPartition, position: int, version: str) -> None:
        keys = self._keys.of(partition)
        held = {name.decode(): until for name, until in self._store.scan(keys.versions).items()}
        unit_of_work = UnitOfWork(keys, self._store)
        unit_of_work.write("SET", keys.complete, version)
        unit_of_work.announce("complete", version.encode())
        unit_of_work.write("HSET", keys.versions, version, "")
        unit_of_work.write(
            "PERSIST", keys.rows(version)
        )  # expiring since it was replaced, if rolled back
        now = time.time()
        for old in sorted(held.keys() - {version}):
            if held[old] == b"":
                unit_of_work.write("EXPIRE", keys.rows(old), OLD_ROWS_SECONDS)
                unit_of_work.write("HSET", keys.versions, old, int(now + OLD_ROWS_SECONDS))
            elif int(held[old]) < now:
                unit_of_work.write("HDEL", keys.versions, old)
        self._store.write(keys, position, position, unit_of_work.rows(position, version))
        self._done[partition] = version


def mark_changed(unit_of_work: UnitOfWork, ids: list[int]) -> None:
    """Name movies or users whose rows are to be derived anew, and read their facts at once."""
    if unit_of_work.keys.partition.topic == "movies":
        unit_of_work.prefetch((), ids)
        unit_of_work.movies.update(dict.fromkeys(ids))
    else:
        unit_of_work.prefetch(ids, ())
        unit_of_work.users.update(dict.fromkeys(ids))
