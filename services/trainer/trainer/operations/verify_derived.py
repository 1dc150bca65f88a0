"""Compares derived rows with what the serving model makes of the facts, within float tolerance.

Apart from the facts: rows may be missing for a moment after a step of an older version, and are
made anew at will. The parts of new movies (hybrid) depend on who came first, and are not compared.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from marquee.bus.api import TopicPartition
from marquee.consumer.derivation import movie_row
from marquee.domain.models import MODEL_SPECS
from marquee.domain.movies import Movie
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
    """What was found of the rows of one partition under the version that serves."""

    service: str
    partition: TopicPartition
    version: str
    complete: bool
    """Whether the partition's rows are marked as those of the version."""
    checked: int = 0
    missing: int = 0
    stale: int = 0
    """Rows that are not what the model makes of the facts."""

    @property
    def good(self) -> bool:
        return not self.missing and not self.stale


def verify_rows(settings: Settings, services: Sequence[str]) -> Iterator[RowsVerdict]:
    """Yield what was found, for the services that have a model and serve a version."""
    live = LiveReader(
        settings.redis_url.get_secret_value(), settings.namespace, settings.partitions
    )
    try:
        with_model = [name for name in services if name in MODEL_SPECS]
        live.scan(with_model)
        for service in with_model:
            yield from _service(settings, live, service)
    finally:
        live.close()


def _service(settings: Settings, live: LiveReader, service: str) -> Iterator[RowsVerdict]:
    keys = Keys(settings.namespace, service, settings.partitions)
    value = live.get(keys.model)
    if value is None:
        return
    published = ModelVersion.model_validate_json(value)
    load = model_class(service).load
    model = Registry(settings.registry).load(published.address, published.sha256, load)
    for topic in (MOVIES, RATINGS) if MODEL_SPECS[service].derives_user_rows else (MOVIES,):
        for of in keys.all(topic):
            cut = published.cut.get(str(of.partition), 0)
            held = live.read(of, published.version, cut)
            yield _verdict(service, held, model)


def _verdict(service: str, held: LivePartition, model: Any) -> RowsVerdict:
    partition, missing, stale = held.keys.partition, 0, 0
    if held.complete != model.version:
        return RowsVerdict(service, partition, model.version, False)
    made = _movie if partition.topic == MOVIES else _user
    for entity in held.changed:
        expected, found = made(held, model, entity), held.rows.get(str(entity))
        if found is None and expected is not None:
            missing += 1
        elif not _same(found, expected, partition.topic):
            stale += 1
    return RowsVerdict(service, partition, model.version, True, len(held.changed), missing, stale)


def _movie(held: LivePartition, model: Any, movie_id: int) -> bytes | None:
    value = held.facts.movies.get(movie_id)
    if value is None:
        return b""
    return movie_row(Movie.model_validate_json(value), model.sums(movie_id), model).pack()


def _user(held: LivePartition, model: Any, user_id: int) -> bytes | None:
    ratings = Ratings.unpack(held.facts.users.get(user_id))
    if not ratings.rated:
        return None
    code, cluster = model.encode(RatedMovies.of(ratings))
    return DerivedUserRow(cluster, code).pack()


def _same(found: bytes | None, expected: bytes | None, topic: str) -> bool:
    if not found or not expected:
        return found == expected
    if topic == MOVIES:
        a, b = DerivedMovieRow.unpack(found), DerivedMovieRow.unpack(expected)
        same = (a.genres, a.year, a.cluster) == (b.genres, b.year, b.cluster)
        return same and _close(a.vector, b.vector)
    c, d = DerivedUserRow.unpack(found), DerivedUserRow.unpack(expected)
    return c.cluster == d.cluster and _close(c.code, d.code)


def _close(a: Any, b: Any) -> bool:
    return a.shape == b.shape and np.allclose(a, b, rtol=TOLERANCE, atol=TOLERANCE)
