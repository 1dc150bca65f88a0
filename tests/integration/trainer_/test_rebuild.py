"""`marquee rebuild` on a real Valkey: from nothing, beside consumers at work, and interrupted."""

import asyncio
import threading

import numpy as np
import pytest
import redis

from marquee.bus.api import TopicPartition
from marquee.domain.movies import Movie
from marquee.domain.ratings import Ratings
from marquee.errors import Conflict
from marquee.events import (
    MODELS,
    MOVIES,
    RATINGS,
    ModelPublished,
    ModelVersion,
    MovieAdded,
    MovieRef,
    MovieRemoved,
    Rating,
    RatingAdded,
)
from marquee.features.dataset import make_dataset
from marquee.serving.update_stream import Tail, connect
from marquee.settings import Settings
from marquee.store.redis import RedisStore
from marquee_testing import until
from marquee_testing.simulation.facts_system import (
    PARTITIONS,
    SERVICES,
    FactsSystem,
    empty,
    random_events,
)
from marquee_testing.waiting import until_async
from trainer.consumer import HistoryConsumer
from trainer.history.history import History
from trainer.operations.rebuild import Rebuilder, RebuiltPartition
from trainer.operations.verify import Verification


def settled(system: FactsSystem, history: History, seed: int, n: int = 500) -> None:
    with system.running(HistoryConsumer(system.bus, history, seconds=0.05).run):
        system.wait(system.publish(*random_events(seed, n, strings=True)))


def rebuild(settings: Settings, replace: bool = False) -> list[RebuiltPartition]:
    rebuilding = Rebuilder(settings)
    try:
        return list(rebuilding.run(SERVICES, replace))
    finally:
        rebuilding.close()


def unequal(settings: Settings) -> list[str]:
    verification = Verification(settings)
    try:
        found = list(verification.run(SERVICES))
    finally:
        verification.close()
    assert len(found) == len(SERVICES) * 2 * PARTITIONS
    return [f"{v.service} {v.partition} {v.differing} {v.note}" for v in found if not v.equal]


def positions(system: FactsSystem, service: str = "gateway") -> dict[str, int | None]:
    store = RedisStore(system.settings.redis_url.get_secret_value())
    every = [k for topic in (MOVIES, RATINGS) for k in system.keys(service).all(topic)]
    return {str(k.partition): store.position(k) for k in every}


def movie_texts(system: FactsSystem) -> dict[bytes, bytes]:
    store = RedisStore(system.settings.redis_url.get_secret_value())
    found: dict[bytes, bytes] = {}
    for keys in system.keys("gateway").all(RATINGS):
        found |= store.scan(keys.movie_texts)
    return found


def test_an_empty_redis_is_filled_from_snapshot_and_log_up_to_the_end_of_the_log(
    system: FactsSystem, history: History, settings: Settings
) -> None:
    settled(system, history, 1)
    history.compact()
    settled(system, history, 2)
    before, texts = positions(system), movie_texts(system)
    empty(settings)
    done = rebuild(settings)
    assert {str(r.partition): r.position for r in done} == before == positions(system)
    assert unequal(settings) == []
    # Those that no user's facts need any more may be gone.
    assert set() < movie_texts(system).items() <= texts.items()


@pytest.mark.parametrize("way", ["append", "replace"])
def test_a_data_set_that_is_imported_later_counts_after_a_rebuild(
    system: FactsSystem, history: History, settings: Settings, way: str
) -> None:
    settled(system, history, 6)
    users, movies = np.array([1, 1, 900]), np.array([1, 9001, 9001])
    halves, times = np.array([1, 9, 7], np.uint8), np.full(3, 4_000_000_000)
    films = [Movie(movie_id=i, title="Later") for i in (1, 9001)]
    data = make_dataset(users, movies, halves, times, films)
    if way == "append":
        history.append_dataset(data)
    else:
        history.replace_dataset(data, loses_events=True)
    rebuild(settings, replace=True)
    assert unequal(settings) == []
    store = RedisStore(settings.redis_url.get_secret_value())
    packed = store.get(system.keys("gateway").user(900).user(900))
    assert Ratings.unpack(packed).rated == {9001: 7}
    settled(system, history, 7, 100)  # and events go on
    assert unequal(settings) == []


def test_a_late_duplicate_after_a_rebuild_is_still_dropped(
    system: FactsSystem, history: History, settings: Settings
) -> None:
    first, second = (RatingAdded(data=Rating(user_id=1, movie_id=1, rating=r)) for r in (2.0, 5.0))
    with system.running(HistoryConsumer(system.bus, history, seconds=0.05).run):
        system.wait(system.publish(first, second))
    history.compact()
    empty(settings)
    rebuild(settings)
    with system.running():
        system.wait(system.publish(first))
    store = RedisStore(settings.redis_url.get_secret_value())
    packed = store.get(system.keys("gateway").user(1).user(1))
    facts = Ratings.unpack(packed)
    assert facts.rated == {1: 10}
    assert facts.times == {1: int(second.time.timestamp())}
    assert unequal(settings) == []


