"""Settings of a connection to Kafka: contradictions and files that cannot be used are named."""

import shutil
from pathlib import Path

import pytest

from marquee.bus.factory import open_bus
from marquee.bus.kafka.connection.security import KafkaSecurity
from marquee.errors import SettingsError
from marquee.settings import read
from marquee_local.servers import BROKER
from marquee_testing.scripts import load_script

LOGIN = {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_USER": "u", "KAFKA_PASSWORD": "p"}
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")


def opened(changed: dict[str, str]) -> None:
    """Open the bus as a process with these settings does."""
    environ = {"MARQUEE_BUS": "kafka"} | {f"MARQUEE_{n}": v for n, v in changed.items()}
    open_bus(read(environ)).close()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "needs MARQUEE_KAFKA_USER"),
        (LOGIN | {"KAFKA_PASSWORD": ""}, "MARQUEE_KAFKA_PASSWORD or MARQUEE_KAFKA_PASSWORD_FILE"),
        ({"KAFKA_USER": "u"}, "MARQUEE_KAFKA_USER is set, and .*=PLAINTEXT logs nobody in"),
        ({"KAFKA_PASSWORD": "p"}, "MARQUEE_KAFKA_PASSWORD is set"),
        ({"KAFKA_CA": "ca.pem"}, "MARQUEE_KAFKA_CA is set, and .*=PLAINTEXT has no TLS"),
        (LOGIN | {"KAFKA_KEY": "k.pem"}, "MARQUEE_KAFKA_KEY is set without"),
        (LOGIN | {"KAFKA_CA": "nowhere.pem"}, "MARQUEE_KAFKA_CA: nowhere.pem: No such file"),
        (LOGIN | {"KAFKA_CA": "pyproject.toml"}, "pyproject.toml has no certificate"),
        (LOGIN | {"KAFKA_CERTIFICATE": "nowhere.pem"}, "MARQUEE_KAFKA_CERTIFICATE: nowhere.pem"),
        (LOGIN | {"KAFKA_CERTIFICATE": "pyproject.toml"}, "no certificate with its key in PEM"),
        ({"KAFKA_SECURITY_PROTOCOL": "TLS"}, "MARQUEE_KAFKA_SECURITY_PROTOCOL: .*SASL_SSL"),
        ({"KAFKA_SASL_MECHANISM": "PLAIN"}, "MARQUEE_KAFKA_SASL_MECHANISM: .*SCRAM-SHA-256"),
        (LOGIN | {"KAFKA_USER": "a,b"}, "MARQUEE_KAFKA_USER: neither , nor ="),
    ],
)
def test_settings_that_lead_to_no_connection_are_refused_by_name(
    changed: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).resolve().parents[3])
    with pytest.raises(SettingsError, match=words) as refused:
        opened(changed)
    assert "\n" not in str(refused.value)


def test_a_process_that_does_not_open_the_bus_needs_no_user() -> None:
    settings = read({"MARQUEE_BUS": "kafka", "MARQUEE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL"})
    assert settings.kafka_user == ""
    empty = {"MARQUEE_KAFKA_CA": "", "MARQUEE_KAFKA_CERTIFICATE": "", "MARQUEE_KAFKA_KEY": ""}
    assert read(empty).kafka_ca is None


def test_a_password_stands_in_a_file_and_shows_nowhere(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hidden\n")
    file = {"KAFKA_PASSWORD": "", "KAFKA_PASSWORD_FILE": str(tmp_path / "password")}
    settings = read({f"MARQUEE_{name}": value for name, value in (LOGIN | file).items()})
    security = KafkaSecurity.of(settings)
    assert security.client_options()["sasl_plain_password"] == "hidden"
    assert "hidden" not in f"{settings!r}{security!r}"


@needs_openssl
def test_a_renewed_certificate_is_read_by_the_next_connection(tmp_path: Path) -> None:
    script = load_script(BROKER.with_name("certificates.py"))
    script.make_authority(tmp_path)
    file = script.make_certificate(tmp_path, "client", "client", [], 1)
    (tmp_path / "other").mkdir()
    script.make_authority(tmp_path / "other")
    security = KafkaSecurity("SSL", ca=tmp_path / "ca.pem", certificate=file)
    first = security.ssl_context().get_ca_certs(binary_form=True)
    (tmp_path / "ca.pem").write_bytes((tmp_path / "other" / "ca.pem").read_bytes())
    assert security.ssl_context().get_ca_certs(binary_form=True) != first
    file.unlink()
    with pytest.raises(SettingsError, match=r"client\.pem: No such file"):
        security.ssl_context()
