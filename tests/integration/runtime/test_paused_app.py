"""An app that was stopped for a while, on a real Valkey: it follows on, or reads all rows again."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import REGISTRY
from redis import Redis

from marquee.bus.api import TopicPartition
from marquee.consumer.unit_of_work import UnitOfWork
from marquee.domain.movies import Movie
from marquee.events import MOVIES
from marquee.serving.update_stream import Tail, Update, connect
from marquee.store.keys import Keys, PartitionKeys
from marquee.store.redis import RedisStore
from marquee_testing.waiting import until_async


@dataclass
class App:
    """Holds the movies of a partition in memory; `stopped` keeps it from reading on."""

    keys: PartitionKeys
    url: str
    movies: dict[bytes, bytes] = field(default_factory=dict)
    loads: int = 0
    reading: bool = False

    def __post_init__(self) -> None:
        self.client, self.going = connect(self.url), asyncio.Event()
        self.going.set()
        self.tail = Tail(self, [self.keys], self.load, self.apply)

    def pipeline(self, transaction: bool) -> Any:
        return self.client.pipeline(transaction=transaction)

    async def xread(self, *arguments: Any, **options: Any) -> Any:
        await self.going.wait()
        options["block"] = 50  # so that a stop holds soon
        self.reading = True
        try:
            return await self.client.xread(*arguments, **options)
        finally:
            self.reading = False

    async def load(self) -> None:
        self.loads += 1
        self.movies = await self.client.hgetall(self.keys.movies)

    def apply(self, _: PartitionKeys, update: Update) -> None:
        for name, value in update.values.items():
            movie = name.removeprefix("film:").encode()
            if value:
                self.movies[movie] = value
            else:
                self.movies.pop(movie, None)


@dataclass
class Consumer:
    """Writes steps of one movie each."""

    keys: PartitionKeys
    store: RedisStore
    at: int = 0

    def put(self, *movie_ids: int, since: float | None = None) -> None:
        for movie_id in movie_ids:
            unit_of_work = UnitOfWork(self.keys, self.store)
            unit_of_work.offset, unit_of_work.since = self.at, since
            unit_of_work.put_movie(Movie(movie_id=movie_id, title=f"Title {self.at}"))
            commands = unit_of_work.commands(self.at, self.at + 1)
            self.store.write(self.keys, self.at or None, self.at + 1, commands)
            self.at += 1


@pytest.fixture
async def pair(redis_url: str, namespace: str) -> AsyncIterator[tuple[App, Consumer]]:
    keys = Keys(namespace, "paused", 1).of(TopicPartition(MOVIES, 0))
    app, consumer = App(keys, redis_url), Consumer(keys, RedisStore(redis_url))
    app.tail.start()
    yield app, consumer
    app.going.set()
    await app.tail.close()
    await app.client.aclose()
    consumer.store.close()


async def stop(app: App) -> None:
    """Stop the app, and wait until the read under way has ended."""
    app.going.clear()
    await until_async(lambda: not app.reading)


async def test_an_app_paused_within_the_stream_follows_on(pair: tuple[App, Consumer]) -> None:
    app, consumer = pair
    consumer.put(1, 2, 3)
    await until_async(lambda: len(app.movies) == 3)
    await stop(app)
    consumer.put(*range(2, 30))
    assert len(app.movies) == 3
    app.going.set()
    await until_async(lambda: app.tail.position(app.keys) == consumer.at)
    assert app.movies == consumer.store.scan(app.keys.movies)
    assert app.loads == 1


async def test_an_app_paused_past_a_trimmed_stream_reads_all_rows_anew(
    redis_url: str, pair: tuple[App, Consumer]
) -> None:
    app, consumer = pair
    consumer.put(1, 2, 3)
    await until_async(lambda: len(app.movies) == 3)
    await stop(app)
    consumer.put(*range(2, 30))
    with Redis.from_url(redis_url) as client:
        client.xtrim(app.keys.updates, maxlen=2, approximate=False)
    app.going.set()
    await until_async(lambda: app.tail.position(app.keys) == consumer.at)
    assert app.movies == consumer.store.scan(app.keys.movies)
    assert app.loads == 2


async def test_an_app_measures_from_the_event_to_its_own_memory(
    pair: tuple[App, Consumer],
) -> None:
    app, consumer = pair
    consumer.put(1)
    await until_async(lambda: app.tail.position(app.keys) == 1)

    def measured(name: str) -> float:
        labels = {"service": "paused", "topic": MOVIES}
        return REGISTRY.get_sample_value(f"marquee_event_to_visible_seconds_{name}", labels) or 0.0

    before, seconds = measured("count"), measured("sum")
    consumer.put(2, since=datetime.now(UTC).timestamp() - 3.0)
    await until_async(lambda: measured("count") == before + 1)
    assert 3.0 <= measured("sum") - seconds < 60.0
