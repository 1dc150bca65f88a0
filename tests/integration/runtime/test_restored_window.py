"""A store that lost everything still knows which events are repeats, once a snapshot fills it."""

from collections.abc import Iterator

import pytest
import redis

from marquee.bus.factory import open_bus
from marquee.bus.topics import create_topics
from marquee.consumer.deduplication import DEDUP_WINDOW
from marquee.events import Rating, RatingAdded
from marquee.settings import Settings
from marquee_testing.simulation.facts_system import PARTITIONS, FactsSystem, empty
from trainer.consumer import HistoryConsumer
from trainer.history.history import History
from trainer.operations.verify import Verification

USER = 7


@pytest.fixture(
    params=["redis", pytest.param("kafka", marks=pytest.mark.kafka)],
)
def settings(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    if request.param == "redis":
        return settings
    servers = request.getfixturevalue("kafka_servers")
    return settings.model_copy(update={"bus": "kafka", "kafka_servers": servers})


@pytest.fixture
def system(settings: Settings) -> Iterator[FactsSystem]:
    bus = open_bus(settings)
    create_topics(bus, PARTITIONS)
    yield FactsSystem(settings, bus, services=("gateway", "content"))
    bus.close()


def rated(movie_id: int, stars: float) -> RatingAdded:
    return RatingAdded(data=Rating(user_id=USER, movie_id=movie_id, rating=stars))


def test_a_late_repeat_after_a_restore_does_not_undo_what_came_since(
    system: FactsSystem, history: History, settings: Settings
) -> None:
    first, second = rated(1, 5.0), rated(1, 0.5)
    others = [rated(movie_id, 3.0) for movie_id in range(2, 200)]
    with system.running(HistoryConsumer(system.bus, history, seconds=0.05).run):
        system.wait(system.publish(first, second, *others))
    history.compact()
    empty(settings, system.services)
    with system.running(HistoryConsumer(system.bus, history, seconds=0.05).run):
        system.wait(system.publish(first))
    verification = Verification(settings)
    found = list(verification.run(list(system.services)))
    verification.close()
    assert [v for v in found if not v.equal] == []


def test_the_restored_window_holds_no_more_than_it_would_otherwise(
    system: FactsSystem, history: History, settings: Settings
) -> None:
    many = [rated(movie_id, 3.0) for movie_id in range(1, DEDUP_WINDOW + 500)]
    system.services = ("gateway",)
    with system.running(HistoryConsumer(system.bus, history, seconds=0.05).run):
        system.wait(system.publish(*many))
    history.compact()
    before = window_of(system, settings)
    assert len(before) == DEDUP_WINDOW
    empty(settings, system.services)
    with system.running():
        system.wait(system.publish(rated(1, 4.0)))
    assert window_of(system, settings)[:-1] == before[1:]


def window_of(system: FactsSystem, settings: Settings) -> list[bytes]:
    """Return the digests in the window of the user's partition, oldest first."""
    with redis.Redis.from_url(settings.redis_url.get_secret_value()) as client:
        return list(client.zrange(system.keys("gateway").user(USER).window, 0, -1))
