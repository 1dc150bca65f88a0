"""An erased user on a real Valkey: gone from every store, and unknown to every older version."""

import asyncio
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import pytest
import redis

from hybrid.consumer import HANDLERS, derive_rows
from hybrid.fit import HybridConfig
from hybrid.fit import fit as fit_hybrid
from hybrid.model import Hybrid
from marquee.bus.api import Outgoing
from marquee.consumer.derivation import derive_all
from marquee.consumer.handlers.restore import restore_facts
from marquee.consumer.model_versions import ModelProjection
from marquee.consumer.worker import Worker
from marquee.domain.ids import GivenId, as_given, id_text
from marquee.domain.movies import Movie
from marquee.errors import NotFound
from marquee.events import (
    MODELS,
    MOVIES,
    RATINGS,
    ModelPublished,
    ModelRolledBack,
    ModelVersion,
    MovieAdded,
    MovieDismissed,
    MovieViewed,
    Rating,
    RatingAdded,
    UserErased,
    UserMovie,
    UserRef,
    WatchlistAdded,
)
from marquee.registry.bundle import seal
from marquee.registry.registry import Registry
from marquee.serving.replica import ModelReplica
from marquee.serving.update_stream import connect
from marquee.settings import Settings
from marquee.snapshots.source import StoredSnapshots
from marquee.store.redis import RedisStore
from marquee_testing import checkerboard, until
from marquee_testing.simulation.facts_system import PARTITIONS, SERVICES, FactsSystem
from marquee_testing.small_fits import SMALL_TASTE
from marquee_testing.waiting import until_async
from trainer.consumer import HistoryConsumer
from trainer.history.history import History
from trainer.operations.erasure import ErasureReceipts, StoreReceipt
from trainer.operations.verify import Verification
from trainer.operations.verify_derived import verify_rows
from user_model.erasure_mask import without
from user_model.fit import UserModelConfig
from user_model.fit import fit as fit_user_model
from user_model.model import UserModel

USER = 7_654_321_987
OTHER = 7_654_321_989
NEW = 500


def rating(user_id: int, movie_id: int, stars: float) -> RatingAdded:
    return RatingAdded(data=Rating(user_id=user_id, movie_id=movie_id, rating=stars))


def life(user_id: int) -> list[Any]:
    """Return what a user did: ratings (a movie that is new to all models too), and marks."""
    pair = UserMovie(user_id=user_id, movie_id=20)
    rated = [rating(user_id, movie_id, 4.5) for movie_id in (1, 3, 5, NEW)]
    marks = (MovieViewed, MovieDismissed, WatchlistAdded)
    return [*rated, *(kind(data=pair) for kind in marks)]


def erased(user_id: int) -> UserErased:
    return UserErased(data=UserRef(user_id=user_id))


def model_worker(system: FactsSystem, name: str) -> Worker:
    """Return a consumer with a model: hybrid or user-model."""
    store = RedisStore(system.settings.redis_url.get_secret_value())
    registry, keys = Registry(system.settings.registry), system.keys(name)
    load: Any = Hybrid.load if name == "hybrid" else UserModel.load
    made: Any = derive_rows if name == "hybrid" else derive_all
    projection: Any = ModelProjection(keys, store, registry, load, HANDLERS, made, restore_facts)
    snapshots = StoredSnapshots(system.settings.history)
    return Worker(keys, (MOVIES, RATINGS, MODELS), system.bus, store, snapshots, projection)


def release(system: FactsSystem, name: str, label: str) -> ModelVersion:
    """Fit, seal and publish a version of a model."""
    folder, registry = system.settings.state / f"{name}-{label}", Registry(system.settings.registry)
    fit_of(name).save(folder)
    seal(folder, name, label)
    manifest = registry.add(folder)
    version, address = manifest.version, registry.address(name, manifest.version)
    data = ModelVersion(name=name, version=version, address=address, sha256=manifest.digest)
    system.publish(ModelPublished(data=data))
    return data


def fit_of(name: str) -> Any:
    if name == "hybrid":
        return fit_hybrid(checkerboard(), HybridConfig(), 0)
    return fit_user_model(checkerboard(), UserModelConfig(taste=SMALL_TASTE, clusters=2), 0)


