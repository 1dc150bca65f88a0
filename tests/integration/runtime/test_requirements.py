"""What servers must be like, looked at on real ones by the doctor and by processes at start."""

import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis
from redis.exceptions import RedisError
from structlog.testing import capture_logs
from typer.testing import CliRunner

from marquee.errors import SettingsError
from marquee.requirements.redis_server import redis_results
from marquee.requirements.result import CheckResult
from marquee.requirements.start import check_start
from marquee.settings import Settings, read
from marquee_local.servers import free_port, valkey, valkey_command
from marquee_testing.waiting import until
from trainer.cli.main import app

SECRET = "Zq7/ä@#%41 Zq7"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of this file alone, whose settings tests change."""
    with valkey(tmp_path_factory.mktemp("valkey")) as address:
        yield address


@pytest.fixture
def server(url: str) -> Iterator[Any]:
    """A client of that server, whose settings and users are put back after the test."""
    with closing(Redis.from_url(url, decode_responses=True)) as client:
        names = ("maxmemory", "maxmemory-policy", "save", "appendonly", "appendfsync")
        before: dict[str, Any] = client.config_get(*names)  # type: ignore[assignment]
        yield client
        for name, value in before.items():
            client.config_set(name, value)
        for user in client.acl_users():
            if user != "default":
                client.acl_deluser(str(user))


def of(url: str, **others: Any) -> Settings:
    return Settings.model_validate({"redis_url": url, **others})


def result(url: str, subject: str, **others: Any) -> CheckResult:
    """Return the one result of a subject."""
    [found] = [r for r in redis_results(of(url, **others)) if r.subject == subject]
    return found


def with_user(url: str, user: str, password: str = "") -> str:
    return url.replace("redis://", f"redis://{user}:{quote(password, safe='')}@")


def start(url: str, *command: str, **variables: str) -> "subprocess.Popen[str]":
    """Start a process of the system with settings of its own."""
    environ = {name: v for name, v in os.environ.items() if not name.startswith("MARQUEE_")}
    environ |= {"MARQUEE_REDIS_URL": url, **{f"MARQUEE_{n}": v for n, v in variables.items()}}
    return subprocess.Popen(
        [sys.executable, "-m", *command],
        env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_server_as_the_documents_demand_it_is_good(url: str, server: Any) -> None:
    server.config_set("appendfsync", "always")
    found = redis_results(of(url))
    assert {r.state for r in found} == {"good"}
    assert {r.subject for r in found} >= {"Redis version", "Redis eviction", "Redis persistence"}
    check_start(of(url))


@pytest.mark.parametrize(
    ("policy", "limit", "at_start"),
    [
        ("allkeys-lru", "64mb", "refuse"),
        ("allkeys-lru", "0", "warn"),
        ("volatile-ttl", "64mb", "warn"),
    ],
)
def test_a_policy_that_evicts_is_bad_and_refused_where_it_may_take_facts(
    url: str, server: Any, policy: str, limit: str, at_start: str
) -> None:
    server.config_set("maxmemory", limit)
    server.config_set("maxmemory-policy", policy)
    found = result(url, "Redis eviction")
    assert (found.state, found.at_start) == ("bad", at_start)
    assert policy in found.text
    assert "noeviction" in found.remedy


def test_data_that_are_not_saved_are_a_warning(url: str, server: Any) -> None:
    server.config_set("appendonly", "no")
    found = result(url, "Redis persistence")
    assert (found.state, found.at_start) == ("warning", "warn")
    with capture_logs() as logs:
        check_start(of(url))
    [warning] = [line for line in logs if "Redis persistence" in line["detail"]]
    assert warning["log_level"] == "warning"
    assert "set appendonly yes" in warning["detail"]
    server.config_set("save", "3600 1")
    assert "save 3600 1 alone" in result(url, "Redis persistence").text


def test_a_flush_a_second_is_noted_where_redis_is_the_log(url: str) -> None:
    assert result(url, "Redis persistence").state == "note"
    assert result(url, "Redis persistence", bus="kafka").state == "good"


def test_memory_that_is_nearly_used_is_a_warning(url: str, server: Any) -> None:
    used = server.info("memory")["used_memory"]
    server.config_set("maxmemory", used)
    assert result(url, "Redis memory").state == "warning"
    server.config_set("maxmemory", 10 * used)
    assert "Redis memory" not in {r.subject for r in redis_results(of(url))}


def test_what_a_user_may_not_look_at_is_a_note(url: str, server: Any) -> None:
    server.acl_setuser("some", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-config"])
    server.config_set("appendonly", "no")
    assert result(with_user(url, "some"), "Redis persistence").state == "note"
    server.acl_setuser("some", enabled=True, commands=["-info", "-time", "-ping"])
    found = redis_results(of(with_user(url, "some")))
    assert {r.state for r in found} == {"good", "note"}
    assert "INFO is not allowed" in found[1].text
    check_start(of(with_user(url, "some")))


def test_a_replica_is_refused_with_the_name_of_its_primary(url: str, tmp_path: Path) -> None:
    with valkey(tmp_path) as replica, closing(Redis.from_url(replica)) as client:
        port = int(url.rpartition(":")[2].partition("/")[0])
        client.replicaof("127.0.0.1", port)
        found = result(replica, "Redis role")
        assert (found.state, found.at_start) == ("bad", "refuse")
        assert f"127.0.0.1:{port}" in found.text
        with pytest.raises(SettingsError, match="replica"):
            check_start(of(replica))


def test_cluster_mode_is_refused(tmp_path: Path) -> None:
    port = free_port()
    command = [*valkey_command(tmp_path, port), "--cluster-enabled", "yes"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        until(lambda: answers(port))
        with pytest.raises(SettingsError, match=r"cluster mode.*cluster-enabled no"):
            check_start(of(f"redis://127.0.0.1:{port}/0"))
        with closing(Redis(port=port)) as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            assert result(f"redis://127.0.0.1:{port}", "Redis role").at_start == "refuse"
    finally:
        process.kill()
        process.wait()


def answers(port: int) -> bool:
    with closing(Redis(port=port)) as client:
        try:
            return bool(client.info())
        except RedisError:
            return False


@given(st.text(st.one_of(st.sampled_from("@/#%?[]: "), st.characters(codec="utf-8")), min_size=1))
@settings(max_examples=40)
def test_a_password_of_any_characters_is_right_when_encoded(url: str, password: str) -> None:
    with closing(Redis.from_url(url)) as client:
        rights: Any = {"keys": ["*"], "commands": ["+@all"]}
        client.acl_setuser("any", enabled=True, passwords=[f"+{password}"], **rights)
        right = with_user(url, "any", password)
        assert "Redis version" in {r.subject for r in redis_results(of(right))}
        client.acl_deluser("any")


def test_a_wrong_or_missing_password_is_told_without_it(url: str, server: Any) -> None:
    server.acl_setuser("other", enabled=True, passwords=["+right"], keys=["*"], commands=["+@all"])
    for user, words in (("other", "refuses the user or the password"), ("nobody", "refuses")):
        with pytest.raises(SettingsError) as refused:
            check_start(of(with_user(url, user, SECRET)))
        line = str(refused.value)
        assert words in line
        assert "MARQUEE_REDIS_URL" in line
        assert "%2F" in line
        assert "Zq7" not in line
        assert "\n" not in line


@pytest.mark.parametrize(
    "command",
    ["verify", "rebuild", "erasure 1", "inspect movie 1", "dead list", "publish FILE", "train"],
)
def test_a_command_tells_a_wrong_password_in_one_line(
    url: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARQUEE_REDIS_URL", with_user(url, "nobody", SECRET))
    monkeypatch.setenv("MARQUEE_STATE", str(tmp_path / "state"))
    (file := tmp_path / "events").write_text('{"type": "user.erased", "data": {"user_id": 1}}')
    done = CliRunner().invoke(app, command.replace("FILE", str(file)).split())
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1), done.output
    assert "refuses the user or the password of MARQUEE_REDIS_URL" in done.stderr
    assert "Zq7" not in done.output


def test_a_missing_password_is_told_with_the_form_of_an_address(tmp_path: Path) -> None:
    with valkey(tmp_path) as address, closing(Redis.from_url(address)) as client:
        client.config_set("requirepass", SECRET)
        with pytest.raises(SettingsError, match=r"MARQUEE_REDIS_URL has no password.*:PASSWORD@"):
            check_start(of(address))
        check_start(of(with_user(address, "", SECRET)))


def test_tls_to_a_plain_port_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="speaks no TLS; write redis://"):
        check_start(of(url.replace("redis:", "rediss:")))


@contextmanager
def tls_server(key: str = "", certificate: str = "") -> Iterator[int]:
    """Serve TLS; without a certificate each greeting ends in an alert, as TLS has them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if certificate:
        context.load_cert_chain(certificate, key)

    def greet() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            try:
                context.wrap_socket(connection, server_side=True).close()
            except OSError:
                connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_plain_address_of_a_port_with_tls_is_refused() -> None:
    with tls_server() as port, pytest.raises(SettingsError, match="speaks TLS; write rediss://"):
        check_start(of(f"redis://127.0.0.1:{port}/0"))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_a_certificate_of_an_unknown_authority_is_told(tmp_path: Path) -> None:
    files = [str(tmp_path / name) for name in ("key.pem", "certificate.pem")]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-subj", "/CN=localhost", "-keyout", files[0], "-out", files[1]],
        check=True, capture_output=True,
    )  # fmt: skip
    told = pytest.raises(SettingsError, match=r"not trusted.*\?ssl_ca_certs=FILE")
    with tls_server(*files) as port, told:
        check_start(of(f"rediss://localhost:{port}/0"))


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("?foo=1", "MARQUEE_REDIS_URL has an unknown option"),
        ("/99", "no database of the number in MARQUEE_REDIS_URL"),
    ],
)
def test_an_end_of_the_address_that_the_server_does_not_take_is_refused(
    url: str, end: str, words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        check_start(of(url.removesuffix("/0") + end))


def test_a_server_that_is_away_is_no_reason_to_refuse(tmp_path: Path) -> None:
    away = of(f"redis://127.0.0.1:{free_port()}/0", state=tmp_path)
    [found] = redis_results(away)
    assert (found.state, found.at_start) == ("bad", "")
    check_start(away)


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


@pytest.mark.parametrize("service", ["gateway", "content"])
@pytest.mark.parametrize("role", ["app", "consumer"])
def test_a_process_ends_with_one_line_where_it_would_lose_facts(
    url: str, server: Any, service: str, role: str, tmp_path: Path
) -> None:
    server.config_set("maxmemory", "64mb")
    server.config_set("maxmemory-policy", "allkeys-lru")
    process = start(url, service, role, STATE=str(tmp_path))
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 2, errors
    assert errors.count("\n") == 1
    assert errors.startswith(f"{service} {role}: Redis eviction: maxmemory-policy is allkeys-lru")


@pytest.mark.parametrize(
    ("role", "variable"), [("app", "GATEWAY_PORT"), ("consumer", "CONSUMER_PORT")]
)
def test_a_port_that_is_taken_ends_a_process_with_one_line(
    url: str, namespace: str, role: str, variable: str, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        variables = {variable: str(port), "STATE": str(tmp_path), "NAMESPACE": namespace}
        process = start(url, "gateway", role, **variables)
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 2, errors
    assert errors == (
        f"gateway {role}: MARQUEE_{variable}: 127.0.0.1:{port} is taken: end the process that"
        " listens there, or set another port\n"
    )
    assert "Traceback" not in output


def test_a_state_folder_that_is_a_file_ends_processes_and_commands_with_one_line(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file := tmp_path / "state").touch()
    process = start(url, "gateway", "app", STATE=str(file))
    _, errors = process.communicate(timeout=120)
    assert (process.returncode, errors.count("\n")) == (2, 1), errors
    monkeypatch.setenv("MARQUEE_REDIS_URL", url)
    command = CliRunner().invoke(app, ["--state", str(file), "models", "list"])
    assert (command.exit_code, command.stderr.count("\n")) == (2, 1), command.stderr
    for line in (errors, command.stderr):
        assert f"{file} is a file, not a folder; set MARQUEE_STATE" in line


def test_the_doctor_reports_what_processes_refuse(
    url: str, server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.config_set("maxmemory-policy", "allkeys-lru")
    (file := tmp_path / "state").touch()
    monkeypatch.setenv("MARQUEE_REDIS_URL", url)
    command = CliRunner().invoke(app, ["--state", str(file), "doctor", "--json"])
    states = {found["subject"]: found["state"] for found in json.loads(command.stdout)}
    assert command.exit_code == 2
    assert (states["Redis eviction"], states["state folder"]) == ("bad", "bad")
    assert states["Redis version"] == "good"


def test_settings_from_the_environment_lead_to_the_same_server(url: str) -> None:
    assert redis_results(read({"MARQUEE_REDIS_URL": url}))[0].text == f"answers at {url[8:-2]}"
