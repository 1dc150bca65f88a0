"""Apps follow the rating sums of content, but neither wait for them nor need them."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from content.consumer import HANDLERS as CONTENT_HANDLERS
from marquee.consumer.handlers.by_service import handlers_of
from marquee.domain.movies import Movie
from marquee.domain.recommendation import RecommendRequest, Route
from marquee.events import MODELS, MOVIES, RATINGS, ModelVersion, RatingAdded
from marquee.features.movie_table import MovieTable
from marquee.features.popularity import Popularity
from marquee.serving.app import rank_candidates
from marquee.serving.replica import SUMS_MAX_AGE_S, ModelReplica
from marquee.store.keys import Keys
from marquee_testing.fakes.batches import BatchApplier
from marquee_testing.fakes.redis_client import MemoryClient
from marquee_testing.fakes.store import MemoryStore

OWN, CONTENT = Keys("t", "hybrid", 2), Keys("t", "content", 2)


class Tiny:
    """A model that remembers the popularity that it was given."""

    version = "v1"

    def __init__(self, _: Path, half_life: float | None = 60.0) -> None:
        self.half_life = half_life
        self.given: list[Popularity | None] = []

    def movies(self) -> MovieTable:
        known = [Movie(movie_id=i, title=f"F{i}") for i in (1, 2)]
        return MovieTable.of(known, np.zeros((2, 1), np.float32), np.zeros(2, np.int16))

    def recommend(self, _user, _movies, _mask, _k, popularity=None, /, *, diversity=0.0):  # noqa: ARG002
        self.given.append(popularity)
        return []


class Registry:
    def load(self, address: str, _sha256: str, load: Any) -> Any:
        return load(Path(address))


class System:
    """The stores of two services, and a replica of the one that follows the other's sums."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.content = BatchApplier(CONTENT, CONTENT_HANDLERS, store=self.store)
        self.own = BatchApplier(OWN, handlers_of("hybrid"), store=self.store)
        version = ModelVersion(name="hybrid", version="v1", address="v1", sha256="0" * 64)
        self.store.values[OWN.model] = version.model_dump_json().encode()
        for topic in (MOVIES, RATINGS, MODELS):
            for keys in OWN.all(topic):
                self.store.write(keys, None, 0, [])
        self.client: Any = MemoryClient(self.store)

    def replica(self, half_life: float | None = 60.0) -> ModelReplica[Any]:
        registry: Any = Registry()
        return ModelReplica(
            OWN, self.client, registry, lambda path: Tiny(path, half_life), sums_of=CONTENT
        )

    def rate(self, applier: BatchApplier, user_id: int, movie_id: int) -> None:
        data = {"user_id": user_id, "movie_id": movie_id, "rating": 5.0}
        applier.add(RatingAdded.model_validate({"data": data}))
        applier.write()
        self.client.note()


async def until(condition: Any) -> None:
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it did not come to that")


def counted(replica: ModelReplica[Any]) -> list[int]:
    """Return the number of ratings of each movie, without the popularity's age."""
    live = replica.serving.popularity
    live._max_age = 0.0
    counts: list[int] = live.now().n.tolist()
    return counts


def given(replica: ModelReplica[Any]) -> Popularity | None:
    rank_candidates(replica.serving, RecommendRequest(route=Route.HYBRID, k=3))
    popularity: Popularity | None = replica.serving.model.given[-1]
    return popularity


async def test_popularity_is_that_of_content_and_its_stream_is_followed() -> None:
    system = System()
    system.rate(system.content, 1, 1)
    replica = system.replica()
    replica.start()
    await until(lambda: replica.tail.connected and replica.serving.popularity.is_known)
    assert counted(replica) == [1, 0]
    popularity = given(replica)
    assert popularity is not None
    assert popularity.trend[0] > popularity.trend[1] - 1e-9
    system.rate(system.content, 2, 2)
    await until(lambda: counted(replica) == [1, 1])
    assert replica.serving.popularity.now().trend.tolist() == pytest.approx([0, 0])
    await replica.close()


async def test_neither_readiness_nor_a_read_depends_on_content() -> None:
    system = System()
    replica = system.replica()
    replica.start()
    await until(lambda: replica.tail.connected)
    assert replica.serving.model.version == "v1"
    assert given(replica) is None  # content has nothing: popularity is that of the training
    system.rate(system.own, 1, 1)
    place = str(OWN.user(1).partition)
    assert await replica.passed({place: 1}, 5.0)
    assert set(replica.positions) == {
        str(k.partition) for k in (*OWN.all(MOVIES), *OWN.all(RATINGS))
    }
    assert given(replica) is None
    await replica.close()


async def test_a_gap_in_the_stream_of_content_makes_its_sums_be_read_again_and_no_rows() -> None:
    system = System()
    system.rate(system.content, 1, 1)
    replica = system.replica()
    replica.start()
    await until(lambda: replica.tail.connected and replica.serving.popularity.is_known)
    rows = replica.serving.movies
    system.client.paused = True
    for user_id in range(2, 30):
        system.rate(system.content, user_id, 2)
    for keys in CONTENT.all(RATINGS):
        system.client.trim(keys.updates, 1)
    system.client.paused = False
    system.client.note()
    await until(lambda: counted(replica) == [1, 28])
    assert replica.serving.movies is rows
    await replica.close()


async def test_a_model_without_a_half_life_is_not_told_the_live_popularity() -> None:
    system = System()
    system.rate(system.content, 1, 1)
    replica = system.replica(half_life=None)
    replica.start()
    await until(lambda: replica.tail.connected and replica.serving.popularity.is_known)
    assert given(replica) is None
    assert counted(replica) == [1, 0]
    assert SUMS_MAX_AGE_S <= 1
    await replica.close()
