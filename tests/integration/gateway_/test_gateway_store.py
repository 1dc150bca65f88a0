"""The gateway's profiles, rules and memory on a real Valkey, with the real consumer writing."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from content.consumer import HANDLERS as CONTENT_HANDLERS
from gateway.catalogue.catalogue import MovieFilter
from gateway.consumer import GatewayProjection
from gateway.state import consistency_token
from gateway.state.live_view import LiveView
from gateway.state.publisher import Publisher
from gateway.state.redis_profiles import RedisProfiles
from marquee.bus.api import TopicPartition
from marquee.bus.redis.bus import RedisBus
from marquee.bus.topics import create_topics
from marquee.consumer.worker import Worker
from marquee.errors import BusUnavailable
from marquee.events import (
    MOVIES,
    RATINGS,
    Event,
    MovieAdded,
    MovieBlocked,
    MovieRemoved,
    MovieUnblocked,
    MovieUpdated,
    RatingAdded,
    UserErased,
    WatchlistAdded,
)
from marquee.serving.update_stream import connect
from marquee.snapshots.partition import PartitionSnapshot
from marquee.store.keys import Keys
from marquee.store.redis import RedisStore
from marquee_testing import Restartable
from marquee_testing.waiting import DEADLINE_S, PATIENCE

PARTITIONS = 4
PATIENCE_S = DEADLINE_S * PATIENCE


class NoSnapshots:
    """A history that holds nothing."""

    def read(self, _: TopicPartition) -> PartitionSnapshot | None:
        return None


class ContentProjection(GatewayProjection):
    """The facts of the content service without its model."""

    handlers = CONTENT_HANDLERS


@dataclass
class System:
    """Running consumers of gateway and content, and the gateway's readers."""

    live_view: LiveView
    profiles: RedisProfiles
    publisher: Publisher

    async def write(self, *events: Event) -> dict[str, int]:
        """Publish events and wait until the gateway's memory has passed them."""
        positions = consistency_token.positions_of(await self.publisher.publish(events))
        assert await self.live_view.passed(positions, PATIENCE_S)
        return positions


@pytest.fixture
def consumed(redis_url: str, namespace: str) -> Iterator[str]:
    """The namespace in which the consumers of gateway and content run."""
    bus, stop, threads = RedisBus(redis_url, namespace), threading.Event(), []
    create_topics(bus, PARTITIONS)
    for service, projection in (("gateway", GatewayProjection()), ("content", ContentProjection())):
        worker = Worker(
            Keys(namespace, service, PARTITIONS),
            (MOVIES, RATINGS),
            bus,
            RedisStore(redis_url),
            NoSnapshots(),
            projection,
        )
        threads.append(threading.Thread(target=worker.run, args=(stop,)))
        threads[-1].start()
    yield namespace
    stop.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    bus.close()


@pytest.fixture
async def system(redis_url: str, consumed: str) -> AsyncIterator[System]:
    own = Keys(consumed, "gateway", PARTITIONS)
    client, bus = connect(redis_url), RedisBus(redis_url, consumed)
    live_view = LiveView(client, own, Keys(consumed, "content", PARTITIONS))
    profiles, publisher = RedisProfiles(redis_url, own), Publisher(bus.producer)
    live_view.tail.start()
    yield System(live_view, profiles, publisher)
    await live_view.tail.close()
    await publisher.close()
    await profiles.close()
    await client.aclose()
    bus.close()


def movie(movie_id: int, title: str = "Film") -> MovieAdded:
    return MovieAdded.model_validate({"data": {"movie_id": movie_id, "title": title}})


def rating(user_id: int, movie_id: int, stars: float = 4.0) -> RatingAdded:
    data = {"user_id": user_id, "movie_id": movie_id, "rating": stars}
    return RatingAdded.model_validate({"data": data})


def listed(user_id: int, movie_id: int) -> WatchlistAdded:
    return WatchlistAdded.model_validate({"data": {"user_id": user_id, "movie_id": movie_id}})


async def test_a_write_is_in_the_profile_once_its_token_is_passed(system: System) -> None:
    for user_id in range(1, 9):
        await system.write(rating(user_id, 5), rating(user_id, 6, 1.5))
        await system.write(listed(user_id, 8), listed(user_id, 7), listed(user_id, 8))
        facts = (await system.profiles.read(user_id)).facts
        assert facts.rated == {5: 8, 6: 3}
        assert list(facts.watchlist) == [7, 8]
    await system.write(UserErased.model_validate({"data": {"user_id": 3}}))
    assert not (await system.profiles.read(3)).facts
    assert (await system.profiles.read(4)).facts


