"""What no server of the tests is: an old one, a Sentinel, one with a wrong clock or a full disk."""

from typing import Any

import pytest

from marquee.requirements.redis_server import judge_redis
from marquee.requirements.result import CheckResult
from marquee.store.redis_server import RedisServer

INFO = {
    "redis_version": "7.2.4", "role": "master", "cluster_enabled": 0, "maxmemory": 0,
    "used_memory": 10, "maxmemory_policy": "noeviction", "aof_enabled": 1,
    "aof_last_write_status": "ok", "rdb_last_bgsave_status": "ok",
}  # fmt: skip
CONFIG = {"save": "", "appendfsync": "always"}


def judged(bus: str = "redis", ahead_s: float = 0.0, **info: Any) -> list[CheckResult]:
    results = judge_redis(RedisServer(INFO | info, CONFIG, ahead_s), bus)
    return [result for result in results if result.state != "good"]


def test_a_server_as_it_should_be_has_no_word_against_it() -> None:
    assert judged() == []


@pytest.mark.parametrize(
    ("version", "bus", "is_refused"),
    [
        ("6.2.14", "redis", True),
        ("6.2.14", "kafka", False),
        ("6.0.20", "kafka", True),
        ("7.0.0", "redis", False),
        ("10.1", "redis", False),
        ("255.255.255", "redis", False),
        ("unknown", "redis", False),
    ],
)
def test_the_least_version_goes_by_the_commands_in_use(
    version: str, bus: str, is_refused: bool
) -> None:
    found = judged(bus, redis_version=version)
    assert [(r.subject, r.at_start) for r in found] == [("Redis version", "refuse")] * is_refused


@pytest.mark.parametrize("name", ["redis_mode", "server_mode"])
def test_a_sentinel_is_refused(name: str) -> None:
    [found] = judged("redis", 0.0, **{name: "sentinel"})
    assert (found.at_start, "Sentinel" in found.text) == ("refuse", True)


@pytest.mark.parametrize(("ahead_s", "words"), [(60.0, "60 s ahead of"), (-9.0, "9 s behind")])
def test_a_clock_that_is_off_is_a_warning(ahead_s: float, words: str) -> None:
    [found] = judged(ahead_s=ahead_s)
    assert found.state == "warning"
    assert words in found.text


def test_a_failed_write_to_the_disk_is_a_warning() -> None:
    [found] = judged(aof_last_write_status="err")
    assert (found.state, found.subject) == ("warning", "Redis disk")
