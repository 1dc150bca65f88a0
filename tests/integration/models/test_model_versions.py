"""Published versions on a real Valkey: rows are re-derived first, then every app swaps."""

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import redis

from marquee.arrays import Vector, load_arrays, save_arrays
from marquee.bus.api import Bus, Outgoing, Published
from marquee.bus.redis.bus import RedisBus
from marquee.bus.topics import create_topics
from marquee.consumer.derivation import derive_all
from marquee.consumer.handlers.catalogue import MOVIE_HANDLERS
from marquee.consumer.handlers.profiles import USER_HANDLERS
from marquee.consumer.handlers.restore import restore_facts
from marquee.consumer.model_versions import ModelProjection
from marquee.consumer.worker import Worker
from marquee.domain.movies import Movie
from marquee.domain.ratings import RatedMovies
from marquee.events import (
    MODELS,
    MOVIES,
    RATINGS,
    Event,
    ModelPublished,
    ModelRolledBack,
    ModelVersion,
    MovieAdded,
    RatingAdded,
)
from marquee.features.movie_table import MovieTable
from marquee.registry.bundle import read_manifest, seal
from marquee.registry.registry import Registry
from marquee.serving.replica import ModelReplica
from marquee.serving.update_stream import connect
from marquee.snapshots.partition import PartitionSnapshot
from marquee.store.codec import DerivedUserRow
from marquee.store.keys import Keys
from marquee.store.redis import RedisStore
from marquee_testing.waiting import until_async

SERVICE, PARTITIONS = "tiny", 4


class Tiny:
    """A model of one number: a movie's vector is that number times its year."""

    half_life = None

    def __init__(self, version: str, factor: float) -> None:
        self.version, self.factor = version, np.float32(factor)

    @classmethod
    def load(cls, directory: Path) -> "Tiny":
        factor = load_arrays(directory / "factor.npz")["factor"]
        return cls(read_manifest(directory).version, float(factor[0]))

    def movies(self) -> MovieTable:
        known = [Movie(movie_id=1, title="Known", year=2000)]
        vectors = np.array([[self.factor * 2000]], np.float32)
        return MovieTable.of(known, vectors, np.zeros(1, np.int16))

    def row(self, movie: Movie, _: tuple[int, int, int]) -> tuple[Vector, int]:
        return np.array([self.factor * (movie.year or 0)], np.float32), 3

    def sums(self, _: int) -> tuple[int, int, int]:
        return 0, 0, 0

    def encode(self, rated: RatedMovies) -> tuple[Vector, int]:
        return np.array([self.factor * rated.stars.sum()], np.float32), len(rated.movie_ids)


class NoSnapshots:
    def read(self, _: object) -> PartitionSnapshot | None:
        return None


@dataclass
class System:
    bus: Bus
    url: str
    keys: Keys
    registry: "SealingRegistry"
    overlay: ModelReplica[Tiny]
    worker: Worker

    def release(self, folder: Path, factor: float, cut: dict[str, int] | None = None) -> str:
        folder.mkdir()
        save_arrays(folder / "factor.npz", factor=np.array([factor], np.float32))
        manifest = self.registry.add_sealed(folder, cut or {})
        self.publish(ModelPublished(data=self.version(manifest)))
        return manifest

    def version(self, version: str) -> ModelVersion:
        manifest = self.registry.manifest(SERVICE, version)
        return ModelVersion(
            name=SERVICE,
            version=version,
            address=self.registry.address(SERVICE, version),
            sha256=manifest.digest,
            cut=manifest.cut,
        )

    def publish(self, event: Event) -> Published:
        return self.bus.producer().publish([Outgoing.of(event)])[0]


class SealingRegistry(Registry):
    """A registry that seals what it takes in."""

    def add_sealed(self, folder: Path, cut: dict[str, int]) -> str:
        seal(folder, SERVICE, "test", cut=cut)
        return self.add(folder).version


