"""`marquee verify` and `marquee rebuild` where the log is on Kafka."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from marquee.bus.kafka.bus import KafkaBus
from marquee.bus.topics import create_topics
from marquee.settings import Settings
from marquee_testing.simulation.facts_system import SERVICES, FactsSystem, empty, random_events
from trainer.consumer import HistoryConsumer
from trainer.history.history import History
from trainer.operations.rebuild import Rebuilder
from trainer.operations.verify import Verdict, Verification

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def system(
    redis_url: str, kafka_servers: str, namespace: str, tmp_path: Path
) -> Iterator[FactsSystem]:
    flags = {"state": tmp_path, "redis_url": redis_url, "namespace": namespace, "partitions": 2}
    settings = Settings.model_validate(flags | {"bus": "kafka", "kafka_servers": kafka_servers})
    bus = KafkaBus(kafka_servers, namespace, replication=1, session_s=6.0)
    create_topics(bus, 2)
    yield FactsSystem(settings, bus, ("gateway", "content"))
    bus.close()


def unequal(settings: Settings) -> list[Verdict]:
    verification = Verification(settings)
    try:
        found = list(verification.run(["gateway", "content", "trainer"]))
    finally:
        verification.close()
    assert len(found) == 12
    return [verdict for verdict in found if not verdict.equal]


def test_facts_are_equal_live_replayed_restored_and_rebuilt(system: FactsSystem) -> None:
    settings = system.settings
    history = History(settings.history, 2)
    with system.running(HistoryConsumer(system.bus, history, seconds=0.05).run):
        system.wait(system.publish(*random_events(1, 400)))
    assert unequal(settings) == []
    history.compact()
    empty(settings, SERVICES)
    rebuilding = Rebuilder(settings)
    assert len(list(rebuilding.run(system.services, replace=False))) == 8
    rebuilding.close()
    with system.running():
        system.wait(system.publish(*random_events(2, 100)))
    assert unequal(settings) == []
