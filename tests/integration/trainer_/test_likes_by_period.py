"""Counts by period on a real Valkey: live as replayed from the log, as restored, as rebuilt."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from marquee.bus.api import Published, TopicPartition
from marquee.consumer.handlers.by_service import FACTS_BY_SERVICE
from marquee.domain.rating_sums import PERIOD_SECONDS, TOTALS_SIZE, RatingSums, sums_of_users
from marquee.domain.ratings import Ratings
from marquee.events import RATINGS, Event, UserErased
from marquee.settings import Settings
from marquee_testing import until
from marquee_testing.simulation.facts_system import PARTITIONS, FactsSystem, empty, random_events
from trainer.consumer import HistoryConsumer
from trainer.facts.restored import packed
from trainer.history.history import History
from trainer.operations.rebuild import Rebuilder
from trainer.operations.verify import Verification

SERVICES = ("content",)
Sums = dict[tuple[int, int], bytes]
"""(Partition, movie) → packed sums of movies with ratings."""


def timed(seed: int, n: int) -> list[Event]:
    """Return events of every kind with times over 40 years, some of them unknown."""
    draw = random.Random(seed)
    events = []
    for event in random_events(seed, n):
        seconds = draw.choice([0, draw.randint(1, 12), draw.randint(390, 910)]) * PERIOD_SECONDS
        at = datetime.fromtimestamp(seconds + draw.randrange(PERIOD_SECONDS), UTC)
        events.append(event.model_copy(update={"time": at}))
    return events


Ends = dict[TopicPartition, Published]
"""The last message of each partition: after a restoration all of them have to be waited for."""


@pytest.fixture
def ends() -> Ends:
    return {}


def settled(system: FactsSystem, history: History, ends: Ends, events: list[Event]) -> None:
    """Let content, and the history, handle events and all before them."""
    with system.running(HistoryConsumer(system.bus, history, seconds=0.05).run):
        ends |= {place.partition: place for place in system.publish(*events)}
        system.wait(list(ends.values()))
        until(lambda: all(recorded(history, place) for place in ends.values()))


def recorded(history: History, place: Published) -> bool:
    """Return whether the history contains a message."""
    partition = place.partition
    return history.partition(partition.topic, partition.partition).position > place.offset


@pytest.fixture
def client(settings: Settings) -> Iterator[Any]:
    with redis.Redis.from_url(settings.redis_url.get_secret_value()) as client:
        yield client


def live(system: FactsSystem, client: Any) -> Sums:
    sums = {
        (keys.partition.partition, int(movie_id)): value
        for keys in system.keys("content").all(RATINGS)
        for movie_id, value in client.hgetall(keys.sums).items()
    }
    return {key: value for key, value in sums.items() if value != RatingSums().pack()}


def recounted(system: FactsSystem, client: Any) -> Sums:
    """Return the sums of the profiles that content holds."""
    sums: Sums = {}
    for keys in system.keys("content").all(RATINGS):
        users = [Ratings.unpack(client.get(keys.user(i))) for i in range(1, 21)]
        of_movies = sums_of_users(users).items()
        sums |= {(keys.partition.partition, i): of_movie.pack() for i, of_movie in of_movies}
    return sums


def restored(history: History) -> Sums:
    """Return the sums that the history's arrays come to."""
    fact_set = FACTS_BY_SERVICE["content"][RATINGS]
    return {
        (p, movie_id): value
        for p in range(PARTITIONS)
        for movie_id, value in packed(history.partition(RATINGS, p), fact_set).sums.items()
    }


def rebuilt(settings: Settings) -> None:
    rebuilder = Rebuilder(settings)
    try:
        list(rebuilder.run(SERVICES, replace=True))
    finally:
        rebuilder.close()


def unequal(settings: Settings) -> list[str]:
    verification = Verification(settings)
    try:
        return [name for v in verification.run(SERVICES) for name in v.differing]
    finally:
        verification.close()


def test_periods_are_the_same_by_events_replay_snapshot_and_rebuild(
    system: FactsSystem, history: History, settings: Settings, client: Any, ends: Ends
) -> None:
    system.services = SERVICES
    erasure = UserErased.model_validate({"data": {"user_id": 7}})
    settled(system, history, ends, [*timed(1, 1200), erasure, *timed(2, 300)])
    by_events = live(system, client)
    assert sum(len(RatingSums.unpack(value).periods) for value in by_events.values()) > 70
    assert by_events == recounted(system, client) == restored(history)
    empty(settings, SERVICES)  # there is no snapshot yet: all is replayed from the log
    settled(system, history, ends, [erasure])  # a duplicate, which changes nothing
    assert live(system, client) == by_events

    history.compact()
    settled(system, history, ends, timed(3, 500))
    by_events = live(system, client)
    empty(settings, SERVICES)  # restored from the snapshot, then the rest of the log
    settled(system, history, ends, timed(4, 1))
    by_restoring = live(system, client)
    rebuilt(settings)
    assert live(system, client) == by_restoring == recounted(system, client)
    assert by_restoring == restored(history)
    changed = {key for key in by_events if by_events[key] != by_restoring.get(key)}
    assert len(changed) <= 1  # by the one event after the restart
    assert unequal(settings) == []


def test_values_without_periods_are_no_difference_but_other_sums_are(
    system: FactsSystem, history: History, settings: Settings, client: Any, ends: Ends
) -> None:
    system.services = SERVICES
    settled(system, history, ends, timed(5, 600))
    keys = system.keys("content").all(RATINGS)[0]
    for movie_id, value in client.hgetall(keys.sums).items():
        client.hset(keys.sums, movie_id, value[:TOTALS_SIZE])
    assert unequal(settings) == []
    settled(system, history, ends, timed(6, 200))  # events count on from such values
    assert unequal(settings) == []
    field, value = next(iter(client.hgetall(keys.sums).items()))
    client.hset(keys.sums, field, bytes([value[0] ^ 1]) + value[1:])
    assert set(unequal(settings)) == {f"sums:{field.decode()}"}
    rebuilt(settings)
    assert live(system, client) == recounted(system, client)