@pytest.fixture
async def system(redis_url: str, namespace: str, tmp_path: Path) -> AsyncIterator[System]:
    bus, keys = RedisBus(redis_url, namespace), Keys(namespace, SERVICE, PARTITIONS)
    create_topics(bus, PARTITIONS)
    registry, store = SealingRegistry(tmp_path / "registry"), RedisStore(redis_url)
    projection = ModelProjection(
        keys,
        store,
        registry,
        Tiny.load,
        {**MOVIE_HANDLERS, **USER_HANDLERS},
        derive_all,
        restore_facts,
    )
    worker = Worker(keys, (MOVIES, RATINGS, MODELS), bus, store, NoSnapshots(), projection)
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    client = connect(redis_url)
    overlay = ModelReplica(keys, client, registry, Tiny.load)
    overlay.tail.start()
    yield System(bus, redis_url, keys, registry, overlay, worker)
    await overlay.close()
    stop.set()
    await asyncio.to_thread(thread.join, 60)
    await client.aclose()
    bus.close()


def movie(movie_id: int, year: int) -> MovieAdded:
    return MovieAdded(data=Movie(movie_id=movie_id, title=f"Film {movie_id}", year=year))


def vector(system: System, movie_id: int) -> float | None:
    movies = system.overlay.serving.movies
    row = movies.index(movie_id)
    return None if row < 0 else float(movies.vectors[row, 0])


def serves(system: System, version: str) -> bool:
    try:
        return system.overlay.serving.model.version == version
    except Exception:
        return False


async def test_a_new_movie_is_in_every_app_by_its_event_alone(
    system: System, tmp_path: Path
) -> None:
    first = system.release(tmp_path / "one", 1.0)
    await until_async(lambda: serves(system, first))
    system.publish(movie(77, 1990))
    await until_async(lambda: vector(system, 77) == 1990.0)
    assert vector(system, 1) == 2000.0


async def test_rows_that_came_after_the_cut_are_derived_anew_before_the_swap(
    system: System, tmp_path: Path
) -> None:
    first = system.release(tmp_path / "one", 1.0)
    await until_async(lambda: serves(system, first))
    system.publish(movie(77, 1990))
    await until_async(lambda: vector(system, 77) == 1990.0)
    second = system.release(tmp_path / "two", 2.0)
    await until_async(lambda: serves(system, second))
    assert vector(system, 77) == 3980.0
    system.publish(ModelRolledBack(data=system.version(first)))
    await until_async(lambda: serves(system, first))
    assert vector(system, 77) == 1990.0
    rows = [system.keys.movie(77).rows(version) for version in (first, second)]
    with redis.Redis.from_url(system.url) as client:
        assert [client.ttl(key) > 0 for key in rows] == [False, True]


