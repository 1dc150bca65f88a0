"""Processes and commands that must not work end with one line; those that may wait do."""

import http.client
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis
from typer.testing import CliRunner

from marquee_local.servers import free_port, valkey
from marquee_testing.waiting import until
from trainer.cli.main import app


@pytest.fixture(scope="module")
def evicting_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that evicts any key under a limit."""
    with valkey(tmp_path_factory.mktemp("valkey")) as url, closing(Redis.from_url(url)) as client:
        client.config_set("maxmemory", "64mb")
        client.config_set("maxmemory-policy", "allkeys-lru")
        yield url


def start(url: str, *command: str, **variables: str) -> "subprocess.Popen[str]":
    """Start a process of the system with settings of its own."""
    environ = {name: v for name, v in os.environ.items() if not name.startswith("MARQUEE_")}
    environ |= {"MARQUEE_REDIS_URL": url, **{f"MARQUEE_{n}": v for n, v in variables.items()}}
    return subprocess.Popen(
        [sys.executable, "-m", *command],
        env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    "command",
    ["verify", "rebuild", "erasure 1", "inspect movie 1", "dead list", "publish FILE"],
)
def test_a_command_tells_a_wrong_password_in_one_line(
    redis_url: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARQUEE_REDIS_URL", redis_url.replace("//", "//nobody:Zq7%2F@"))
    monkeypatch.setenv("MARQUEE_STATE", str(tmp_path / "state"))
    (file := tmp_path / "events").write_text('{"type": "user.erased", "data": {"user_id": 1}}')
    done = CliRunner().invoke(app, command.replace("FILE", str(file)).split())
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1), done.output
    assert "refuses the user or the password of MARQUEE_REDIS_URL" in done.stderr
    assert "Zq7" not in done.output


def test_a_process_waits_for_a_server_that_is_away(namespace: str, tmp_path: Path) -> None:
    port, health = free_port(), free_port()
    variables = {"CONSUMER_PORT": str(health), "STATE": str(tmp_path), "NAMESPACE": namespace}
    process = start(f"redis://127.0.0.1:{port}/0", "gateway", "consumer", **variables)
    try:
        until(lambda: readiness(health) == 503)
        with valkey(tmp_path / "valkey", port):
            until(lambda: readiness(health) == 200)
            process.terminate()
            process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0


def readiness(port: int) -> int:
    """Return the status of a process's readiness, 0 before it listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


@pytest.mark.parametrize(("service", "role"), [("gateway", "consumer"), ("content", "app")])
def test_a_process_ends_with_one_line_where_it_would_lose_facts(
    evicting_url: str, service: str, role: str, tmp_path: Path
) -> None:
    process = start(evicting_url, service, role, STATE=str(tmp_path))
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 2, errors
    assert errors.count("\n") == 1
    assert errors.startswith(f"{service} {role}: Redis eviction: maxmemory-policy is allkeys-lru")


@pytest.mark.parametrize(
    ("role", "variable", "workers"),
    [
        ("app", "GATEWAY_PORT", "1"),
        ("app", "GATEWAY_PORT", "2"),
        ("app", "OPERATE_PORT", "2"),
        ("consumer", "CONSUMER_PORT", "2"),
    ],
)
def test_a_port_that_is_taken_ends_a_process_with_one_line(
    redis_url: str, namespace: str, role: str, variable: str, workers: str, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        variables = {"STATE": str(tmp_path), "NAMESPACE": namespace, "WORKERS": workers}
        variables |= {"GATEWAY_PORT": str(free_port()), variable: str(port)}
        process = start(redis_url, "gateway", role, **variables)
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 2, errors
    assert errors == (
        f"gateway {role}: MARQUEE_{variable}: 127.0.0.1:{port} is taken: end the process that"
        " listens there, or set another port\n"
    )
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        # Known to the supervisor, and to the workers alone.
        ({"WORKERS": "0"}, "MARQUEE_WORKERS: Input should be greater than or equal to 1"),
        ({"WORKERS": "2", "DRAIN_S": "-1"}, "MARQUEE_DRAIN_S: Input should be greater than or"),
        ({"WORKERS": "3", "CORS_SCOPES": "read,fly"}, "MARQUEE_CORS_SCOPES: fly is no scope;"),
    ],
)
def test_a_wrong_setting_ends_an_app_of_several_workers_with_one_line(
    redis_url: str, namespace: str, variables: dict[str, str], line: str, tmp_path: Path
) -> None:
    values = {"STATE": str(tmp_path), "NAMESPACE": namespace, "GATEWAY_PORT": str(free_port())}
    process = start(redis_url, "gateway", "app", **values | variables)
    _, errors = process.communicate(timeout=120)
    assert (process.returncode, errors.count("\n")) == (2, 1), errors
    assert errors.startswith(f"gateway app: {line}")


def test_a_state_folder_that_is_a_file_ends_processes_and_commands_with_one_line(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file := tmp_path / "state").touch()
    process = start(redis_url, "gateway", "app", STATE=str(file))
    _, errors = process.communicate(timeout=120)
    assert (process.returncode, errors.count("\n")) == (2, 1), errors
    monkeypatch.setenv("MARQUEE_REDIS_URL", redis_url)
    command = CliRunner().invoke(app, ["--state", str(file), "models", "list"])
    assert (command.exit_code, command.stderr.count("\n")) == (2, 1), command.stderr
    for line in (errors, command.stderr):
        assert f"{file} is a file, not a folder; set MARQUEE_STATE" in line


def test_the_doctor_reports_what_processes_refuse(
    evicting_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file := tmp_path / "state").touch()
    monkeypatch.setenv("MARQUEE_REDIS_URL", evicting_url)
    command = CliRunner().invoke(app, ["--state", str(file), "doctor", "--json"])
    states = {found["subject"]: found["state"] for found in json.loads(command.stdout)}
    assert command.exit_code == 2
    assert (states["Redis eviction"], states["state folder"]) == ("bad", "bad")
    assert states["Redis version"] == "good"
