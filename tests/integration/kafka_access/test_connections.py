"""A connection that cannot be made is told in plain words: at the start, and by a write."""

import asyncio
import time
from pathlib import Path

import pytest

from gateway.state.publisher import Publisher
from marquee.bus.api import TopicPartition
from marquee.bus.factory import open_bus
from marquee.bus.kafka.access.rights import user_of
from marquee.bus.log import open_log
from marquee.errors import BusUnavailable, SettingsError
from marquee.events import RatingAdded
from marquee.requirements.kafka_server import kafka_server_results
from marquee.requirements.start import check_start, enforce
from marquee.settings import Settings, read
from marquee_testing.servers.secure_kafka import SecureKafka

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.filterwarnings("ignore:unclosed <(socket|ssl):ResourceWarning"),
]
FOREIGN = {"KAFKA_CA": "foreign/ca.pem"}
CLIENT = {"KAFKA_CERTIFICATE": "client.pem"}
FOREIGN_CLIENT = {"KAFKA_CERTIFICATE": "foreign/client.pem"}
PLAIN = {"KAFKA_CA": "", "KAFKA_SECURITY_PROTOCOL": "PLAINTEXT"}
NOBODY = {"KAFKA_USER": "", "KAFKA_PASSWORD": ""}
RATING = RatingAdded(source="test", data={"user_id": 1, "movie_id": 2, "rating": 4.0})

REFUSED = [
    ("CLIENT", {"KAFKA_PASSWORD": "wrong"}, "refuses the user", "MARQUEE_KAFKA_PASSWORD"),
    ("CLIENT", {"KAFKA_USER": "nobody"}, "refuses the user nobody", "MARQUEE_KAFKA_USER"),
    ("CLIENT", FOREIGN, "is not trusted", "MARQUEE_KAFKA_CA=FILE"),
    ("CLIENT", {"KAFKA_CA": ""}, "is not trusted", "MARQUEE_KAFKA_CA=FILE"),
    ("EXPIRED", {}, "has expired", "renew it on the broker"),
    ("ELSEWHERE", {}, "holds for another host", "MARQUEE_KAFKA_SERVERS"),
    ("CLIENT", PLAIN | NOBODY, "speaks TLS", "MARQUEE_KAFKA_SECURITY_PROTOCOL=SSL"),
    ("CLIENT", PLAIN | {"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT"}, "speaks TLS", "=SASL_SSL"),
    ("CLIENT", NOBODY | {"KAFKA_SECURITY_PROTOCOL": "SSL"}, "asks for a user", "=SASL_SSL"),
    ("MUTUAL", {}, "asks for a client's certificate", "MARQUEE_KAFKA_CERTIFICATE"),
    ("MUTUAL", FOREIGN_CLIENT, "refuses the certificate", "authority that the broker trusts"),
    ("SHORT", {"KAFKA_SASL_MECHANISM": "SCRAM-SHA-256"}, "takes SCRAM-SHA-512", "one of them"),
]
FILES = ("KAFKA_CA", "KAFKA_CERTIFICATE")


def settings_of(broker: SecureKafka, user: str, listener: str, changed: dict[str, str]) -> Settings:
    """Return the settings of a user with some changed, files relative to the broker's folder."""
    files = {n: str(broker.folder / v) for n, v in changed.items() if n in FILES and v}
    own = {f"MARQUEE_{name}": value for name, value in (changed | files).items()}
    return read(broker.environ(user, listener) | own)


@pytest.mark.parametrize(("listener", "changed", "words", "remedy"), REFUSED)
def test_what_no_waiting_mends_is_refused_at_the_start_and_told_by_a_write(
    secure_kafka: SecureKafka,
    granted: str,
    listener: str,
    changed: dict[str, str],
    words: str,
    remedy: str,
) -> None:
    settings = settings_of(secure_kafka, user_of("gateway-app", granted), listener, changed)
    with pytest.raises(SettingsError) as refused:
        enforce(kafka_server_results(settings))
    for text in (str(refused.value), written(settings)):
        assert words in text
        assert remedy in text
        assert "password-of" not in text
        assert "\n" not in text