@contextmanager
def running(system: FactsSystem, history: History) -> Iterator[None]:
    """Run the consumers of all services, two of them with models, and of the history."""
    system.services = tuple(s for s in SERVICES if s not in ("hybrid", "user-model"))
    others = [model_worker(system, name).run for name in ("hybrid", "user-model")]
    others.append(HistoryConsumer(system.bus, history, seconds=0.05).run)
    with system.running(*others):
        system.services = SERVICES
        yield


def complete(system: FactsSystem, version: ModelVersion) -> None:
    """Wait until all rows are those of a version."""
    store = RedisStore(system.settings.redis_url.get_secret_value())
    keys = system.keys(version.name)
    every = [*keys.all(MOVIES), *keys.all(RATINGS)]
    wanted = {version.version.encode()}
    until(lambda: {store.get(k.complete) for k in every} == wanted)


def values(settings: Settings) -> Iterator[tuple[str, bytes]]:
    """Yield every byte string in Redis but those of the log, each with its key."""
    with redis.Redis.from_url(settings.redis_url.get_secret_value()) as client:
        for key in client.scan_iter(match=f"{settings.namespace}:*"):
            name = key.decode()
            if ":log:" in name:
                continue
            yield name, key
            kind = client.type(key)
            if kind == b"string":
                yield name, client.get(key)
            elif kind == b"hash":
                yield from ((name, part) for pair in client.hgetall(key).items() for part in pair)
            elif kind == b"zset":
                yield from ((name, member) for member in client.zrange(key, 0, -1))
            elif kind == b"stream":
                for _, fields in client.xrange(key):
                    yield from ((name, part) for pair in fields.items() for part in pair)


def places_of(settings: Settings, user_id: int) -> set[str]:
    """Return the keys of Redis, and the files of the history, in which a user's id is found."""
    texts = {str(user_id), id_text(user_id)}
    packed = (struct.pack("<q", user_id), struct.pack(">q", user_id))
    forms = (*(text.encode() for text in texts), *packed)
    found = {name for name, value in values(settings) if any(form in value for form in forms)}
    import pyarrow.parquet as pq

    for path in settings.history.rglob("*.parquet"):
        table = pq.read_table(path, partitioning=None)
        if any(text in str(column.to_pylist()) for column in table.columns for text in texts):
            found.add(path.name)
    return found


def receipt(settings: Settings, user_id: int, finish: bool = False) -> dict[str, StoreReceipt]:
    receipts = ErasureReceipts(settings)
    try:
        if finish:
            receipts.finish(user_id)
        return {place.store: place for place in receipts.receipt(user_id)}
    finally:
        receipts.close()


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("user", "other"),
    [(USER, OTHER), (GivenId("maria@example.org"), GivenId("peter@example.org"))],
    ids=["whole", "string"],
)
def test_no_byte_of_an_erased_user_is_left_in_redis_or_in_the_history(
    system: FactsSystem, settings: Settings, user: int, other: int
) -> None:
    history = History(settings.history, PARTITIONS)
    with running(system, history):
        system.publish(*(MovieAdded(data=Movie(movie_id=i, title=f"F{i}")) for i in (1, 3, NEW)))
        for name in ("hybrid", "user-model"):
            complete(system, release(system, name, "one"))
        system.wait(system.publish(*life(user), *life(other)))
        named = orjson.dumps(as_given(user))
        broken = b'{"type": "rating.added", "data": {"user_id": %b, "movie_id": ' % named
        system.bus.producer().publish([Outgoing(RATINGS, id_text(user).encode(), broken)])
        for name in ("hybrid", "user-model"):
            complete(system, release(system, name, "two"))
        assert len(places_of(settings, user)) > 10
        with pytest.raises(NotFound, match="was not erased"):
            receipt(settings, user)
        system.wait(system.publish(erased(user)))
    assert {name for name in places_of(settings, user) if "parquet" not in name} == set()
    before = receipt(settings, user)
    assert before["history"].since is None
    assert "next compaction" in before["history"].left
    assert before["dead letters"].left.startswith("1 dead letter:")
    after = receipt(settings, user, finish=True)
    assert places_of(settings, user) == set()
    assert len(places_of(settings, other)) > 10
    pending = {store: place.left for store, place in after.items() if place.since is None}
    assert pending.keys() == {"log", "versions: hybrid", "versions: user-model"}
    assert "2 trained before" in pending["versions: hybrid"]
    assert before["redis: gateway"].since == after["redis: gateway"].since is not None
    names = str(sorted(settings.state.rglob("erasures/*")))
    assert not any(text in names for text in (str(user), id_text(user)))
    assert 20 not in history.dataset()[0].movie_ids or user not in history.dataset()[0].user_ids


