"""What several files begin with; a file's own fixture of a name takes its place."""

import gc
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from marquee.bus.redis.bus import RedisBus
from marquee.bus.topics import create_topics
from marquee.dead_letters.queue import DeadLetterQueue
from marquee.settings import Settings
from marquee_testing.servers.raw_producers import RawKafkaProducer, RawProducer, RawRedisProducer
from marquee_testing.servers.system import System, running
from marquee_testing.simulation.facts_system import PARTITIONS, FactsSystem
from trainer.history.history import History


def on_redis(request: pytest.FixtureRequest, namespace: str) -> RawProducer:
    return RawRedisProducer(request.getfixturevalue("redis_url"), namespace)


def on_kafka(request: pytest.FixtureRequest, namespace: str) -> RawProducer:
    return RawKafkaProducer(request.getfixturevalue("kafka_servers"), namespace)


@pytest.fixture(
    params=[
        pytest.param(on_redis, id="redis"),
        pytest.param(on_kafka, id="kafka", marks=pytest.mark.kafka),
    ]
)
def place(
    request: pytest.FixtureRequest, namespace: str, caplog: pytest.LogCaptureFixture
) -> Iterator[RawProducer]:
    # Records of the client's log would keep its sockets past the end of the test.
    caplog.set_level(logging.CRITICAL, logger="kafka")
    made: RawProducer = request.param(request, namespace)
    yield made
    made.close()
    gc.collect()


@pytest.fixture
def group(place: RawProducer, redis_url: str, namespace: str) -> Iterator[System]:
    with running(place.bus, redis_url, namespace) as made:
        yield made


@pytest.fixture
def letters(place: RawProducer, group: System) -> Iterator[DeadLetterQueue]:
    dead = DeadLetterQueue(place.log, group.bus.producer())
    yield dead
    dead.producer.close()


@pytest.fixture
def settings(redis_url: str, namespace: str, tmp_path: Path) -> Settings:
    flags = {"state": tmp_path, "redis_url": redis_url, "namespace": namespace}
    return Settings.model_validate(flags | {"partitions": PARTITIONS})


@pytest.fixture
def system(settings: Settings) -> Iterator[FactsSystem]:
    bus = RedisBus(settings.redis_url.get_secret_value(), settings.namespace, lease_s=0.5)
    create_topics(bus, PARTITIONS)
    yield FactsSystem(settings, bus)
    bus.close()


@pytest.fixture
def history(settings: Settings) -> History:
    return History(settings.history, PARTITIONS)
