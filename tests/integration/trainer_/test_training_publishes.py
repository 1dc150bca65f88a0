"""A training of real models on generated data: the event, the registry, the app, the inspection."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from marquee.bus.api import Outgoing, TopicPartition
from marquee.bus.redis.bus import RedisBus
from marquee.domain.movies import Movie
from marquee.events import (
    MODELS,
    Event,
    ModelEvent,
    ModelPublished,
    ModelRolledBack,
    MovieAdded,
    Rating,
    RatingAdded,
    decode,
)
from marquee.registry.registry import Registry
from marquee.settings import Settings
from marquee_local.servers import free_port
from marquee_testing import until
from marquee_testing.small_fits import QUICK_PARAMS
from trainer.datasets.reader import read_dataset
from trainer.datasets.synthetic import generate
from trainer.history.history import History


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history of 3,000 generated ratings."""
    folder = tmp_path_factory.mktemp("data")
    generate(60, 120, 3000, 5, folder / "release")
    dataset, _ = read_dataset(folder / "release")
    History(folder / "history", 4).import_dataset(dataset)
    return folder / "history"


@pytest.fixture
def environ(history: Path, redis_url: str, namespace: str, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "history").symlink_to(history)
    return {
        "MARQUEE_PARAMS": str(QUICK_PARAMS),
        "MARQUEE_STATE": str(tmp_path),
        "MARQUEE_REDIS_URL": redis_url,
        "MARQUEE_NAMESPACE": namespace,
        "MARQUEE_TRAIN_EVERY_S": "0",
        "MARQUEE_TRAIN_AFTER_RATINGS": "0",
    }


@pytest.fixture
def bus(redis_url: str, namespace: str) -> Iterator[RedisBus]:
    bus = RedisBus(redis_url, namespace)
    yield bus
    bus.close()


@contextmanager
def process(environ: dict[str, str], *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a role of a service until the end of the context."""
    command = [sys.executable, "-m", *arguments]
    with subprocess.Popen(command, env=os.environ | environ, stdout=subprocess.DEVNULL) as child:
        try:
            yield child
        finally:
            child.terminate()
            try:
                child.wait(60)
            except subprocess.TimeoutExpired:
                child.kill()


@contextmanager
def app(environ: dict[str, str]) -> Iterator[httpx.Client]:
    """Run the trainer's app; yield a client of it."""
    port = free_port()
    with (
        process(environ | {"MARQUEE_TRAINER_PORT": str(port)}, "trainer", "app"),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=300) as client,
    ):
        until(lambda: answers(client))
        yield client


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/health/ready").status_code == 200
    except httpx.TransportError:
        return False


def marquee(environ: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "-m", "trainer.cli", *arguments]
    return subprocess.check_output(command, env=os.environ | environ, text=True)


def model_events(bus: RedisBus) -> list[ModelEvent]:
    found = bus.streams.read({TopicPartition(MODELS, 0): 0}, 100, 0)
    events = [decode(message.value) for messages in found.values() for message in messages]
    return [event for event in events if isinstance(event, ModelEvent)]


def test_a_training_by_the_app_publishes_versions_and_one_can_go_back(
    environ: dict[str, str], bus: RedisBus, tmp_path: Path
) -> None:
    with app(environ) as client:
        first = client.post("/internal/trainings", json={"models": ["content"], "wait": True})
        assert first.status_code == 200, first.text
        assert first.json()["status"] == "succeeded", first.text
        accepted = client.post("/internal/trainings", json={"models": ["content"]})
        assert accepted.status_code == 202
        second = accepted.json()["training_id"]
        refused = client.post("/internal/trainings", json={})
        assert (refused.status_code, refused.json()["training_id"]) == (409, second)
        assert client.get("/health/ready").json()["training"] == second
        until(
            lambda: client.get(f"/internal/trainings/{second}").json()["status"] == "succeeded", 180
        )
        listed = client.get("/internal/trainings").json()["items"]
        assert [record["training_id"] for record in listed] == [
            second,
            first.json()["training_id"],
        ]

        # The first versions of all are published before they are measured.
        ran = [[stage["name"] for stage in record["stages"]] for record in listed]
        assert ran[1] == ["data", "content", "publish", "evaluate"]
        assert ran[0] == ["data", "content", "evaluate", "publish"]
        old, new = (record["versions"]["content"] for record in reversed(listed))
        (content, *_) = client.get("/internal/models").json()["items"]
        assert [v["version"] for v in content["versions"]] == [new, old]
        measured = [{*version["metrics"]} for version in content["versions"]]
        assert measured[0] == measured[1] > {"gain_ndcg@10"}
        back = client.post("/internal/models/content/rollback", json={"version": old})
        assert (back.status_code, back.json()["version"]) == (200, old)

    events = model_events(bus)
    assert [type(event) for event in events] == [ModelPublished, ModelPublished, ModelRolledBack]
    assert [event.data.version for event in events] == [old, new, old]
    registry = Registry(tmp_path / "registry")
    for event in events:
        assert (registry.open(event.data.address, event.data.sha256) / "kmeans.npz").exists()
        assert event.data.cut == dict.fromkeys(event.data.cut, 0)
        assert len(event.data.cut) == 8


