"""Servers for tests: one of each for the session, one namespace for each test."""

import os
import secrets
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings

from marquee_local import servers
from marquee_testing import Restartable

# The same examples each time, so that a test fails for who changed the code and for nobody else.
# `HYPOTHESIS_PROFILE=search` looks for other ones, and for longer.
settings.register_profile(
    "same", derandomize=True, deadline=None, database=None, print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
settings.register_profile("search", settings.get_profile("same"), derandomize=False)
# `make mutations` wants to know whether a test fails, not the smallest way to make it.
settings.register_profile(
    "unshrunk", settings.get_profile("same"), phases=[Phase.explicit, Phase.generate]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Restartable]:
    directory = tmp_path_factory.mktemp("valkey")
    server = Restartable(lambda port: servers.valkey(directory, port))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis_url(redis_server: Restartable) -> str:
    return redis_server.address


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Restartable]:
    lacks = servers.kafka_lacks()
    if lacks:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(lacks)
    directory = tmp_path_factory.mktemp("kafka")
    server = Restartable(lambda port: servers.kafka(directory, port))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def kafka_servers(kafka_server: Restartable) -> str:
    return kafka_server.address


@pytest.fixture
def namespace() -> str:
    return f"test-{secrets.token_hex(4)}"