def test_facts_that_were_damaged_are_put_right(
    system: FactsSystem, history: History, settings: Settings
) -> None:
    settled(system, history, 3)
    keys = system.keys("content")
    with redis.Redis.from_url(settings.redis_url.get_secret_value()) as client:
        client.hset(keys.all(RATINGS)[0].sums, "4711", b"\1\0\0\0" * 3)
        client.hset(keys.all(RATINGS)[1].sums, "1", b"\1\0\0\0" * 3)
        client.set(keys.user(4712).user(4712), b"\1" + bytes(12) + b"")
        client.delete(keys.movie(3).movies)
    assert unequal(settings) != []
    with pytest.raises(Conflict, match="holds facts at position .*--replace"):
        rebuild(settings)
    rebuild(settings, replace=True)
    assert unequal(settings) == []
    with redis.Redis.from_url(settings.redis_url.get_secret_value()) as client:
        assert not client.exists(keys.user(4712).user(4712))


def test_consumers_at_work_wait_and_go_on_and_nothing_is_corrupted(
    system: FactsSystem, history: History, settings: Settings
) -> None:
    settled(system, history, 4)
    done = threading.Event()

    def produce(_: threading.Event) -> None:
        for seed in range(100, 160):
            if not done.is_set():
                system.publish(*random_events(seed, 40))

    with system.running(HistoryConsumer(system.bus, history, seconds=0.05).run, produce):
        for _ in range(2):
            assert len(rebuild(settings, replace=True)) == len(SERVICES) * 2 * PARTITIONS
        done.set()
        system.wait(system.publish(*random_events(5, 100)))
    assert unequal(settings) == []


def test_after_an_interrupted_rebuild_the_consumer_waits_and_says_why_until_the_next(
    system: FactsSystem, history: History, settings: Settings
) -> None:
    settled(system, history, 6)
    keys, store = (
        system.keys("gateway").all(RATINGS)[0],
        RedisStore(settings.redis_url.get_secret_value()),
    )
    store.write(keys, store.position(keys), -5, ())
    worker = system.worker("gateway")
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    try:
        waiting = lambda: "is being rebuilt" in (worker.health.waiting_for or "")  # noqa: E731
        until(waiting)
        assert "it is being rebuilt" in str(unequal(settings))
        rebuild(settings, replace=True)
        until(lambda: worker.health.waiting_for is None)
    finally:
        stop.set()
        thread.join(60)
    assert unequal(settings) == []


def test_a_history_ahead_of_the_log_is_refused_before_anything_is_touched(
    system: FactsSystem, history: History, settings: Settings
) -> None:
    settled(system, history, 7)
    before = positions(system)
    history.append(RATINGS, 0, history.position(RATINGS, 0), 10**6, [])
    with pytest.raises(Conflict, match="ratings:0: the history ends at 1000000, but the log holds"):
        rebuild(settings, replace=True)
    after = positions(system)
    assert {p: at for p, at in after.items() if p == "ratings:0"} == {
        "ratings:0": before["ratings:0"]
    }


def test_the_pointer_to_the_model_comes_from_the_log(
    system: FactsSystem, history: History, settings: Settings
) -> None:
    settled(system, history, 8, 50)
    versions = [
        ModelVersion(name=name, version=version, address="a", sha256="0" * 64)
        for name, version in (("content", "1"), ("content", "2"), ("hybrid", "3"))
    ]
    system.publish(*(ModelPublished(data=version) for version in versions))
    empty(settings)
    rebuild(settings)
    store = RedisStore(settings.redis_url.get_secret_value())
    pointer = store.get(system.keys("content").model)
    assert ModelVersion.model_validate_json(pointer or b"") == versions[1]
    assert store.position(system.keys("content").of(TopicPartition(MODELS, 0))) == 3
    assert store.get(system.keys("gateway").model) is None


def test_a_removed_movie_is_among_the_changes_so_that_a_model_that_knows_it_is_told(
    system: FactsSystem, history: History, settings: Settings
) -> None:
    with system.running(HistoryConsumer(system.bus, history, seconds=0.05).run):
        added = MovieAdded(data=Movie(movie_id=7, title="Gone"))
        system.wait(system.publish(added, MovieRemoved(data=MovieRef(movie_id=7))))
    for restored in (lambda: rebuild(settings), lambda: settled(system, history, 9, 1)):
        history.compact()
        empty(settings)
        restored()
        store = RedisStore(settings.redis_url.get_secret_value())
        assert 7 in store.changed_since(system.keys("content").movie(7), -1)


async def test_apps_that_follow_the_updates_read_everything_anew(
    system: FactsSystem, history: History, settings: Settings
) -> None:
    settled(system, history, 10)
    loads: list[int] = []

    async def load() -> None:
        loads.append(1)

    client = connect(settings.redis_url.get_secret_value())
    tail = Tail(client, system.keys("content").all(MOVIES), load, lambda *_: None)
    tail.start()
    await until_async(lambda: len(loads) >= 1)
    await asyncio.to_thread(rebuild, settings, True)
    await until_async(lambda: len(loads) >= 2)
    await tail.close()
    await client.aclose()


def test_a_restoration_that_died_half_way_is_not_counted_twice(
    system: FactsSystem, history: History, settings: Settings
) -> None:
    settled(system, history, 11)
    history.compact()
    empty(settings)
    rebuild(settings)
    with redis.Redis.from_url(settings.redis_url.get_secret_value()) as client:
        for keys in (*system.keys("content").all(RATINGS), *system.keys("content").all(MOVIES)):
            client.delete(keys.position)  # what it had written is there, and no position yet
    settled(system, history, 12, 50)
    assert unequal(settings) == []
