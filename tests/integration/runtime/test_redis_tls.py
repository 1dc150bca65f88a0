"""Redis over TLS with a certificate of the client, and what is wrong where it fails.

The server of the tests speaks no TLS itself: a port before it does.
"""

import asyncio
import http.client
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from marquee.access.key_store import KeyStore, Who
from marquee.bus.factory import open_bus
from marquee.errors import SettingsError
from marquee.requirements.start import check_start
from marquee.serving.update_stream import connect
from marquee.settings import Settings, read
from marquee.store.redis import RedisStore
from marquee_local.servers import free_port
from marquee_testing.servers.redis_users import UsersServer, valkey_with_users
from marquee_testing.servers.roles import start_role
from marquee_testing.servers.tls import Authority, Certificate, tls_before
from marquee_testing.waiting import until

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
NAMESPACE = "films"


@dataclass(frozen=True)
class TlsServer:
    """A server with users behind TLS, and files that fit it or do not."""

    server: UsersServer
    port: int
    authority: Authority
    client: Certificate
    stranger: Certificate
    """A certificate of an authority that the server does not know."""

    def variables(self, kind: str, **others: str) -> dict[str, str]:
        """Return the settings of a process; an empty one is left out."""
        variables = self.server.variables(kind) | {
            "MARQUEE_REDIS_URL": f"rediss://127.0.0.1:{self.port}/0",
            "MARQUEE_REDIS_CA": str(self.authority.certificate),
            "MARQUEE_REDIS_CERTIFICATE": str(self.client.certificate),
            "MARQUEE_REDIS_KEY": str(self.client.key),
        }
        variables |= {f"MARQUEE_{name}": value for name, value in others.items()}
        return {name: value for name, value in variables.items() if value}


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    folder = tmp_path_factory.mktemp("certificates")
    authority, other = Authority(folder, "authority"), Authority(folder, "other")
    own = authority.sign("server", "IP:127.0.0.1")
    with valkey_with_users(tmp_path_factory.mktemp("valkey"), NAMESPACE, "redis") as server:
        port = urlsplit(server.url).port or 0
        with tls_before(port, own, authority.certificate) as outer:
            client, stranger = authority.sign("client"), other.sign("stranger")
            yield TlsServer(server, outer, authority, client, stranger)


def settings_of(tls: TlsServer, kind: str, state: Path, **others: str) -> Settings:
    return read(tls.variables(kind, STATE=str(state), **others))


def test_every_client_comes_through(tls: TlsServer, tmp_path: Path) -> None:
    settings = settings_of(tls, "operator", tmp_path)
    check_start(settings, "operator")
    with closing(RedisStore(settings.redis_address)) as store:
        assert store.get(f"{NAMESPACE}:content:{{movies:0}}:complete") is None
    with closing(KeyStore(settings.redis_address, NAMESPACE, Who("tester"))) as keys:
        assert keys.all() == []
    with closing(open_bus(settings)) as bus:
        bus.create_topics({"movies": 4})
        assert bus.partitions("movies") == 4

    async def ask() -> bool:
        client = connect(settings.redis_address)
        try:
            return bool(await client.ping())
        finally:
            await client.aclose()

    assert asyncio.run(ask())


def test_a_process_works_over_tls(tls: TlsServer, tmp_path: Path) -> None:
    port = free_port()
    variables = tls.variables("gateway-consumer", STATE=str(tmp_path), CONSUMER_PORT=str(port))
    process = start_role("gateway", "consumer", variables)

    def is_ready() -> bool:
        assert process.is_alive()
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
            try:
                connection.request("GET", "/health/ready")
                return connection.getresponse().status == 200
            except OSError:
                return False

    try:
        until(is_ready)
    finally:
        process.terminate()
        process.join(60)
    assert process.exitcode == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"REDIS_CA": ""}, "is not trusted.*name its authority by MARQUEE_REDIS_CA"),
        ({"REDIS_CA": "STRANGER"}, "is not trusted"),
        (
            {"REDIS_CERTIFICATE": "", "REDIS_KEY": ""},
            "asks for a certificate.*set MARQUEE_REDIS_CERTIFICATE and MARQUEE_REDIS_KEY",
        ),
        (
            {"REDIS_CERTIFICATE": "STRANGER", "REDIS_KEY": "STRANGER_KEY"},
            "does not take the certificate of MARQUEE_REDIS_CERTIFICATE",
        ),
        ({"REDIS_KEY": "STRANGER_KEY"}, "cannot be used.*the key must be that of the certificate"),
        ({"REDIS_KEY": ""}, "MARQUEE_REDIS_KEY, cannot be used"),
        ({"REDIS_CA": "TEXT"}, "MARQUEE_REDIS_CA cannot be used.*name a file in PEM"),
        ({"REDIS_URL": "rediss://localhost:PORT/0"}, "for another name.*the name that it is for"),
        (
            {"REDIS_URL": "redis://127.0.0.1:PORT/0", "REDIS_CA": "", "REDIS_CERTIFICATE": "",
             "REDIS_KEY": ""},
            "speaks TLS; write rediss://",
        ),
        ({"REDIS_URL": "rediss://127.0.0.1:PLAIN/0"}, "speaks no TLS; write redis://"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_the_remedy(
    tls: TlsServer, tmp_path: Path, changes: dict[str, str], words: str
) -> None:
    (text := tmp_path / "text").write_text("no certificate")
    names = {
        "STRANGER_KEY": str(tls.stranger.key),
        "STRANGER": str(tls.stranger.certificate),
        "TEXT": str(text),
        "PORT": str(tls.port),
        "PLAIN": str(urlsplit(tls.server.url).port),
    }
    for name, value in names.items():
        changes = {
            setting: given.replace(name, value) if not given.startswith("/") else given
            for setting, given in changes.items()
        }
    settings = settings_of(tls, "operator", tmp_path, **changes)
    with pytest.raises(SettingsError, match=words) as refused:
        check_start(settings, "operator")
    assert "\n" not in str(refused.value)
