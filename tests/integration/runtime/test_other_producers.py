"""The producers of docs/how-to/send-events.md, run as written there: their events are applied."""

import gc
import logging
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from typer.testing import CliRunner

from gateway.consumer import GatewayProjection
from marquee.bus.api import TopicPartition
from marquee.bus.kafka.bus import KafkaBus
from marquee.bus.redis.bus import RedisBus
from marquee.errors import BusUnavailable
from marquee.events import RATINGS, RatingAdded
from marquee.events.partitioning import partition_of
from marquee_local.servers import BROKER
from marquee_testing.servers.system import PARTITIONS, System, running
from marquee_testing.waiting import until
from trainer.cli.main import app

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <(socket|ssl):ResourceWarning")

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "how-to" / "send-events.md").read_text()
LIB = BROKER.parent / "lib"
HOME = TopicPartition(RATINGS, partition_of(4242, PARTITIONS))


def block(language: str, word: str) -> str:
    """Return the one block of the page in a language that has a word in it."""
    blocks = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    [found] = [text for text in blocks if word in text]
    return str(found)


@pytest.fixture
def on_kafka(
    kafka_servers: str, redis_url: str, namespace: str, caplog: pytest.LogCaptureFixture
) -> Iterator[System]:
    # Records of the client's log would keep its sockets past the end of the test.
    caplog.set_level(logging.CRITICAL, logger="kafka")
    with running(KafkaBus(kafka_servers, namespace), redis_url, namespace) as group:
        group.start(GatewayProjection())
        yield group
    gc.collect()


@pytest.fixture
def on_redis(redis_url: str, namespace: str) -> Iterator[System]:
    with running(RedisBus(redis_url, namespace), redis_url, namespace) as group:
        group.start(GatewayProjection())
        yield group


@pytest.mark.kafka
def test_what_kafkas_console_producer_sends_is_applied(
    on_kafka: System, kafka_servers: str, namespace: str, tmp_path: Path
) -> None:
    shown = block("sh", "ConsoleProducer").replace("\\\n", " ").replace("<lines.tsv", "")
    command = [
        word.replace("deploy/kafka/lib", str(LIB))
        .replace("127.0.0.1:9092", kafka_servers)
        .replace("marquee.ratings", f"{namespace}.ratings")
        for word in shlex.split(shown)
    ]
    lines = tmp_path / "lines.tsv"
    lines.write_text(block("tsv", "rating.added"))
    with lines.open() as file:
        done = subprocess.run(command, stdin=file, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    until(lambda: on_kafka.ratings(4242).rated == {296: 9})
    until(lambda: list(on_kafka.ratings(4243).viewed) == [318])


def xadd(group: System, namespace: str, id_: str = "0-*") -> bytes:
    """Run the command of the page against the group's Redis; return the entry's id."""
    bus = group.bus
    assert isinstance(bus, RedisBus)
    _, *words = shlex.split(block("sh", "redis-cli XADD"))
    own = [word.replace("marquee:log", f"{namespace}:log").replace("0-*", id_) for word in words]
    added = bus.client.execute_command(*own)
    assert isinstance(added, bytes)
    return added


def test_what_the_page_publishes_is_applied(
    on_redis: System, redis_url: str, namespace: str, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("MARQUEE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("MARQUEE_REDIS_URL", redis_url)
    monkeypatch.setenv("MARQUEE_NAMESPACE", namespace)
    monkeypatch.chdir(tmp_path)
    Path("events.jsonl").write_text(block("json", "rating.added"))
    commands = [shlex.split(line, comments=True) for line in block("sh", "publish").splitlines()]
    for command, stored in zip(commands, (None, "sent 2 events"), strict=False):
        assert command[0] == "marquee"
        result = CliRunner().invoke(app, command[1:])
        assert result.exit_code == 0, result.output
        assert (stored or "2 valid events") in result.stdout
    until(lambda: on_redis.ratings(4242).rated == {296: 9})
    until(lambda: list(on_redis.ratings(4242).viewed) == [318])


def test_what_is_added_to_a_stream_by_hand_is_applied(on_redis: System, namespace: str) -> None:
    assert f"{{{HOME}}}" in block("sh", "redis-cli XADD"), "the page names another partition"
    assert xadd(on_redis, namespace) == b"0-1"
    until(lambda: on_redis.ratings(4242).rated == {296: 9})


def test_the_page_shows_how_to_find_a_partition() -> None:
    shown = block("sh", "partition_of")
    python, *words = shlex.split(shown)
    assert python == ".venv/bin/python"
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=180)
    assert done.stdout == f"{HOME.partition}\n"


def test_a_partition_that_an_id_of_time_has_ended_is_mended_as_the_page_says(
    on_redis: System, namespace: str
) -> None:
    assert isinstance(on_redis.bus, RedisBus)
    client = on_redis.bus.client
    event = RatingAdded.model_validate({"data": {"user_id": 4242, "movie_id": 1, "rating": 4.0}})
    on_redis.wait(on_redis.publish(event))
    worker = on_redis.start(GatewayProjection(), "content")
    xadd(on_redis, namespace, "*")
    until(lambda: "log" in worker.health.stopped)
    with pytest.raises(BusUnavailable, match="smaller than the target stream top item"):
        on_redis.publish(event.model_copy(update={"id": "refused"}))
    _, *mend = shlex.split(block("sh", "EVAL").replace("marquee:log", f"{namespace}:log"))
    client.execute_command(*mend)
    assert xadd(on_redis, namespace) == b"0-2"
    until(lambda: on_redis.ratings(4242).rated == {1: 8, 296: 9})


def test_the_stream_of_a_lost_log_is_not_begun_anew(on_redis: System, namespace: str) -> None:
    assert isinstance(on_redis.bus, RedisBus)
    on_redis.bus.client.delete(on_redis.bus.streams.key(HOME))
    _, *words = shlex.split(
        block("sh", "redis-cli XADD").replace("marquee:log", f"{namespace}:log")
    )
    assert on_redis.bus.client.execute_command(*words) is None
    with pytest.raises(redis.ResponseError):
        on_redis.bus.client.xinfo_stream(on_redis.bus.streams.key(HOME))