@pytest.mark.timeout(400)
def test_a_rollback_after_an_erasure_does_not_bring_the_user_back(
    system: FactsSystem, settings: Settings
) -> None:
    history = History(settings.history, PARTITIONS)
    with running(system, history):
        complete(system, first := release(system, "user-model", "one"))
        system.wait(system.publish(*life(USER), *life(OTHER)))
        complete(system, release(system, "user-model", "two"))
        system.wait(system.publish(erased(USER)))
        system.publish(ModelRolledBack(data=first))
        complete(system, first)
    assert {name for name in places_of(settings, USER) if "parquet" not in name} == set()
    verification = Verification(settings)
    assert [v for v in verification.run(SERVICES) if not v.equal] == []
    verification.close()


@pytest.mark.timeout(400)
def test_derived_rows_are_those_that_the_model_makes_and_a_damaged_one_is_counted(
    system: FactsSystem, settings: Settings
) -> None:
    history = History(settings.history, PARTITIONS)
    with running(system, history):
        versions = [release(system, name, "one") for name in ("hybrid", "user-model")]
        system.wait(system.publish(MovieAdded(data=Movie(movie_id=NEW, title="New")), *life(7)))
        for version in versions:
            complete(system, version)
    found = list(verify_rows(settings, SERVICES))
    assert [r.service for r in found] == ["hybrid"] * 2 + ["user-model"] * 4
    assert all(r.good and r.complete for r in found)
    assert sum(r.checked for r in found) == 3
    keys = system.keys("user-model")
    with redis.Redis.from_url(settings.redis_url.get_secret_value()) as client:
        client.hdel(keys.user(7).rows(versions[1].version), "7")
        row = bytearray(client.hget(keys.movie(NEW).rows(versions[1].version), str(NEW)))
        row[-1] ^= 0x42  # in the exponent of its last number
        client.hset(keys.movie(NEW).rows(versions[1].version), str(NEW), bytes(row))
    bad = [r for r in verify_rows(settings, SERVICES) if not r.good]
    assert sorted((r.partition.topic, r.missing, r.stale) for r in bad) == [
        (MOVIES, 0, 1),
        (RATINGS, 1, 0),
    ]


@pytest.mark.timeout(400)
async def test_a_running_app_forgets_a_user_of_its_training_and_so_does_one_that_starts_later(
    system: FactsSystem, settings: Settings
) -> None:
    client = connect(settings.redis_url.get_secret_value())
    registry, keys = Registry(settings.registry), system.keys("user-model")
    first, second = (
        ModelReplica(keys, client, registry, UserModel.load, mask=without) for _ in range(2)
    )
    system.services = ("user-model",)

    def knows(overlay: ModelReplica[UserModel]) -> bool:
        return 4 in overlay.serving.model.training.user_ids

    stop = threading.Event()
    thread = threading.Thread(target=model_worker(system, "user-model").run, args=(stop,))
    thread.start()
    try:
        version = await asyncio.to_thread(release, system, "user-model", "one")
        await asyncio.to_thread(complete, system, version)
        first.tail.start()
        await until_async(lambda: first._serving is not None)
        assert knows(first)
        await asyncio.to_thread(lambda: system.publish(erased(4)))
        await until_async(lambda: not knows(first))
        second.tail.start()
        await until_async(lambda: second._serving is not None)
        assert not knows(second)
    finally:
        stop.set()
        await asyncio.to_thread(thread.join, 60)
        await first.close()
        await second.close()
        await client.aclose()
