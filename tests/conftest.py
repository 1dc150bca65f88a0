"""Servers for tests, one namespace for each test, and the patience of all."""

import logging
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from marquee.domain.likes import use_likes
from marquee_local import servers
from marquee_testing import Restartable
from marquee_testing.clients.node import built_typescript, node_lacks
from marquee_testing.servers.secure_kafka import SecureKafka, run_secure_kafka
from marquee_testing.servers.shared import shared_server
from marquee_testing.waiting import PATIENCE

# The same examples each time, so that only a change of the code makes a test fail.
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
# Between two tests pytest does not capture logs: keep those of Kafka's threads off the terminal.
logging.getLogger("kafka").addHandler(logging.NullHandler())

# A busy machine is no fault of the bus; the limit itself has tests of its own.
os.environ.setdefault("MARQUEE_WRITE_MS", "10000")
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Scale the time limits that tests name themselves, as the waits within them are."""
    for item in items:
        limit = item.get_closest_marker("timeout")
        if limit is not None and PATIENCE != 1:
            item.add_marker(pytest.mark.timeout(limit.args[0] * PATIENCE), append=False)


@pytest.fixture(autouse=True)
def logging_handlers() -> Iterator[None]:
    """Put the handlers of the log back after a test: a command's own write to its stderr.

    That file is closed when the test ends, and each record of a thread that is still closing, as
    those of Kafka's clients are, would be a stack trace instead of a line.
    """
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(autouse=True)
def default_likes() -> Iterator[None]:
    """Put the likes rule of the process back after a test: a command sets it by its settings."""
    yield
    use_likes("from-ratings")


@pytest.fixture
def every_rating() -> None:
    """Count every rating as a like during a test."""
    use_likes("every-rating")


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Restartable]:
    directory = tmp_path_factory.mktemp("valkey")
    server = Restartable(lambda port: servers.valkey(directory, port))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis_url(redis_server: Restartable) -> str:
    return redis_server.address


def require_kafka() -> None:
    """Skip what needs a Kafka broker where none can run; in CI that is a failure."""
    lacks = servers.kafka_lacks()
    if lacks:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(lacks)


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Restartable]:
    """A broker of this process alone, which tests may stop."""
    require_kafka()
    directory = tmp_path_factory.mktemp("kafka")
    server = Restartable(lambda port: servers.kafka(directory, port))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def kafka_servers(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of the broker that all workers of the run share."""
    require_kafka()
    base = tmp_path_factory.getbasetemp()
    base = base.parent if hasattr(pytestconfig, "workerinput") else base
    with shared_server(base / "kafka", lambda: servers.kafka(base / "kafka")) as address:
        yield address


@pytest.fixture(scope="session")
def secure_kafka(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SecureKafka]:
    """A broker with users, rights and TLS that all workers of the run share."""
    require_kafka()
    base = tmp_path_factory.getbasetemp()
    base = base.parent if hasattr(pytestconfig, "workerinput") else base
    folder = base / "secure-kafka"
    with shared_server(folder, lambda: run_secure_kafka(folder)) as addresses:
        yield SecureKafka.parse(addresses, folder)


@pytest.fixture(scope="session")
def typescript_client() -> Path:
    """The folder of the TypeScript client, built; skipped where there is no Node, but not in CI."""
    lacks = node_lacks()
    if lacks:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(lacks)
    return built_typescript()


@pytest.fixture
def namespace() -> str:
    return f"test-{secrets.token_hex(4)}"