def written(settings: Settings) -> str:
    """Return why a write is refused, which is told within two seconds."""

    async def write() -> None:
        bus = open_bus(settings)
        publisher = Publisher(bus.producer, 1.9)
        try:
            await publisher.publish([RATING])
        finally:
            await publisher.close()
            bus.close()

    started = time.monotonic()
    with pytest.raises(BusUnavailable) as refused:
        asyncio.run(write())
    assert time.monotonic() - started < 20  # the limit itself is that of the publisher
    return str(refused.value)


@pytest.mark.parametrize(
    ("listener", "changed"),
    [
        ("CLIENT", {}),
        ("MUTUAL", CLIENT),
        ("SHORT", {}),
        ("ELSEWHERE", {"KAFKA_CHECK_HOSTNAME": "false"}),
    ],
)
def test_what_the_broker_takes_is_good_and_is_written(
    secure_kafka: SecureKafka, granted: str, listener: str, changed: dict[str, str]
) -> None:
    settings = settings_of(secure_kafka, user_of("gateway-app", granted), listener, changed)
    settings = settings.model_copy(update={"namespace": granted})
    [result] = kafka_server_results(settings)
    assert (result.state, settings.kafka_user in result.text) == ("good", True)
    bus = open_bus(settings)
    producer = bus.producer()
    assert producer.publish([]) == []
    producer.close()
    bus.close()


def test_a_port_in_plain_text_is_told_to_those_who_expect_tls_or_users(
    secure_kafka: SecureKafka, kafka_servers: str
) -> None:
    environ = secure_kafka.environ("admin") | {"MARQUEE_KAFKA_SERVERS": kafka_servers}
    [result] = kafka_server_results(read(environ))
    assert (result.at_start, "speaks no TLS" in result.text) == ("refuse", True)
    assert "SASL_PLAINTEXT" in result.remedy
    environ |= {"MARQUEE_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "MARQUEE_KAFKA_CA": ""}
    [result] = kafka_server_results(read(environ))
    assert (result.at_start, "takes no user" in result.text) == ("refuse", True)


def test_a_second_password_by_the_other_mechanism_holds_beside_the_first(
    secure_kafka: SecureKafka, granted: str
) -> None:
    user = user_of("producer", granted)
    with secure_kafka.grants() as grants:
        grants.set_passwords({user: "new"}, "SCRAM-SHA-256")
    new = {"KAFKA_SASL_MECHANISM": "SCRAM-SHA-256", "KAFKA_PASSWORD": "new"}
    for changed in ({}, new):
        settings = settings_of(secure_kafka, user, "CLIENT", changed)
        assert [r.state for r in kafka_server_results(settings)] == ["good"]


def test_rights_that_a_user_lacks_are_named_and_no_reason_to_refuse(
    secure_kafka: SecureKafka, granted: str, tmp_path: Path, redis_url: str
) -> None:
    lacking = f"{granted}x"
    user = user_of("gateway-app", lacking)
    with secure_kafka.grants() as grants:
        grants.set_passwords({user: secure_kafka.password(user)}, "SCRAM-SHA-512")
    settings = settings_of(secure_kafka, user, "CLIENT", {}).model_copy(
        update={
            "namespace": lacking,
            "state": tmp_path,
            "redis_url": Settings(redis_url=redis_url).redis_url,
        }
    )
    found = kafka_server_results(settings)
    assert [r.state for r in found] == ["good", "bad", "bad"]
    assert f"may not Describe, Write the topic {lacking}.movies" in found[1].text
    check_start(settings)
    assert f"may not use the topic {lacking}.ratings" in written(settings)
    log = open_log(settings)
    with pytest.raises(BusUnavailable, match=r"may not use the topic .*marquee kafka acls"):
        log.range(TopicPartition("ratings", 0))
    log.close()
