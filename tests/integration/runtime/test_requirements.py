"""What a Redis must be like, looked at on real ones: good, a note, a warning, or refused."""

import shutil
import socket
import ssl
import subprocess
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

from marquee.errors import SettingsError
from marquee.requirements.redis_server import redis_results
from marquee.requirements.result import CheckResult
from marquee.requirements.start import check_start
from marquee.settings import Settings, read
from marquee_local.servers import free_port, valkey, valkey_command
from marquee_testing.waiting import until

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
    told = pytest.raises(SettingsError, match=r"not trusted.*MARQUEE_REDIS_CA")
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


def test_settings_from_the_environment_lead_to_the_same_server(url: str) -> None:
    assert redis_results(read({"MARQUEE_REDIS_URL": url}))[0].text == f"answers at {url[8:-2]}"
