"""A log that is not what it was: the consumer stops and says what to do; nothing is passed over."""

import contextlib
import gc
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import kafka
import pytest
from kafka.errors import KafkaError
from redis import Redis

from gateway.consumer import GatewayProjection
from marquee.bus.api import TopicPartition
from marquee.bus.kafka.bus import KafkaBus
from marquee.bus.redis.bus import RedisBus
from marquee.bus.topics import create_topics
from marquee.consumer.health import Health
from marquee.consumer.loop import LOG
from marquee.consumer.process import TOPICS, prepare_topics
from marquee.consumer.worker import Worker
from marquee.events import RATINGS, RatingAdded
from marquee.events.partitioning import partition_of
from marquee.store.redis import RedisStore
from marquee_testing.servers.system import PARTITIONS, System, running
from marquee_testing.waiting import until

# The client leaves sockets of refused connections to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <(socket|ssl):ResourceWarning")

USER = 1
WHERE = TopicPartition(RATINGS, partition_of(USER, PARTITIONS))


@dataclass
class Operator:
    """Does to a bus what an operator, or an accident, does."""

    delete: Callable[[], None]
    """Delete the topic of ratings."""
    trim: Callable[[], None]
    """Drop all messages of ratings that there are."""
    widen: Callable[[], None]
    """Give the topic of ratings another partition."""
    ask: Callable[[Callable[[Any], object]], None] = lambda _: None
    """Call something of Kafka's admin client."""


def of_redis(url: str, namespace: str) -> Operator:
    client = Redis.from_url(url)
    logs = [f"{namespace}:log:{{{RATINGS}:{number}}}" for number in range(PARTITIONS)]

    def delete() -> None:
        client.delete(*logs)
        client.hdel(f"{namespace}:topics", RATINGS)
        client.hdel(f"{namespace}:topic_ids", RATINGS)

    def trim() -> None:
        for log in logs:
            client.xtrim(log, maxlen=0, approximate=False)

    def widen() -> None:
        client.hset(f"{namespace}:topics", RATINGS, str(PARTITIONS + 1))

    return Operator(delete, trim, widen)


def of_kafka(servers: str, namespace: str) -> Operator:
    topic = f"{namespace}.{RATINGS}"

    def asked(call: Callable[[Any], object]) -> None:
        admin = kafka.KafkaAdminClient(bootstrap_servers=servers)
        try:
            call(admin)
        finally:
            admin.close()

    everything = {kafka.TopicPartition(topic, number): -1 for number in range(PARTITIONS)}
    return Operator(
        partial(asked, lambda admin: admin.delete_topics([topic])),
        partial(asked, lambda admin: admin.delete_records(everything)),
        partial(asked, lambda admin: admin.create_partitions({topic: PARTITIONS + 1})),
        asked,
    )


