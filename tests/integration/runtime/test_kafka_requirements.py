"""Topics on a real broker: what it tells of them, and a consumer that must not read them."""

import gc
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from marquee.bus.kafka.bus import KafkaBus
from marquee.bus.topics import create_topics
from marquee.events import RATINGS
from marquee.requirements.kafka_topics import kafka_results
from marquee.settings import Settings
from marquee_testing.waiting import until

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.filterwarnings("ignore:unclosed <(socket|ssl):ResourceWarning"),
]


@pytest.fixture
def bus(kafka_servers: str, namespace: str, caplog: pytest.LogCaptureFixture) -> Iterator[KafkaBus]:
    # Records of the client's log would keep its sockets past the end of the test.
    caplog.set_level(logging.CRITICAL, logger="kafka")
    made = KafkaBus(kafka_servers, namespace)
    yield made
    made.close()
    gc.collect()


def change(servers: str, topic: str, **values: str) -> None:
    """Set configs of a topic; the underscores of their names stand for dots."""
    admin = KafkaAdminClient(bootstrap_servers=servers)
    configs = {name.replace("_", "."): value for name, value in values.items()}
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs)])
    admin.close()


def test_new_topics_are_as_the_settings_say_and_a_changed_one_is_seen(
    bus: KafkaBus, kafka_servers: str, namespace: str
) -> None:
    settings = Settings(bus="kafka", kafka_servers=kafka_servers, namespace=namespace)
    assert "not there: movies, ratings, models" in kafka_results(settings, bus)[0].text
    create_topics(bus, settings.partitions)
    # One broker: one copy of each topic, which is a note, and nothing else is one.
    found = [r for r in kafka_results(settings, bus) if r.subject != "Kafka clock"]
    assert [(r.state, "one copy" in r.text) for r in found] == [("note", True)] * 6
    change(kafka_servers, f"{namespace}.{RATINGS}", retention_ms="86400000")

    def warnings() -> list[str]:
        return [r.text for r in kafka_results(settings, bus) if r.state == "warning"]

    # The broker answers a change of a topic's settings before it shows it.
    until(lambda: warnings() == ["messages are kept for 1 days, the settings say 30"])


def test_a_consumer_of_a_compacted_topic_ends_with_one_line(
    bus: KafkaBus, kafka_servers: str, redis_url: str, namespace: str, tmp_path: Path
) -> None:
    create_topics(bus, 4)
    change(kafka_servers, f"{namespace}.{RATINGS}", cleanup_policy="compact")
    environ = {name: v for name, v in os.environ.items() if not name.startswith("MARQUEE_")} | {
        "MARQUEE_BUS": "kafka",
        "MARQUEE_KAFKA_SERVERS": kafka_servers,
        "MARQUEE_REDIS_URL": redis_url,
        "MARQUEE_NAMESPACE": namespace,
        "MARQUEE_STATE": str(tmp_path),
    }
    command = [sys.executable, "-m", "gateway", "consumer"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=110)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("gateway consumer: topic ratings: cleanup.policy is compact")
    assert done.stderr.count("\n") == 1
