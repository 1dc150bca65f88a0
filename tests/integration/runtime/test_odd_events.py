"""Odd events on real servers: late, early, misplaced, misdated, failing in a row."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import kafka
import pytest
from redis import Redis

from content.consumer import HANDLERS as CONTENT_HANDLERS
from gateway.consumer import GatewayProjection
from marquee.bus.api import Bus, Published, TopicPartition, dead_letter_topic
from marquee.bus.kafka.bus import KafkaBus
from marquee.bus.redis.bus import RedisBus
from marquee.consumer.batches import MAX_FAILURES_IN_A_ROW, Pace
from marquee.consumer.handlers.popularity import restore_sums
from marquee.consumer.unit_of_work import UnitOfWork
from marquee.consumer.worker import Worker
from marquee.domain.movies import Movie
from marquee.errors import StoreUnavailable
from marquee.events import MOVIES, RATINGS, MovieAdded, MovieBlocked, MovieUnblocked, RatingAdded
from marquee.events.partitioning import partition_of
from marquee.snapshots.partition import PartitionSnapshot
from marquee.store.redis import RedisStore
from marquee_testing.servers.system import PARTITIONS, NoSnapshots, System, running
from marquee_testing.waiting import until

USER = 1
WHERE = TopicPartition(RATINGS, partition_of(USER, PARTITIONS))
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class ContentProjection(GatewayProjection):
    """The facts of the content service without its model."""

    handlers = CONTENT_HANDLERS

    def restore(self, unit_of_work: UnitOfWork, piece: PartitionSnapshot) -> None:
        restore_sums(unit_of_work, piece)


@pytest.fixture(params=["redis", pytest.param("kafka", marks=pytest.mark.kafka)])
def system(request: pytest.FixtureRequest, redis_url: str, namespace: str) -> Iterator[System]:
    bus: Bus = RedisBus(redis_url, namespace)
    if request.param == "kafka":
        bus = KafkaBus(request.getfixturevalue("kafka_servers"), namespace)
    with running(bus, redis_url, namespace, GatewayProjection) as made:
        yield made


def rating(movie_id: int, stars: float, user_id: int = USER, **about: Any) -> RatingAdded:
    data = {"user_id": user_id, "movie_id": movie_id, "rating": stars}
    return RatingAdded.model_validate({"data": data} | about)


def test_a_late_block_does_not_come_back(system: System) -> None:
    system.start()
    block = MovieBlocked.model_validate({"data": {"movie_id": 5}, "id": "a"})
    unblock = MovieUnblocked.model_validate({"data": {"movie_id": 5}, "id": "b"})
    system.wait(system.publish(block, unblock, block))
    assert RedisStore(system.url).scan(system.keys().movie(5).rules) == {}


def test_the_log_decides_which_rating_is_the_last_and_no_clock(system: System) -> None:
    system.start()
    later, earlier = NOON + timedelta(hours=1), NOON - timedelta(hours=1)
    ratings = [rating(5, 2.0, time=later), rating(5, 4.5, time=earlier), rating(6, 3.0, time=NOON)]
    system.wait(system.publish(*ratings))
    assert system.ratings(USER).rated == {5: 9, 6: 6}


def test_an_event_on_a_wrong_partition_is_put_aside_with_the_right_one_named(
    system: System, request: pytest.FixtureRequest
) -> None:
    system.start()
    wrong = TopicPartition(RATINGS, (WHERE.partition + 1) % PARTITIONS)
    put(system, request, wrong, rating(5, 4.0))
    system.wait([*system.publish(rating(6, 4.0)), Published(wrong, 0)])
    assert system.ratings(USER).rated == {6: 8}
    letters = system.bus.subscribe(
        "reader", [dead_letter_topic(RATINGS)], lambda _: 0, lambda _: None
    )
    reasons: list[str] = []

    def read() -> bool:
        for messages in letters.poll(0.1, 100).values():
            reasons.extend(message.headers["marquee-reason"] for message in messages)
        return bool(reasons)

    until(read)
    letters.close()
    (reason,) = reasons
    assert f"partition {wrong.partition}, but key {USER} belongs on {WHERE.partition} of" in reason
    assert "murmur2" in reason


def put(
    system: System, request: pytest.FixtureRequest, where: TopicPartition, event: RatingAdded
) -> None:
    """Put an event where its key does not belong, as a producer with another hash would."""
    if isinstance(system.bus, RedisBus):
        fields = ("k", event.key, "v", event.encode())
        log = f"{system.namespace}:log:{{{where}}}"
        Redis.from_url(system.url).xadd(
            log, dict(zip(fields[::2], fields[1::2], strict=True)), id="0-*"
        )
        return
    producer = kafka.KafkaProducer(bootstrap_servers=request.getfixturevalue("kafka_servers"))
    topic, key = f"{system.namespace}.{RATINGS}", event.key.encode()
    producer.send(topic, key=key, value=event.encode(), partition=where.partition).get(60)
    producer.close()


def test_ratings_of_an_unknown_movie_are_kept_and_count_once_it_arrives(system: System) -> None:
    system.start()
    system.start(ContentProjection(), "content")
    early = system.publish(*(rating(77, 5.0, user) for user in range(1, 9)))
    system.wait(early)
    system.wait(early, "content")
    assert system.sums(77) == (8, 8, 80)
    movie = system.publish(MovieAdded(data=Movie(movie_id=77, title="Late")))
    system.wait(movie)
    system.wait([*movie, *system.publish(rating(77, 1.0))], "content")
    assert system.sums(77) == (8, 7, 72)
    until(lambda: system.ratings(USER).rated == {77: 2})
    assert b"77" in RedisStore(system.url).scan(system.keys().movie(77).movies)


class Failing(GatewayProjection):
    """Handles no rating of a movie from 100 on."""

    def __init__(self) -> None:
        def fail(unit_of_work: UnitOfWork, event: RatingAdded) -> None:
            if event.data.movie_id >= 100:
                raise ValueError("out of order")
            GatewayProjection.handlers[RatingAdded](unit_of_work, event)

        self.handlers = {**GatewayProjection.handlers, RatingAdded: fail}


def test_more_than_ten_failing_events_in_a_row_stop_their_partition_and_no_other(
    system: System,
) -> None:
    worker = system.start(projection=Failing())
    system.publish(*(rating(100 + n, 4.0) for n in range(MAX_FAILURES_IN_A_ROW + 5)))
    until(lambda: str(WHERE) in worker.health.stopped)
    assert not worker.health.ready
    movie = MovieAdded(data=Movie(movie_id=1, title="Elsewhere"))
    system.wait(system.publish(movie))
    store = RedisStore(system.url)
    assert store.position(system.keys().of(WHERE)) == MAX_FAILURES_IN_A_ROW
    system.stop()
    system.start()  # with handlers that were put right
    until(lambda: len(system.ratings(USER).rated) == 5)


def test_ten_failing_events_do_not_stop_a_partition_when_others_succeed_between(
    system: System,
) -> None:
    worker = system.start(projection=Failing())
    bad = [rating(100 + n, 4.0) for n in range(2 * MAX_FAILURES_IN_A_ROW)]
    good = [rating(n + 1, 4.0) for n in range(2 * MAX_FAILURES_IN_A_ROW)]
    mixed = [event for pair in zip(bad, good, strict=True) for event in pair]
    system.wait(system.publish(*mixed))
    assert not worker.health.stopped
    assert len(system.ratings(USER).rated) == len(good)


def test_a_loop_that_is_told_to_stop_does_not_wait_for_the_next_try(
    redis_url: str, namespace: str
) -> None:
    with running(RedisBus(redis_url, namespace), redis_url, namespace, Failing) as system:
        store, keys = RedisStore(redis_url), system.keys()
        worker = Worker(
            keys, (MOVIES, RATINGS), system.bus, store, NoSnapshots(), Failing(), Pace()
        )
        tries: list[int] = []
        worker.projection.handlers = {RatingAdded: partial(_fail, tries)}
        stop = threading.Event()
        thread = threading.Thread(target=worker.run, args=(stop,))
        thread.start()
        system.publish(rating(100, 4.0))
        until(lambda: len(tries) >= 3)
        stop.set()
        thread.join(0.7)  # the third pause alone is longer
        assert not thread.is_alive()
        assert store.position(keys.of(WHERE)) == 0


def _fail(tries: list[int], _unit_of_work: UnitOfWork, event: RatingAdded) -> None:
    tries.append(event.data.movie_id)
    raise ValueError("never")


def test_a_full_redis_is_waited_for_and_no_event_is_blamed(redis_url: str, namespace: str) -> None:
    with running(RedisBus(redis_url, namespace), redis_url, namespace, GatewayProjection) as system:
        client = Redis.from_url(redis_url)
        worker = system.start()
        system.wait(system.publish(rating(1, 4.0)))
        published = system.publish(rating(2, 4.0))
        client.config_set("maxmemory", 1)
        try:
            store, keys = RedisStore(redis_url), system.keys().of(WHERE)
            with pytest.raises(StoreUnavailable, match="OutOfMemory|OOM"):
                store.write(keys, store.position(keys), None, [("SET", keys.movies, "x")])
        finally:
            client.config_set("maxmemory", 0)
        system.wait(published)
        assert client.xlen(f"{namespace}:log:{{{dead_letter_topic(RATINGS)}:0}}") == 0
        assert not worker.health.stopped
