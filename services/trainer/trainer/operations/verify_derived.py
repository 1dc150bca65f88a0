"""Verification of derived rows: compared with those that the serving model derives from the facts.

Rows are not facts: they may be missing for a moment after a unit of work of an older version, and
can be derived again at any time. The parts of new movies (hybrid) depend on the order of users, and
are not compared.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from marquee.bus.api import TopicPartition
from marquee.consumer.derivation import movie_row
from marquee.domain.models import MODEL_SPECS
from marquee.domain.movies import kept_movie
from marquee.domain.ratings import RatedMovies, Ratings
from marquee.events import MOVIES, RATINGS, ModelVersion
from marquee.registry.registry import Registry
from marquee.settings import Settings
from marquee.store.codec import DerivedMovieRow, DerivedUserRow
from marquee.store.keys import Keys
from trainer.models.classes import model_class
from trainer.operations.live_partition import LivePartition
from trainer.operations.live_reader import LiveReader

TOLERANCE = 1e-4


@dataclass(frozen=True)
class RowsVerdict:
    """The comparison of a partition's derived rows of the serving version."""

    service: str
    partition: TopicPartition
    version: str
    complete: bool
    """Whether the partition's rows are marked as those of the version."""
    checked: int = 0
    missing: int = 0
    stale: int = 0
    """Rows that differ from those that the model derives from the facts."""

    @property
    def good(self) -> bool:
        """Whether no row is missing or stale."""
        return not self.missing and not self.stale


def verify_rows(settings: Settings, services: Sequence[str]) -> Iterator[RowsVerdict]:
    """Yield a verdict for each partition of the services that serve a model version."""
    reader = LiveReader(settings.redis_address, settings.namespace, settings.partitions)
    try:
        with_model = [name for name in services if name in MODEL_SPECS]
        reader.scan(with_model)
        for service in with_model:
            yield from _service(settings, reader, service)
    finally:
        reader.close()


def _service(settings: Settings, reader: LiveReader, service: str) -> Iterator[RowsVerdict]:
    keys = Keys(settings.namespace, service, settings.partitions)
    value = reader.get(keys.model)
    if value is None:
        return
    published = ModelVersion.model_validate_json(value)
    load = model_class(service).load
    model = Registry(settings.registry).load(published.address, published.sha256, load)
    for topic in (MOVIES, RATINGS) if MODEL_SPECS[service].derives_user_rows else (MOVIES,):
        for partition_keys in keys.all(topic):
            cut = published.cut.get(str(partition_keys.partition), 0)
            live = reader.read(partition_keys, published.version, cut)
            yield _verdict(service, live, model)


def _verdict(service: str, live: LivePartition, model: Any) -> RowsVerdict:
    partition, missing, stale = live.keys.partition, 0, 0
    if live.complete != model.version:
        return RowsVerdict(service, partition, model.version, False)
    derive = _movie_row if partition.topic == MOVIES else _user_row
    for entity in live.changed:
        expected, stored = derive(live, model, entity), live.rows.get(str(entity))
        if stored is None and expected is not None:
            missing += 1
        elif not _equal(stored, expected, partition.topic):
            stale += 1
    return RowsVerdict(service, partition, model.version, True, len(live.changed), missing, stale)


def _movie_row(live: LivePartition, model: Any, movie_id: int) -> bytes | None:
    value = live.facts.movies.get(movie_id)
    if value is None:
        return b""
    return movie_row(kept_movie(value), model.sums(movie_id), model).pack()


def _user_row(live: LivePartition, model: Any, user_id: int) -> bytes | None:
    ratings = Ratings.unpack(live.facts.users.get(user_id))
    if not ratings.rated:
        return None
    code, cluster = model.encode(RatedMovies.of(ratings))
    return DerivedUserRow(cluster, code).pack()


def _equal(stored: bytes | None, expected: bytes | None, topic: str) -> bool:
    """Return whether two packed rows are equal, vectors within the tolerance."""
    if not stored or not expected:
        return stored == expected
    if topic == MOVIES:
        movie, expected_movie = DerivedMovieRow.unpack(stored), DerivedMovieRow.unpack(expected)
        return (
            movie.genres == expected_movie.genres
            and movie.year == expected_movie.year
            and movie.cluster == expected_movie.cluster
            and _close(movie.vector, expected_movie.vector)
        )
    user, expected_user = DerivedUserRow.unpack(stored), DerivedUserRow.unpack(expected)
    return user.cluster == expected_user.cluster and _close(user.code, expected_user.code)


def _close(a: Any, b: Any) -> bool:
    return a.shape == b.shape and np.allclose(a, b, rtol=TOLERANCE, atol=TOLERANCE)
