"""Each kind of process does its work as a user of its own, with its rights and no others."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from marquee.bus.kafka.access.rights import user_of
from marquee.store.keys import Keys
from marquee_local.servers import free_port
from marquee_testing.servers.raters import USERS, all_rated
from marquee_testing.servers.secure_kafka import SecureKafka
from marquee_testing.waiting import until
from trainer.cli.main import app

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:unclosed <(socket|ssl):ResourceWarning"),
]
PARTITIONS = 4


class Systems:
    """Processes of one namespace, each with its own user."""

    def __init__(self, broker: SecureKafka, redis_url: str, namespace: str, state: Path) -> None:
        self._broker, self.namespace = broker, namespace
        self.stack = ExitStack()
        self._common = {
            "MARQUEE_REDIS_URL": redis_url,
            "MARQUEE_NAMESPACE": namespace,
            "MARQUEE_STATE": str(state),
            "MARQUEE_PARTITIONS": str(PARTITIONS),
        }

    def environ(self, kind: str) -> dict[str, str]:
        """Return the settings of a kind of process."""
        return self._common | self._broker.environ(user_of(kind, self.namespace))

    def start(self, service: str, role: str) -> str:
        """Start a process; return its address."""
        port = str(free_port())
        name = "CONSUMER" if role == "consumer" else service.upper()
        own = self.environ(f"{service}-{role}") | {f"MARQUEE_{name}_PORT": port}
        environ = {n: v for n, v in os.environ.items() if not n.startswith("MARQUEE_")} | own
        process = subprocess.Popen([sys.executable, "-m", service, role], env=environ)
        self.stack.callback(end, process)
        return f"http://127.0.0.1:{port}"


def end(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        assert process.wait(60) in (0, -signal.SIGTERM)  # the server of an app repeats the signal
    finally:
        process.kill()


@pytest.fixture
def system(
    secure_kafka: SecureKafka, redis_url: str, namespace: str, tmp_path: Path
) -> Iterator[Systems]:
    """A namespace whose users have their rights, without any topic."""
    secure_kafka.grant(namespace)
    made = Systems(secure_kafka, redis_url, namespace, tmp_path)
    with made.stack:
        yield made


def asked(url: str, body: object = None) -> tuple[int, str]:
    """Return status and text of an answer; 0 before anybody listens."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/cloudevents-batch+json"}
    try:
        request = urllib.request.Request(url, data, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


def is_ready(address: str) -> bool:
    return asked(f"{address}/health/ready")[0] == 200


def ratings(movie_id: int) -> list[dict[str, object]]:
    """Return an event for each user, who rates a movie."""
    return [
        {
            "specversion": "1.0",
            "type": "rating.added",
            "source": "test",
            "id": f"{movie_id}-{user}",
            "data": {"user_id": user, "movie_id": movie_id, "rating": 4.0},
        }
        for user in USERS
    ]


@contextmanager
def as_user(environ: dict[str, str]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        yield


def command(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(app, [*arguments], input=text)


def test_every_process_works_with_its_own_user(system: Systems, redis_url: str) -> None:
    content = system.start("content", "consumer")
    until(lambda: "may not create topics" in asked(f"{content}/health/ready")[1])
    consumers = [content, system.start("gateway", "consumer"), system.start("trainer", "consumer")]
    gateway = system.start("gateway", "app")
    until(lambda: all(is_ready(address) for address in consumers[1:]))
    until(lambda: asked(f"{gateway}/v1/events", ratings(1))[0] in (200, 202))
    keys = Keys(system.namespace, "content", PARTITIONS)
    until(all_rated(redis_url, keys, 1))
    with as_user(system.environ("operator")):
        lines = "".join(json.dumps(event) + "\n" for event in ratings(2))
        published = command("publish", "-", text=lines)
        assert published.exit_code == 0, published.output
        until(all_rated(redis_url, keys, 2))
        doctor = json.loads(command("doctor", "--json").stdout)
        told = [one for one in doctor if "afka" in one["subject"] or "topic" in one["subject"]]
        assert [one for one in told if one["state"] == "bad"] == []
        assert "for the user" in json.dumps(told)
        checked = command("verify", "--service", "gateway", "--service", "content")
        assert checked.exit_code == 0, checked.output
        rebuilt = command("rebuild", "--replace", "--service", "content")
        assert rebuilt.exit_code == 0, rebuilt.output
        until(all_rated(redis_url, keys, 2))
        assert command("dead", "list").exit_code == 0


def test_a_process_with_a_wrong_password_ends_with_one_line(system: Systems) -> None:
    environ = system.environ("gateway-consumer") | {"MARQUEE_KAFKA_PASSWORD": "wrong"}
    command_ = [sys.executable, "-m", "gateway", "consumer"]
    kept = {n: v for n, v in os.environ.items() if not n.startswith("MARQUEE_")}
    done = subprocess.run(command_, env=kept | environ, capture_output=True, text=True, timeout=200)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("gateway consumer: Kafka: the broker refuses the user")
    assert "wrong" not in done.stderr
    assert done.stderr.count("\n") == 1
