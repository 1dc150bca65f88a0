"""`marquee dead` on a running bus: what it shows, what it publishes, and what it refuses."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from typer.testing import CliRunner, Result

from gateway.consumer import GatewayProjection
from marquee import telemetry
from marquee.bus.api import TopicPartition
from marquee.events import RATINGS, RatingAdded
from marquee.events.partitioning import partition_of
from marquee.settings import Settings
from marquee_testing.servers.raw_producers import RawRedisProducer
from marquee_testing.servers.system import PARTITIONS, System, running
from marquee_testing.waiting import until, until_async
from trainer.cli.main import app
from trainer.operations.dead_letter_gauge import count_dead_letters

HOME = partition_of(1, PARTITIONS)
AWAY = (HOME + 1) % PARTITIONS


@pytest.fixture
def place(redis_url: str, namespace: str) -> RawRedisProducer:
    return RawRedisProducer(redis_url, namespace)


@pytest.fixture
def group(place: RawRedisProducer, redis_url: str, namespace: str) -> Iterator[System]:
    """A gateway's consumer that has put two messages of user 1 aside."""
    with running(place.bus, redis_url, namespace) as made:
        made.start(GatewayProjection())
        event = RatingAdded.model_validate({"data": {"user_id": 1, "movie_id": 2, "rating": 4}})
        place.put(TopicPartition(RATINGS, AWAY), b"1", event.encode())
        place.put(TopicPartition(RATINGS, HOME), b"1", b'{"type": "rating.added"')
        until(lambda: place.log.range(TopicPartition("ratings.dead", 0))[1] == 2)
        yield made


@pytest.fixture(autouse=True)
def environment(
    redis_url: str, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings of a command that looks at this bus."""
    monkeypatch.setenv("MARQUEE_REDIS_URL", redis_url)
    monkeypatch.setenv("MARQUEE_NAMESPACE", namespace)
    monkeypatch.setenv("MARQUEE_STATE", str(tmp_path))


def dead(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["dead", *arguments])


@pytest.mark.usefixtures("group")
def test_list_shows_the_reason_the_group_and_the_place_of_each() -> None:
    result = dead("list", "--json")
    assert result.exit_code == 0, result.output
    letters = {one["id"]: one for one in json.loads(result.stdout)}
    misplaced = letters[f"ratings-{AWAY}-0"]
    assert misplaced["position"] == f"ratings:{AWAY}:0"
    assert (misplaced["groups"], misplaced["key"], misplaced["state"]) == ("gateway", "1", "open")
    assert "murmur2" in misplaced["reason"]
    assert misplaced["time"]
    plain = dead("list")
    assert f"ratings-{HOME}-0" in plain.stdout
    assert "ratings: 2 open; next: marquee dead look ID" in plain.stderr


@pytest.mark.usefixtures("group")
def test_look_shows_the_message_as_it_came_and_what_helps() -> None:
    result = dead("look", f"ratings-{HOME}-0")
    assert result.exit_code == 0, result.output
    assert 'message   {"type": "rating.added"' in result.stdout
    assert "fix       it cannot be read: the producer has to send it anew" in result.stdout


def test_retry_publishes_what_can_be_and_says_why_the_rest_is_refused(group: System) -> None:
    result = dead("retry", "--all", "--actor", "ann")
    assert result.exit_code == 2
    assert f"ratings-{AWAY}-0: published at ratings:{HOME}:1" in result.stdout
    assert f"ratings-{HOME}-0: refused: it still cannot be read" in result.stdout
    until(lambda: group.ratings(1).rated == {2: 8})
    assert "retried by ann at" in dead("list", "--settled").stdout


@pytest.mark.usefixtures("group")
def test_discard_keeps_who_did_it_and_why() -> None:
    done = dead("discard", f"ratings-{HOME}-0", "--reason", "sent anew", "--actor", "bea")
    assert done.exit_code == 0, done.output
    shown = json.loads(dead("look", f"ratings-{HOME}-0", "--json").stdout)
    assert shown["state"] == "discarded"
    assert shown["settled"].startswith("discarded by bea at 20")
    assert shown["settled"].endswith(": sent anew")
    again = dead("discard", f"ratings-{HOME}-0", "--reason", "once more")
    assert again.exit_code == 2
    assert "is discarded already, by bea" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["look", "ratings-9-9"], "there is no dead letter ratings-9-9"),
        (["look", "nonsense"], "there is no dead letter nonsense"),
        (["list", "--topic", "films"], "topic: films is none of movies, ratings, models"),
        (["retry"], "name the letters by their ids, or give --all"),
        (["retry", "ratings-0-0", "--all"], "name the letters by their ids, or give --all"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(arguments: list[str], words: str) -> None:
    result = dead(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.usefixtures("group")
async def test_the_trainers_app_measures_what_waits(redis_url: str, namespace: str) -> None:
    settings = Settings.model_validate({"redis_url": redis_url, "namespace": namespace})
    labels = {"topic": RATINGS, "state": "open"}
    telemetry.DEAD_KEPT.labels(RATINGS, "open").set(0)
    task = asyncio.create_task(count_dead_letters(settings, 0.01))
    held = "marquee_dead_letters_held"
    await until_async(lambda: REGISTRY.get_sample_value(held, labels) == 2)
    task.cancel()
    await asyncio.wait({task})


def test_without_letters_the_list_says_so() -> None:
    result = dead("list")
    assert (result.exit_code, result.stderr) == (0, "no open dead letters\n")


def test_without_a_bus_the_command_says_what_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MARQUEE_REDIS_URL", "redis://127.0.0.1:1/0")
    result = dead("list")
    assert result.exit_code == 2
    assert result.stderr.startswith("marquee: Redis: ")