async def test_a_partition_that_is_complete_while_the_app_looks_is_not_missed(
    system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = system.release(tmp_path / "one", 1.0)
    await until_async(lambda: serves(system, first))
    look, looks = system.overlay._is_complete, 0

    async def slow_look(published: ModelVersion) -> bool:
        nonlocal looks
        looks += 1
        seen = await look(published)
        while looks == 1 and not await look(published):
            await asyncio.sleep(0.005)
        return seen  # of before the partitions were derived, which is announced meanwhile

    monkeypatch.setattr(system.overlay, "_is_complete", slow_look)
    second = system.release(tmp_path / "two", 2.0)
    await until_async(lambda: serves(system, second))


async def test_a_movie_from_before_the_first_version_is_complete_when_the_version_comes(
    system: System, tmp_path: Path
) -> None:
    system.publish(movie(77, 1990))
    first = system.release(tmp_path / "one", 1.0)
    await until_async(lambda: serves(system, first) and vector(system, 77) == 1990.0)


async def test_a_version_whose_files_were_altered_is_refused_and_the_old_one_stays(
    system: System, tmp_path: Path
) -> None:
    first = system.release(tmp_path / "one", 1.0)
    await until_async(lambda: serves(system, first))
    (tmp_path / "two").mkdir()
    save_arrays(tmp_path / "two" / "factor.npz", factor=np.array([5], np.float32))
    second = system.registry.add_sealed(tmp_path / "two", {})
    altered = system.registry.path(SERVICE, second) / "factor.npz"
    announced = system.version(second)
    altered.write_bytes(altered.read_bytes() + b"x")
    system.publish(ModelPublished(data=announced))
    system.publish(movie(78, 1980))
    await until_async(lambda: vector(system, 78) == 1980.0)
    assert serves(system, first)
    health = system.worker.health
    await until_async(lambda: not health.ready)
    assert announced.address in health.stopped["work"]
    assert health.live
    third = system.release(tmp_path / "three", 3.0)
    await until_async(lambda: serves(system, third) and health.ready)


async def test_a_consumer_without_the_folder_of_models_says_that_it_cannot_work(
    system: System, tmp_path: Path
) -> None:
    health = system.worker.health
    system.publish(movie(77, 1990))
    await until_async(lambda: health.ready)
    (tmp_path / "one").mkdir()
    save_arrays(tmp_path / "one" / "factor.npz", factor=np.array([1.0], np.float32))
    announced = system.version(system.registry.add_sealed(tmp_path / "one", {}))
    elsewhere = tmp_path / "elsewhere"
    system.registry.path(SERVICE, announced.version).rename(elsewhere)
    system.publish(ModelPublished(data=announced))
    await until_async(lambda: "work" in health.stopped)
    assert not health.ready
    elsewhere.rename(system.registry.path(SERVICE, announced.version))
    await until_async(lambda: health.ready)


@pytest.mark.parametrize(
    "arrays",
    [{"of_another_layout": [1.0]}, {"factor": [5.0], "of_no_use": [np.nan]}],
    ids=["another layout", "not finite"],
)
async def test_a_version_that_this_code_cannot_read_is_refused_and_the_old_one_stays(
    system: System, tmp_path: Path, arrays: dict[str, list[float]]
) -> None:
    first = system.release(tmp_path / "one", 1.0)
    await until_async(lambda: serves(system, first))
    (tmp_path / "two").mkdir()
    np.savez(tmp_path / "two" / "factor.npz", **arrays)  # type: ignore[arg-type]
    second = seal(tmp_path / "two", SERVICE, "test").version
    shutil.copytree(tmp_path / "two", system.registry.path(SERVICE, second))  # add would refuse it
    system.publish(ModelPublished(data=system.version(second)))
    system.publish(movie(79, 1970))
    await until_async(lambda: vector(system, 79) == 1970.0)
    assert serves(system, first)


async def test_a_user_gets_a_code_and_a_cluster_from_his_rating_event(
    system: System, tmp_path: Path
) -> None:
    first = system.release(tmp_path / "one", 1.0)
    await until_async(lambda: serves(system, first))
    data = {"user_id": 9, "movie_id": 1, "rating": 4.5}
    system.publish(RatingAdded.model_validate({"data": data}))
    keys, store = system.keys.user(9), RedisStore(system.url)
    await until_async(lambda: b"9" in store.scan(keys.rows(first)))
    row = DerivedUserRow.unpack(store.scan(keys.rows(first))[b"9"])
    assert (row.cluster, row.code.tolist()) == (1, [4.5])
    assert (await system.overlay.user(9))["cluster"] == 1


async def test_an_app_that_missed_entries_reads_all_rows_anew(
    system: System, tmp_path: Path
) -> None:
    first = system.release(tmp_path / "one", 1.0)
    await until_async(lambda: serves(system, first))
    keys, store = system.keys.movie(5), RedisStore(system.url)
    position = store.position(keys) or 0
    row = b"\x00\x00\x00\x00\xc6\x07\x03\x00" + np.float32(7).tobytes()
    missed = [("HSET", keys.rows(first), "5", row)]
    store.write(keys, position, position + 1, missed)  # a step whose entry no app ever sees
    entry = ("XADD", keys.updates, "*", "from", position + 1, "to", position + 2, "version", "")
    store.write(keys, position + 1, position + 2, [entry])
    await until_async(lambda: vector(system, 5) == 7.0)


async def test_a_reader_waits_for_a_position_and_says_when_it_did_not_come(
    system: System, tmp_path: Path
) -> None:
    first = system.release(tmp_path / "one", 1.0)
    await until_async(lambda: serves(system, first))
    published = system.publish(movie(77, 1990))
    after = {str(published.partition): published.offset + 1}
    assert await system.overlay.passed(after, 5.0)
    assert vector(system, 77) == 1990.0
    assert not await system.overlay.passed({str(published.partition): published.offset + 2}, 0.05)
