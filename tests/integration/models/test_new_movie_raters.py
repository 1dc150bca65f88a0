"""A new movie's factor follows its raters, from events alone, in every app of hybrid."""

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from hybrid.consumer import HANDLERS, derive_rows
from hybrid.fit import HybridConfig, fit
from hybrid.model import Hybrid
from marquee.bus.api import Bus, Outgoing, Published
from marquee.bus.redis.bus import RedisBus
from marquee.bus.topics import create_topics
from marquee.consumer.handlers.restore import restore_facts
from marquee.consumer.model_versions import ModelProjection
from marquee.consumer.worker import Worker
from marquee.domain.movies import Movie
from marquee.events import (
    MODELS,
    MOVIES,
    RATINGS,
    Event,
    ModelPublished,
    ModelVersion,
    MovieAdded,
    RatingAdded,
    RatingRemoved,
)
from marquee.registry.bundle import seal
from marquee.registry.registry import Registry
from marquee.serving.replica import ModelReplica
from marquee.serving.update_stream import connect
from marquee.snapshots.partition import PartitionSnapshot
from marquee.store.keys import Keys
from marquee.store.redis import RedisStore
from marquee_testing import checkerboard
from marquee_testing.small_fits import SMALL_TASTE
from marquee_testing.waiting import until_async

NEW = 999
CONFIG = HybridConfig(taste=SMALL_TASTE, dimensions=6, clusters=4, new_movie_penalty=1.0)


class NoSnapshots:
    def read(self, _: object) -> PartitionSnapshot | None:
        return None


@dataclass
class System:
    bus: Bus
    keys: Keys
    registry: Registry
    model: Hybrid
    overlay: ModelReplica[Hybrid]
    second: ModelReplica[Hybrid]
    folder: Path

    def publish(self, event: Event) -> Published:
        return self.bus.producer().publish([Outgoing.of(event)])[0]

    def release(self, name: str) -> str:
        self.model.save(self.folder / name)
        seal(self.folder / name, "hybrid", name)
        manifest = self.registry.add(self.folder / name)
        address = self.registry.address("hybrid", manifest.version)
        self.publish(ModelPublished(data=ModelVersion(
            name="hybrid", version=manifest.version, address=address, sha256=manifest.digest,
            cut={},
        )))  # fmt: skip
        return manifest.version

    def rate(self, user_id: int, movie_id: int, rating: float) -> Published:
        data = {"user_id": user_id, "movie_id": movie_id, "rating": rating}
        return self.publish(RatingAdded.model_validate({"data": data}))

    def likes(self, overlay: ModelReplica[Hybrid] | None = None) -> float | None:
        """Return how well the new movie's factor suits those who like the odd movies."""
        movies = (overlay or self.overlay).serving.movies
        if (row := movies.index(NEW)) < 0:
            return None
        liked = self.model.factors.items[movies.indexes([11, 13, 15, 17])]
        user = self.model.factors.fold_in(liked, np.full(len(liked), 10))
        return float(user @ movies.vectors[row, :4])


def serves(overlay: ModelReplica[Hybrid], version: str) -> bool:
    try:
        return overlay.serving.model.version == version
    except Exception:
        return False


@pytest.fixture
async def system(redis_url: str, namespace: str, tmp_path: Path) -> AsyncIterator[System]:
    bus, keys = RedisBus(redis_url, namespace), Keys(namespace, "hybrid", 4)
    create_topics(bus, 4)
    registry, store = Registry(tmp_path / "registry"), RedisStore(redis_url)
    projection = ModelProjection(
        keys, store, registry, Hybrid.load, HANDLERS, derive_rows, restore_facts
    )
    worker = Worker(keys, (MOVIES, RATINGS, MODELS), bus, store, NoSnapshots(), projection)
    stop, client = threading.Event(), connect(redis_url)
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    first, second = (
        ModelReplica(keys, client, registry, Hybrid.load, Hybrid.folded) for _ in range(2)
    )
    first.tail.start()
    yield System(bus, keys, registry, fit(checkerboard(), CONFIG, 0), first, second, tmp_path)
    await first.close()
    await second.close()
    stop.set()
    await asyncio.to_thread(thread.join, 60)
    await client.aclose()
    bus.close()


async def test_raters_move_a_new_movie_in_every_app_and_under_the_next_version(
    system: System,
) -> None:
    version = system.release("one")
    await until_async(lambda: serves(system.overlay, version))
    system.publish(MovieAdded(data=Movie(movie_id=NEW, title="New", year=2000)))
    await until_async(lambda: system.likes() is not None)
    predicted = system.likes()
    assert predicted is not None
    after: dict[str, int] = {}
    for user_id in range(1, 9):  # of several partitions
        for movie_id in (11, 13, 15, NEW):
            place = system.rate(user_id, movie_id, 5.0)
            after[str(place.partition)] = place.offset + 1
    assert await system.overlay.passed(after, 10.0)
    await until_async(lambda: (system.likes() or 0.0) > predicted + 0.01)

    system.second.tail.start()  # an app that starts later reads what the others were told
    await until_async(lambda: serves(system.second, version))
    await until_async(lambda: system.likes(system.second) == system.likes())

    moved = system.likes()
    assert moved is not None
    again = system.release("two")
    await until_async(lambda: serves(system.overlay, again))
    assert system.likes() == pytest.approx(moved)

    for user_id in range(1, 9):
        data = {"user_id": user_id, "movie_id": NEW}
        system.publish(RatingRemoved.model_validate({"data": data}))
    await until_async(lambda: system.likes() == predicted)