async def test_a_block_holds_for_the_next_reader_and_is_taken_back(system: System) -> None:
    now = datetime.now(UTC)
    for movie_id in range(1, 9):
        data = {"movie_id": movie_id, "reason": "withdrawn"}
        await system.write(MovieBlocked.model_validate({"data": data}))
        block = (await system.profiles.read(None)).rules.block(movie_id, now)
        assert block is not None
        assert block.reason == "withdrawn"
    await system.write(MovieUnblocked.model_validate({"data": {"movie_id": 3}}))
    rules = (await system.profiles.read(1)).rules
    assert rules.block(3, now) is None
    assert list(rules.rows("block")) == [1, 2, 4, 5, 6, 7, 8]


async def test_movies_come_and_go_in_the_catalogue(system: System) -> None:
    await system.write(*(movie(movie_id, f"Number {movie_id}") for movie_id in range(1, 9)))
    assert len(system.live_view.catalogue) == 8
    assert set(system.live_view.catalogue.search("number 3")) == {3}
    await system.write(MovieRemoved.model_validate({"data": {"movie_id": 3}}))
    assert system.live_view.catalogue.get(3) is None


async def test_a_film_of_a_new_genre_filters_once_its_event_is_passed(system: System) -> None:
    stalker = {"movie_id": 1, "title": "Сталкер", "genres": ["Драма"], "runtime": 163}
    await system.write(MovieAdded.model_validate({"data": stalker}), movie(2))
    change = {"movie_id": 2, "genres": ["Комедия"], "language": "ru", "people": ["Э. Рязанов"]}
    await system.write(MovieUpdated.model_validate({"data": change}))
    for allowed, expected in (
        (MovieFilter(("драма",)), [1]),
        (MovieFilter(genres_not=("ДРАМА",)), [2]),
        (MovieFilter(runtime_max=170), [1]),
        (MovieFilter(languages=("ru",)), [2]),
        (MovieFilter(tag="э. рязанов"), [2]),
    ):
        found = system.live_view.popular.rows(allowed)
        assert [row.movie_id for row in found] == expected, allowed
    assert system.live_view.catalogue.genres.names == ("Драма", "Комедия")
    gone = {"movie_id": 2, "cleared": ["language", "people"]}
    await system.write(MovieUpdated.model_validate({"data": gone}))
    row = system.live_view.catalogue.get(2)
    assert row is not None
    assert row.fields is None
    assert list(system.live_view.popular.rows(MovieFilter(languages=("ru",)))) == []


async def test_who_waits_for_a_movie_is_told_when_it_comes(system: System) -> None:
    await system.write(movie(1))
    waiting = asyncio.create_task(system.live_view.wait_for_movie(2, PATIENCE_S))
    await system.write(movie(2))
    assert await waiting
    assert not await system.live_view.wait_for_movie(3, 0.01)


async def test_popularity_follows_the_sums_that_content_keeps(system: System) -> None:
    await system.write(movie(1), movie(2))
    await system.write(*(rating(user_id, 2) for user_id in range(1, 9)))
    async with asyncio.timeout(PATIENCE_S):
        while [row.movie_id for row in system.live_view.popular.rows(MovieFilter())] != [2, 1]:
            await asyncio.sleep(0.01)
        while system.live_view.popular.sums.of(2) != (8, 8, 64):
            await asyncio.sleep(0.01)


async def test_a_position_that_is_not_reached_is_not_passed(system: System) -> None:
    positions = await system.write(rating(1, 5))
    ahead = {name: offset + 1 for name, offset in positions.items()}
    assert not await system.live_view.passed(ahead, 0.05)


async def test_without_the_store_rules_hold_from_memory_and_profiles_are_unknown(
    system: System, redis_server: Restartable
) -> None:
    now = datetime.now(UTC)
    await system.write(MovieBlocked.model_validate({"data": {"movie_id": 7}}), rating(1, 5))
    assert (await system.profiles.read(1)).known
    with redis_server.outage():
        profile = await system.profiles.read(1)
        assert not profile.known
        assert not profile.facts
        assert profile.rules.block(7, now) is not None
        with pytest.raises(BusUnavailable):
            await system.publisher.publish([rating(1, 6)])
    async with asyncio.timeout(PATIENCE_S):
        while not ((await system.profiles.read(1)).known and system.live_view.connected):
            await asyncio.sleep(0.05)
