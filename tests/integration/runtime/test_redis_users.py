"""Each kind of process does its work as its own user of Redis, which is refused nothing of it."""

import http.client
import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from marquee.bus.api import TopicPartition
from marquee.domain.models import MODEL_NAMES, MODEL_SPECS
from marquee.events.partitioning import partition_of
from marquee.features.dataset import Dataset
from marquee.registry.bundle import seal
from marquee.settings import read
from marquee.store.rights import APPS, CONSUMERS
from marquee_local.servers import free_port
from marquee_testing.datasets import checkerboard
from marquee_testing.servers.raw_producers import RawKafkaProducer, RawProducer, RawRedisProducer
from marquee_testing.servers.redis_users import UsersServer, valkey_with_users
from marquee_testing.servers.roles import Role, start_role
from marquee_testing.small_fits import SMALL_TASTE
from marquee_testing.waiting import PATIENCE, until
from trainer.cli.main import app as command_line
from trainer.evaluation.served_models import fit_served_model
from trainer.history.history import History
from trainer.models.parameters import TrainingParameters
from trainer.operations.kept_films import KeptFilms
from trainer.runs.publishing import ModelPublisher

TRAINED = ("content", "hybrid", "user-model")
"""Models that are trained here: neural needs torch, and its app reads what user-model's does."""
TASTE = {"taste": SMALL_TASTE.model_dump()}
SMALL = TrainingParameters(
    seed=0,
    sections={
        "content": TASTE,
        "hybrid": TASTE,
        "user-model": {**TASTE, "clusters": 2, "near": 10},
    },
)


@dataclass
class Processes:
    """All processes of a system, each with its own user, and what one needs to use them."""

    redis: UsersServer
    environ: dict[str, str]
    ports: dict[str, int]
    running: dict[str, Role]
    producer: RawProducer

    def start(self, kind: str) -> None:
        service, _, role = kind.rpartition("-")
        port = {"MARQUEE_CONSUMER_PORT": str(self.ports[kind])} if role == "consumer" else {}
        variables = {**self.environ, **self.redis.variables(kind), **port}
        self.running[kind] = start_role(service, role, variables)

    def stop(self) -> list[int | None]:
        """End all processes by SIGTERM; return their exit statuses."""
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            process.join(60)
        return [process.exitcode for process in self.running.values()]

    def is_ready(self, kind: str) -> bool:
        assert self.running[kind].is_alive(), f"{kind} has ended"
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[kind], timeout=30)
        try:
            connection.request("GET", "/health/ready")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def command(self, *arguments: str, status: int = 0) -> str:
        """Return what the command `marquee` writes when an operator runs it."""
        environ = {**self.environ, **self.redis.variables("operator")}
        done = CliRunner().invoke(command_line, arguments, env=environ)
        assert done.exit_code == status, f"{arguments}: {done.output}"
        return done.stdout


@pytest.fixture(scope="module")
def data() -> Dataset:
    return checkerboard()


@pytest.fixture(scope="module")
def models(data: Dataset) -> dict[str, Any]:
    """Models fitted to the data within a moment."""
    return {name: fit_served_model(name, data, SMALL).model for name in TRAINED}


