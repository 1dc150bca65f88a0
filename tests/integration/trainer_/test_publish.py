"""`marquee publish` on real buses: valid files are in the log once, others leave it unchanged."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from marquee.bus.api import TopicPartition
from marquee.bus.kafka.bus import KafkaBus
from marquee.bus.redis.bus import RedisBus
from marquee.bus.topics import create_topics
from marquee.consumer.decoding import decode_message
from marquee.events import MOVIES, RATINGS, Event
from marquee_local.servers import free_port
from marquee_testing.servers.raw_producers import RawProducer
from trainer.cli.main import app

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <(socket|ssl):ResourceWarning")

PARTITIONS = 4
PIPED = [sys.executable, "-m", "trainer.cli", "publish", "-"]


def rating(number: int, **data: Any) -> dict[str, Any]:
    values = {"user_id": number % 17 + 1, "movie_id": number + 1, "rating": 4.5} | data
    return {"id": f"e{number}", "source": "shop", "type": "rating.added", "data": values}


def lines(events: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(sent) + "\n" for sent in events)


MIXED = [
    *(rating(number) for number in range(1500)),
    {"id": "m", "type": "movie.added", "data": {"movie_id": 7, "title": "Seven", "genres": []}},
]


@pytest.fixture
def command(
    place: RawProducer, redis_url: str, namespace: str, tmp_path: Path, monkeypatch: Any
) -> Any:
    """The command on the bus of the test."""
    create_topics(place.bus, PARTITIONS)
    monkeypatch.setenv("MARQUEE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("MARQUEE_REDIS_URL", redis_url)
    monkeypatch.setenv("MARQUEE_NAMESPACE", namespace)
    if isinstance(place.bus, KafkaBus):
        monkeypatch.setenv("MARQUEE_BUS", "kafka")
        monkeypatch.setenv("MARQUEE_KAFKA_SERVERS", ",".join(place.bus._connection.servers))
    return publish


def publish(*arguments: object, text: str | None = None) -> Result:
    words = [str(argument) for argument in arguments]
    return CliRunner().invoke(app, ["publish", *words], input=text)


def in_log(place: RawProducer) -> list[Event]:
    """Return the events of all partitions, each of which a consumer would take."""
    events = []
    for topic in (MOVIES, RATINGS):
        for number in range(PARTITIONS):
            at = TopicPartition(topic, number)
            for message in place.log.read(at, *place.log.range(at)):
                decoded = decode_message(place.bus, at, message)
                assert decoded.event is not None, decoded.fault
                events.append(decoded.event)
    return events


def test_a_file_is_sent_by_key_and_partition_and_a_bad_one_leaves_the_log_alone(
    place: RawProducer, command: Any, tmp_path: Path
) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text(lines([*MIXED, rating(1, rating=9)]))
    refused = command(file)
    assert (refused.exit_code, refused.stdout) == (2, ""), refused.output
    assert f"{file}, line 1502: data.rating: " in refused.stderr
    assert "nothing was sent: mend them, or give --skip-invalid" in refused.stderr
    assert in_log(place) == []

    sent = command(file, "--skip-invalid", "--json")
    assert sent.exit_code == 2, sent.output
    report = json.loads(sent.stdout)
    assert report["sent"] == {"movie.added": 1, "rating.added": 1500}
    assert (report["total"], report["valid"], report["refused"]) == (1501, 1501, 1)
    assert report["faults"][0]["field"] == "data.rating"
    stored = in_log(place)
    assert sorted(found.id for found in stored) == sorted(sent["id"] for sent in MIXED)
    of_user = [found.id for found in stored if found.key == "3" and found.topic == RATINGS]
    assert of_user == [sent["id"] for sent in MIXED[:-1] if sent["data"]["user_id"] == 3]


@pytest.fixture
def on_redis(redis_url: str, namespace: str, tmp_path: Path, monkeypatch: Any) -> Any:
    """A bus on Redis without topics, which the command finds."""
    monkeypatch.setenv("MARQUEE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("MARQUEE_REDIS_URL", redis_url)
    monkeypatch.setenv("MARQUEE_NAMESPACE", namespace)
    bus = RedisBus(redis_url, namespace)
    yield bus
    bus.close()


def length(bus: RedisBus) -> int:
    partitions = [TopicPartition(RATINGS, number) for number in range(PARTITIONS)]
    return sum(end for _, end in bus.streams.ranges(partitions).values())


def test_an_array_from_standard_input_is_sent_and_counted_by_type(on_redis: RedisBus) -> None:
    create_topics(on_redis, PARTITIONS)
    checked = publish("-", "--check", text=json.dumps([rating(1), rating(2)]))
    assert (checked.exit_code, checked.stdout, length(on_redis)) == (0, "2 valid events\n", 0)
    sent = publish("-", text=json.dumps([rating(1), rating(2)]))
    assert (sent.exit_code, sent.stdout) == (0, "sent 2 events\n  2 rating.added\n")
    assert length(on_redis) == 2


def test_a_pipe_is_validated_to_its_end_before_anything_is_sent(on_redis: RedisBus) -> None:
    create_topics(on_redis, PARTITIONS)
    for text, status, held in ((lines([rating(1)]) + "{}\n", 2, 0), (lines([rating(1)]), 0, 1)):
        done = subprocess.run(PIPED, input=text, capture_output=True, text=True, timeout=110)
        assert (done.returncode, length(on_redis)) == (status, held), done.stderr


def test_standard_input_is_read_from_where_it_stands(on_redis: RedisBus, tmp_path: Path) -> None:
    create_topics(on_redis, PARTITIONS)
    (file := tmp_path / "events.jsonl").write_text("a heading\n" + lines([rating(1)]))
    with file.open("rb", buffering=0) as opened:
        opened.seek(len("a heading\n"))
        done = subprocess.run(PIPED, stdin=opened, capture_output=True, text=True, timeout=110)
    assert (done.returncode, length(on_redis)) == (0, 1), done.stderr


@pytest.mark.usefixtures("on_redis")
def test_many_bad_lines_are_told_in_part_and_counted(tmp_path: Path) -> None:
    (file := tmp_path / "bad.jsonl").write_text("{}\n" * 2000)
    refused = publish(file)
    assert refused.stderr.count("\n") == 22
    assert "1,980 more" in refused.stderr
    assert "2,000 of 2,000 events" in refused.stderr
    assert len(json.loads(publish(file, "--json").stdout)["faults"]) == 1000


@pytest.mark.usefixtures("on_redis")
def test_what_keeps_a_file_from_the_log_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file := tmp_path / "events.jsonl").write_text(lines([rating(1)]))
    for name, words in ((tmp_path / "none", "No such file"), (tmp_path, "Is a directory")):
        told_in_one_line(publish(name), words)
    told_in_one_line(publish(file), "no topic ratings; start the services once")
    monkeypatch.setenv("MARQUEE_REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")
    told_in_one_line(publish(file), "Connection refused")


def told_in_one_line(refused: Result, words: str) -> None:
    assert (refused.exit_code, refused.stdout) == (2, ""), refused.output
    assert refused.stderr.count("\n") == 1
    assert words in refused.stderr
