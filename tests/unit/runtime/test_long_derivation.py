"""A derivation that takes long is seen to go on, chunk by chunk."""

from pathlib import Path
from typing import Any

import pytest

from marquee.bus.api import TopicPartition
from marquee.consumer.handlers.catalogue import MOVIE_HANDLERS
from marquee.consumer.handlers.restore import restore_facts
from marquee.consumer.model_versions import ModelProjection
from marquee.consumer.unit_of_work import UnitOfWork
from marquee.domain.movies import Movie
from marquee.events import MOVIES, ModelVersion
from marquee.store.keys import Keys
from marquee_testing.fakes.store import MemoryStore

KEYS = Keys("long", "tiny", 1)
WHERE = TopicPartition(MOVIES, 0)


class Tiny:
    """A model that is nothing but its version."""

    def __init__(self, directory: Path) -> None:
        self.version = directory.name


class Registry:
    """Gives out the version that an address names."""

    def load(self, address: str, _sha256: str, load: Any) -> Any:
        return load(Path(address))


def derive_rows(unit_of_work: UnitOfWork, model: Tiny) -> None:
    for movie_id in unit_of_work.movies:
        unit_of_work.put_row(model.version, movie_id, b"row")


def test_each_chunk_of_a_derivation_is_a_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marquee.consumer.model_versions.CHUNK", 10)
    store: Any = MemoryStore()
    unit_of_work = UnitOfWork(KEYS.of(WHERE), store)
    for movie_id in range(1, 36):
        unit_of_work.offset = movie_id - 1
        unit_of_work.put_movie(Movie(movie_id=movie_id, title="Film"))
    store.write(KEYS.of(WHERE), None, 35, unit_of_work.commands(0, 35))
    version = ModelVersion(name="tiny", version="v1", address="v1", sha256="0" * 64, cut={})
    store.values[KEYS.model] = version.model_dump_json().encode()
    projection: ModelProjection[Tiny] = ModelProjection(
        KEYS, store, Registry(), Tiny, MOVIE_HANDLERS, derive_rows, restore_facts, check_seconds=0.0
    )
    rows_at_each_sign: list[int] = []
    projection.progress = lambda: rows_at_each_sign.append(
        len(store.scan(KEYS.of(WHERE).rows("v1")))
    )
    projection.on_idle(frozenset({WHERE}))
    assert rows_at_each_sign == [10, 20, 30, 35]
    assert store.get(KEYS.of(WHERE).complete) == b"v1"