def test_the_app_refuses_what_does_not_exist(environ: dict[str, str]) -> None:
    with app(environ) as client:
        unknown = client.post("/internal/trainings", json={"models": ["contents"]})
        assert (unknown.status_code, unknown.json()["field"]) == (422, "models")
        wrong = client.post("/internal/trainings", json={"model": "content"})
        assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_input")
        assert client.get("/internal/trainings/none").status_code == 404
        assert client.get("/internal/models/none").status_code == 404
        assert client.post("/internal/models/content/rollback").status_code == 409
        assert b"python_info" in client.get("/metrics").content


def test_a_failed_training_is_told_with_its_error(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "history").unlink()
    with app(environ) as client:
        record = client.post(
            "/internal/trainings", json={"models": ["content"], "wait": True}
        ).json()
    assert record["status"] == "failed"
    assert "marquee data import" in record["error"]
    assert record["finished"]


def test_no_training_outlives_the_app(environ: dict[str, str], tmp_path: Path) -> None:
    from trainer.runs.records import TrainingRecords

    trainings = TrainingRecords(tmp_path)
    port = free_port()
    with process(environ | {"MARQUEE_TRAINER_PORT": str(port)}, "trainer", "app") as child:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            until(lambda: answers(client))
            client.post("/internal/trainings", json={"models": ["content"]})
            until(lambda: trainings.running() is not None)
        child.kill()
        child.wait(60)
        until(lambda: trainings.running() is None)
    (record,) = trainings.all()
    assert record.status == "failed"
    assert Registry(tmp_path / "registry").versions("content") == []


def test_the_schedule_trains_when_there_are_new_ratings(
    environ: dict[str, str], bus: RedisBus
) -> None:
    from trainer.runs.records import TrainingRecords

    marquee(environ, "train", "--only", "content")
    settings = Settings(state=Path(environ["MARQUEE_STATE"]))
    trainings = TrainingRecords(settings.state)
    scheduled = environ | {"MARQUEE_TRAIN_AFTER_RATINGS": "3"}
    with process(environ, "trainer", "consumer"), app(scheduled):
        publish(bus, *(rating(user, 1, 5.0) for user in range(101, 104)))
        until(lambda: len(trainings.all()) == 2)
        (newest, _) = trainings.all()
    assert newest.reason == "3 new ratings"


def test_inspection_shows_what_the_training_and_then_events_derived(
    environ: dict[str, str], bus: RedisBus
) -> None:
    marquee(environ, "train", "--only", "content,user-model")
    with process(environ, "content", "consumer"), process(environ, "user_model", "consumer"):
        until(lambda: inspect(environ, "movie", 1, "content")["from"] == "training")
        until(lambda: inspect(environ, "user", 1, "user-model")["from"] == "training")
        movie = inspect(environ, "movie", 1, "content")
        user = inspect(environ, "user", 1, "user-model")
        assert (len(movie["vector"]) > 5, movie["cluster"] >= 0) == (True, True)
        (serving, *_) = json.loads(marquee(environ, "models", "list", "--json"))
        assert serving["serving"] == movie["version"]

        added = Movie(movie_id=1, title="Another", genres=("Horror", "War"))
        publish(bus, MovieAdded(data=added), rating(1, 1, 0.5), rating(1, 2, 5.0))
        until(lambda: inspect(environ, "movie", 1, "content")["from"] == "events")
        until(lambda: inspect(environ, "user", 1, "user-model")["from"] == "events")
        movie_after = inspect(environ, "movie", 1, "content")
        user_after = inspect(environ, "user", 1, "user-model")
    assert movie_after["facts"]["film"]["title"] == "Another"
    assert movie_after["vector"] != movie["vector"]
    assert movie_after["position"] == movie["position"] + 1
    assert user_after["vector"] != user["vector"]
    assert user_after["position"] == user["position"] + 2
    assert user_after["version"] == user["version"]


def inspect(environ: dict[str, str], kind: str, entity: int, service: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "trainer.cli", "inspect", kind, str(entity), "--json"]
    # Status 2 until some service knows of it.
    ran = subprocess.run(command, env=os.environ | environ, capture_output=True, check=False)
    told = json.loads(ran.stdout)
    found: dict[str, Any] = next(s for s in told["services"] if s["service"] == service)
    return found


def publish(bus: RedisBus, *events: Event) -> None:
    bus.producer().publish([Outgoing.of(event) for event in events])


def rating(user_id: int, movie_id: int, stars: float) -> RatingAdded:
    return RatingAdded(data=Rating(user_id=user_id, movie_id=movie_id, rating=stars))