@pytest.fixture(params=["redis", pytest.param("kafka", marks=pytest.mark.kafka)])
def system(
    request: pytest.FixtureRequest, namespace: str, data: Dataset, tmp_path: Path
) -> Iterator[Processes]:
    bus = request.param
    kinds = (*APPS, *CONSUMERS)
    ports = {kind: free_port() for kind in kinds}
    History(tmp_path / "state" / "history", 4).import_dataset(data)
    environ = {
        "MARQUEE_BUS": bus,
        "MARQUEE_STATE": str(tmp_path / "state"),
        "MARQUEE_AUTH": "keys",
        "MARQUEE_TRAIN_EVERY_S": "0",
        "MARQUEE_TRAIN_AFTER_RATINGS": "0",
        "MARQUEE_DEADLINE_MS": str(1000 * PATIENCE),
        "MARQUEE_WRITE_MS": "10000",
    }
    for spec in (*MODEL_SPECS.values(), None):
        name, package = (spec.name, spec.package) if spec else ("trainer", "trainer")
        environ[f"MARQUEE_{package.upper()}_PORT"] = str(ports[f"{name}-app"])
        environ[f"MARQUEE_{package.upper()}_URL"] = f"http://127.0.0.1:{ports[f'{name}-app']}"
    environ["MARQUEE_GATEWAY_PORT"] = str(ports["gateway-app"])
    with valkey_with_users(tmp_path / "redis", namespace, bus) as redis:
        if bus == "kafka":
            servers = request.getfixturevalue("kafka_servers")
            environ["MARQUEE_KAFKA_SERVERS"] = servers
            producer: RawProducer = RawKafkaProducer(servers, namespace)
        else:
            user = redis.variables("operator")
            access = f"{user['MARQUEE_REDIS_USER']}:{user['MARQUEE_REDIS_PASSWORD']}@"
            producer = RawRedisProducer(redis.url.replace("//", f"//{access}"), namespace)
        made = Processes(redis, environ, ports, {}, producer)
        for kind in kinds:
            made.start(kind)
        try:
            yield made
        finally:
            for process in made.running.values():
                process.kill()
                process.join()
            producer.close()
            producer.bus.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_each_process_is_refused_nothing_of_its_work(
    system: Processes, models: dict[str, Any], tmp_path: Path
) -> None:
    for kind in CONSUMERS:
        until(partial(system.is_ready, kind))
    key = system.command("keys", "create", "--name", "all", "--scope", "read,write,curate,operate")
    until(lambda: system.is_ready("gateway-app"))
    address = f"http://127.0.0.1:{system.ports['gateway-app']}"
    headers = {"Authorization": f"Bearer {key.strip()}"}
    with httpx.Client(base_url=address, headers=headers, timeout=120) as client:
        publish_models(system, models, tmp_path)
        for name in TRAINED:
            until(partial(system.is_ready, f"{name}-app"))
        go_back(client)
        write(client)
        read_all(client)
        put_an_invalid_event(system)
        operate(system, client, tmp_path)
    assert system.redis.refused() == []
    assert set(system.stop()) <= {0, -signal.SIGTERM}
    assert system.redis.refused() == []


def publish_models(system: Processes, models: dict[str, Any], folder: Path) -> None:
    """Publish models as the last stage of a training does, with the rights of the trainer's app."""
    settings = read({**system.environ, **system.redis.variables("trainer-app")})
    publisher = ModelPublisher()
    publisher.check(settings)
    for round_ in ("first", "second"):
        bundles = {name: folder / round_ / name for name in models}
        for name, model in models.items():
            model.save(bundles[name])
            seal(bundles[name], name, round_)
        assert set(publisher.publish(settings, bundles).versions) == set(models)


def go_back(client: httpx.Client) -> None:
    """Go back to the version before, by the trainer's app."""

    def content() -> dict[str, Any]:
        return dict(client.get("/v1/models").json()["items"][0])

    newest, before = (version["version"] for version in content()["versions"])
    until(lambda: content()["serving"] == newest)
    answer = client.post("/v1/models/content/rollback")
    assert answer.status_code < 300, answer.text
    until(lambda: content()["serving"] == answer.json()["version"] == before)


def write(client: httpx.Client) -> None:
    """Write by every kind of write, once with a key of idempotency, and wait until it is seen."""
    ratings = [
        {"type": "rating.added", "data": {"user_id": user, "movie_id": movie, "rating": 4.5}}
        for user in (7, 9)
        for movie in range(10, 34)
    ]
    viewed = {"type": "movie.viewed", "data": {"user_id": "tt-user", "movie_id": "tt-movie"}}
    calls: tuple[tuple[str, str, Any], ...] = (
        ("PUT", "/v1/users/5/ratings/12", {"rating": 4.0}),
        ("DELETE", "/v1/users/5/ratings/12", None),
        ("POST", "/v1/users/5/views", {"movie_id": 13}),
        ("PUT", "/v1/users/5/dismissed/14", None),
        ("POST", "/v1/movies", {"movie_id": 900, "title": "New", "genres": ["Action"]}),
        ("PUT", "/v1/movies/12/promotion", {"weight": 1}),
        ("PUT", "/v1/movies/13/block", {"reason": "rights"}),
        ("DELETE", "/v1/movies/13/block", None),
        ("POST", "/v1/events", {"events": [*ratings, viewed]}),
        ("PUT", "/v1/users/8/ratings/900", {"rating": 5.0}),
        ("PUT", "/v1/segments/users", {"k": 3}),
        ("DELETE", "/v1/users/6", None),
    )
    token = ""
    for method, path, body in calls:
        for repeat in range(2):
            answer = client.request(
                method, path, json=body, headers={"Idempotency-Key": f"{method} {path}"}
            )
            assert answer.status_code < 300, f"{method} {path} {repeat}: {answer.text}"
        token = answer.json().get("token", token)
    wait: dict[str, str | int] = {"after": token, "wait_ms": 10_000}
    erased = client.get(f"/v1/erasures/{answer.json()['receipt']['id']}", params=wait)
    assert erased.status_code == 200, erased.text
    seen = client.get("/v1/users/7/recommendations", params=wait)
    assert seen.json()["fresh"] is True, seen.text


