"""A consumer process that stands still for long, and its twin."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from marquee.bus.api import Bus
from marquee.bus.kafka.bus import KafkaBus
from marquee.bus.redis.bus import RedisBus
from marquee.bus.topics import create_topics
from marquee.store.keys import Keys
from marquee_testing.servers.raters import all_rated, rate
from marquee_testing.waiting import until

PARTITIONS = 4


def open_redis(request: pytest.FixtureRequest, namespace: str) -> tuple[Bus, dict[str, str], float]:
    return RedisBus(request.getfixturevalue("redis_url"), namespace), {}, 4.0


def open_kafka(request: pytest.FixtureRequest, namespace: str) -> tuple[Bus, dict[str, str], float]:
    servers_ = request.getfixturevalue("kafka_servers")
    environ = {"MARQUEE_BUS": "kafka", "MARQUEE_KAFKA_SERVERS": servers_}
    return KafkaBus(servers_, namespace), environ, 14.0


@pytest.mark.parametrize(
    "open_",
    [
        pytest.param(open_redis, id="redis"),
        pytest.param(open_kafka, id="kafka", marks=pytest.mark.kafka),
    ],
)
def test_a_twin_takes_over_from_a_process_that_stands_and_what_that_does_late_changes_nothing(
    request: pytest.FixtureRequest,
    redis_url: str,
    namespace: str,
    tmp_path: Path,
    open_: Callable[..., tuple[Bus, dict[str, str], float]],
) -> None:
    bus, environ, seconds = open_(request, namespace)
    create_topics(bus, PARTITIONS)
    keys = Keys(namespace, "content", PARTITIONS)
    environ |= {
        "MARQUEE_STATE": str(tmp_path),
        "MARQUEE_REDIS_URL": redis_url,
        "MARQUEE_NAMESPACE": namespace,
    }
    first, second = consumer(environ), consumer(environ)
    try:
        rate(bus, 1)
        until(all_rated(redis_url, keys, 1))
        rated = 1
        for process in (first, second):
            rate(bus, rated + 1)  # it is stopped with work in its hands
            process.send_signal(signal.SIGSTOP)
            stopped = time.monotonic()
            rate(bus, rated + 2)
            rated += 2
            until(all_rated(redis_url, keys, rated))
            until(lambda since=stopped: time.monotonic() - since > seconds)  # type: ignore[misc]
            process.send_signal(signal.SIGCONT)
            rated += 1
            rate(bus, rated)
            until(all_rated(redis_url, keys, rated))
        assert all_rated(redis_url, keys, rated)()
    finally:
        for process in (first, second):
            process.send_signal(signal.SIGCONT)
            process.terminate()
            process.wait(60)
    bus.close()


def consumer(environ: dict[str, str]) -> "subprocess.Popen[bytes]":
    """Start a consumer of the content service, without a model, as a process of its own."""
    program = Path(sys.executable).with_name("content")
    return subprocess.Popen([str(program), "consumer"], env=os.environ | environ)