@dataclass
class Place:
    """A system and what may befall its bus."""

    system: System
    operator: Operator
    again: Callable[[], Any]
    """Makes a bus that knows nothing of before."""

    def restart(self) -> None:
        """End all workers; the next ones begin with a new connection to the bus."""
        self.system.stop()
        self.system.bus.close()
        self.system.bus = self.again()


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Collect what a test leaves while its sockets are still expected; the first is the last."""
    yield
    gc.collect()


@pytest.fixture(params=["redis", pytest.param("kafka", marks=pytest.mark.kafka)])
def place(
    request: pytest.FixtureRequest,
    redis_url: str,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> Iterator[Place]:
    # Records of its log would keep the sockets past the end of the test.
    caplog.set_level(logging.CRITICAL, logger="kafka")
    monkeypatch.setattr("marquee.consumer.log_identity.CHECK_SECONDS", 0.2)
    if request.param == "redis":
        again: Callable[[], Any] = partial(RedisBus, redis_url, namespace)
        operator = of_redis(redis_url, namespace)
    else:
        servers = request.getfixturevalue("kafka_servers")
        again = partial(KafkaBus, servers, namespace, session_s=6.0, timeout_s=5.0)
        operator = of_kafka(servers, namespace)
    with running(again(), redis_url, namespace, GatewayProjection) as system:
        yield Place(system, operator, again)


def rating(movie_id: int) -> RatingAdded:
    data = {"user_id": USER, "movie_id": movie_id, "rating": 4.0}
    return RatingAdded.model_validate({"data": data})


def stopped(worker: Worker) -> str:
    """Return what health says once the loop has stopped."""
    until(lambda: LOG in worker.health.stopped)
    assert not worker.health.ready
    assert worker.health.live
    return worker.health.stopped[LOG]


def handle(place: Place, *movie_ids: int) -> Worker:
    worker = place.system.start()
    place.system.wait(place.system.publish(*(rating(movie_id) for movie_id in movie_ids)))
    return worker


def make_anew(place: Place, messages: int) -> None:
    """Delete the topic, and create another of its name with the given number of ratings."""
    place.operator.delete()
    bus = place.again()

    def made() -> bool:
        try:
            create_topics(bus, PARTITIONS)
            return bool(bus.topic(RATINGS).partitions == PARTITIONS)
        except Exception:
            return False  # the broker is still deleting

    until(made)
    fresh = System(bus, place.system.url, place.system.namespace, GatewayProjection)
    fresh.publish(*(rating(100 + number) for number in range(messages)))
    bus.close()


def test_a_topic_made_anew_while_nobody_read_stops_the_start_though_the_position_is_in_it(
    place: Place,
) -> None:
    handle(place, 1, 2)
    place.system.stop()
    make_anew(place, 5)
    place.restart()
    worker = place.system.start()
    said = stopped(worker)
    assert f"{WHERE.topic}:" in said
    assert "deleted and made anew" in said
    assert "marquee rebuild" in said
    assert set(place.system.ratings(USER).rated) == {1, 2}
    assert RedisStore(place.system.url).position(place.system.keys().of(WHERE)) == 2


def test_a_topic_made_anew_while_it_is_read_stops_the_loop(place: Place) -> None:
    worker = handle(place, 1, 2)
    make_anew(place, 1)
    said = stopped(worker)
    assert "ratings" in said
    assert "marquee rebuild" in said or "bring" in said
    assert set(place.system.ratings(USER).rated) == {1, 2}


def test_messages_dropped_before_they_were_read_stop_the_loop(place: Place) -> None:
    handle(place, 1)
    place.restart()
    place.system.publish(rating(2), rating(3))
    place.operator.trim()
    place.system.publish(rating(4))
    worker = place.system.start()
    said = stopped(worker)
    assert f"{WHERE}: position 1, but the log holds 3 to 4" in said
    assert "marquee rebuild" in said
    assert set(place.system.ratings(USER).rated) == {1}


def test_another_number_of_partitions_stops_the_loop_and_the_next_start(place: Place) -> None:
    worker = handle(place, 1)
    place.operator.widen()
    said = stopped(worker)
    assert f"topic {RATINGS} has {PARTITIONS + 1} partitions" in said
    assert f"MARQUEE_PARTITIONS={PARTITIONS + 1}" in said
    place.system.stop()
    health, bus, stop = Health(), place.again(), threading.Event()
    waiting = threading.Thread(target=prepare_topics, args=(bus, PARTITIONS, stop, health))
    waiting.start()
    until(lambda: TOPICS in health.stopped)
    assert not health.ready
    stop.set()
    waiting.join(60)
    bus.close()


def test_a_first_start_tells_the_bus_where_it_begins(place: Place) -> None:
    committed: dict[TopicPartition, int] = {}

    def told() -> bool:
        committed.update(committed_by(place))
        return len(committed) == 2 * PARTITIONS

    place.system.start()
    until(told)
    assert set(committed.values()) == {0}


def committed_by(place: Place) -> dict[TopicPartition, int]:
    bus, namespace = place.system.bus, place.system.namespace
    if isinstance(bus, RedisBus):
        return bus.committed("gateway")
    group = f"{namespace}.gateway"
    found: dict[Any, Any] = {}
    with contextlib.suppress(KafkaError):  # the group is not known yet
        place.operator.ask(lambda admin: found.update(admin.list_group_offsets(group)[group]))
    return {TopicPartition(p.topic, p.partition): at.offset for p, at in found.items()}


def test_a_position_of_a_version_that_kept_no_topic_takes_the_present_one(place: Place) -> None:
    handle(place, 1)
    place.restart()
    keys, store = place.system.keys().of(WHERE), RedisStore(place.system.url)
    before = store.get(keys.log)
    Redis.from_url(place.system.url).delete(keys.log)
    handle(place, 2)
    assert store.get(keys.log) == before == place.system.bus.topic(RATINGS).id.encode()