def read_all(client: httpx.Client) -> None:
    """Read by every kind of read; each list is of the model that should give it."""
    paths = (
        "/v1/recommendations",
        "/v1/recommendations?viewed=12",
        "/v1/users/7",
        "/v1/users/7/ratings",
        "/v1/users/tt-user/export",
        "/v1/movies?query=a",
        "/v1/movies/900",
        "/v1/movies/12/similar",
        "/v1/genres",
        "/v1/promotions",
        "/v1/blocks",
        "/v1/models",
        "/v1/audit",
        "/health/ready",
        "/metrics",
    )
    for path in paths:
        answer = client.get(path)
        assert answer.status_code == 200, f"{path}: {answer.text}"
    entries = client.get("/v1/audit").json()["items"]
    [promotion] = [entry for entry in entries if entry["action"] == "movie.promoted"][-1:]
    preview = {"movie_id": 12, "promotion": {"weight": 1}, "users": [7]}
    for path, body in (
        (f"/v1/audit/{promotion['id']}/revert", {}),
        ("/v1/rules/preview", preview),
    ):
        answer = client.post(path, json=body)
        assert answer.status_code < 300, f"{path}: {answer.text}"
    few = client.post("/v1/recommendations", json={"ratings": [{"movie_id": 12, "rating": 5}]})
    many = client.get("/v1/users/1/recommendations")
    assert [(a.json()["route"], a.json()["degraded"]) for a in (few,)] == [("hybrid", False)]
    assert many.status_code == 200


def put_an_invalid_event(system: Processes) -> None:
    """Put what is no event on a partition: each service makes a dead letter of it."""
    at = TopicPartition("ratings", partition_of(5, 4))
    system.producer.put(at, b"5", b"{")

    def letters() -> int:
        listed = json.loads(system.command("dead", "list", "--json"))
        return sum(len(letter["groups"].split(", ")) for letter in listed)

    until(lambda: letters() == 1 + len(MODEL_NAMES))


def operate(system: Processes, client: httpx.Client, folder: Path) -> None:
    """Run the commands of operators against the running system."""
    (events := folder / "events.jsonl").write_text(
        json.dumps({"type": "movie.viewed", "data": {"user_id": 5, "movie_id": 19}})
    )
    (export := folder / "films.csv").write_text(
        "Title,Year,Rating,WatchedDate\nFilm 5,2010,4.5,2024-05-01\nLate,2020,3,2024-05-02\n"
    )
    system.command("publish", str(events))
    system.command("ratings", "import", str(export), "--user", "12")
    # What is kept is matched by the trainer's app, once a minute.
    KeptFilms(read({**system.environ, **system.redis.variables("trainer-app")})).look()
    system.command("keys", "create", "--name", "shop", "--scope", "read")
    system.command("keys", "rotate", "shop")
    system.command("keys", "list")
    system.command("keys", "revoke", "shop")
    system.command("inspect", "movie", "900")
    system.command("inspect", "user", "7")
    system.command("models", "list")
    system.command("dead", "look", json.loads(system.command("dead", "list", "--json"))[0]["id"])
    system.command("dead", "discard", "--all", "--reason", "a test")
    erase(system)
    system.command("rebuild", "--replace", "--service", "content")
    until(lambda: system.is_ready("content-consumer"))
    system.command("verify", "--rows")
    doctor = json.loads(system.command("doctor", "--json"))
    assert [check for check in doctor if check["state"] == "bad"] == []
    assert client.get("/v1/recommendations").status_code == 200


def erase(system: Processes) -> None:
    """Clean up after an erasure, and wait for its receipt from every service."""

    def left() -> list[str]:
        stores = json.loads(system.command("erasure", "6", "--finish", "--json", status=1))
        return [store["store"] for store in stores["stores"] if store["left"]]

    until(lambda: not any(store.startswith("redis: ") for store in left()))
