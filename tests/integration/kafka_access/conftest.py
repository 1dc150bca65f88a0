"""One namespace with users, rights and topics for the tests of this folder."""

import gc
import logging
import secrets
from collections.abc import Iterator

import pytest

from marquee.bus.kafka.bus import KafkaBus
from marquee.bus.topics import create_topics
from marquee_testing.servers.secure_kafka import ADMIN, SecureKafka

PARTITIONS = 4


@pytest.fixture(autouse=True)
def quiet_client(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    # Records of the client's log would keep its sockets past the end of the test.
    caplog.set_level(logging.CRITICAL, logger="kafka")
    yield
    gc.collect()


@pytest.fixture(scope="module")
def granted(secure_kafka: SecureKafka) -> str:
    """A namespace whose users have their rights, and whose topics exist."""
    namespace = f"access-{secrets.token_hex(4)}"
    secure_kafka.grant(namespace)
    bus = KafkaBus(secure_kafka.address, namespace, security=secure_kafka.security(ADMIN))
    create_topics(bus, PARTITIONS)
    bus.close()
    return namespace
