"""The gateway's kept lists on a real Valkey: real consumers write, real apps answer."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import numpy as np
import pytest

from gateway.app import create_app
from gateway.consumer import GatewayProjection
from gateway.kept.lists import KeptLists
from gateway.recommend.orchestrator import Orchestrator
from gateway.state import consistency_token
from gateway.state.live_view import LiveView
from gateway.state.redis_profiles import RedisProfiles
from gateway.upstream.http_client import RawReply
from gateway.upstream.model_clients import HttpModels
from gateway.upstream.model_states import ModelStates
from gateway.upstream.models import JSON
from marquee.arrays import Mask, Vector, load_json, save_json
from marquee.bus.api import TopicPartition
from marquee.bus.redis.bus import RedisBus
from marquee.bus.topics import create_topics
from marquee.consumer.derivation import derive_movies
from marquee.consumer.worker import Worker
from marquee.domain.models import CONTENT, MODEL_SPECS
from marquee.domain.movies import Movie
from marquee.domain.recommendation import Reason, Scored, UserHistory
from marquee.domain.routing import Thresholds
from marquee.events import (
    MOVIES,
    RATINGS,
    Event,
    ModelPublished,
    MovieAdded,
    MovieBlocked,
    MovieDismissed,
    MovieUnblocked,
    MovieViewed,
    RatingAdded,
    RatingRemoved,
)
from marquee.features.movie_table import MovieTable
from marquee.features.popularity import Popularity
from marquee.registry.bundle import bundle_version, seal
from marquee.serving.app import ModelService, rank_candidates
from marquee.serving.update_stream import connect
from marquee.settings import Settings
from marquee.snapshots.partition import PartitionSnapshot
from marquee.store.keys import Keys
from marquee.store.redis import RedisStore
from marquee_testing import Restartable
from marquee_testing.fakes.gateway_api import client_of, parts
from marquee_testing.servers.model_services import ModelServices, ServiceParts
from marquee_testing.waiting import DEADLINE_S, PATIENCE
from trainer.models.versions import version_of

FILMS, USERS, K = range(1, 13), (1, 2, 3), 5
PATIENCE_S = DEADLINE_S * PATIENCE


class Tiny:
    """A model that ranks by a number of its version and the film's year."""

    half_life = None

    def __init__(self, version: str, factor: float) -> None:
        self.version, self.factor = version, factor

    @classmethod
    def load(cls, folder: Path) -> "Tiny":
        return cls(bundle_version(folder), load_json(folder / "factor.json"))

    def movies(self) -> MovieTable:
        return MovieTable.of([], np.zeros((0, 1), np.float32), np.zeros(0, np.int16))

    def row(self, movie: Movie, _: tuple[int, int, int]) -> tuple[Vector, int]:
        return np.array([np.sin(self.factor * (movie.year or 0))], np.float32), 0

    def sums(self, _: int) -> tuple[int, int, int]:
        return 0, 0, 0

    def recommend(
        self,
        user: UserHistory,
        movies: MovieTable,
        mask: Mask,
        k: int,
        _popularity: Popularity | None = None,
        /,
        *,
        diversity: float = 0.0,
    ) -> list[Scored]:
        scores = movies.vectors[:, 0] + float(user.rated.stars.sum()) / 100 + diversity
        rows = np.flatnonzero(mask)
        best = rows[np.argsort(-scores[rows], kind="stable")][:k]
        reason = Reason.PREDICTED_FOR_YOU
        return [Scored(int(movies.movie_ids[i]), float(scores[i]), reason) for i in best]


class NoSnapshots:
    """A history that holds nothing."""

    def read(self, _: TopicPartition) -> PartitionSnapshot | None:
        return None


@dataclass(frozen=True)
class Transport:
    """The calls of a gateway to an app in the same event loop."""

    client: httpx.AsyncClient

    async def send(
        self, method: str, path: str, body: bytes | None = None, media_type: str = JSON
    ) -> RawReply:
        headers = {"Content-Type": media_type}
        answer = await self.client.request(method, path, content=body, headers=headers)
        return RawReply(answer.status_code, answer.content)

    async def close(self) -> None:
        pass


@dataclass(frozen=True)
class System:
    """The services, and a gateway that answers from its kept lists as well as by computing."""

    services: ModelServices
    states: ModelStates
    kept: KeptLists
    keeping: httpx.AsyncClient
    computing: httpx.AsyncClient

    async def write(self, *events: Event) -> None:
        """Publish events; wait until all apps, and what the gateway knows of them, have them."""
        places = await asyncio.to_thread(self.services.publish, events)
        token = consistency_token.token_of(places)
        for user_id in range(1, 9):  # between them they lie on every partition
            await self.follow(user_id, token)
        positions = consistency_token.positions_of(places)
        streams = {
            str(keys.partition) + name: keys.updates
            for name in MODEL_SPECS
            for topic in (MOVIES, RATINGS)
            for keys in self.keys(name).all(topic)
        }
        targets = {
            streams[place + name]: offset
            for place, offset in positions.items()
            for name in MODEL_SPECS
            if place + name in streams
        }
        assert await self.states.tail.passed(targets, PATIENCE_S)

    def keys(self, name: str) -> Keys:
        settings = self.services.settings
        return Keys(settings.namespace, name, settings.partitions)

    async def follow(self, user_id: int, token: str) -> None:
        path = f"/v1/users/{user_id}/recommendations"
        query: dict[str, str | int] = {"after": token, "wait_ms": 10_000}
        async with asyncio.timeout(PATIENCE_S):
            while True:
                answer = await self.computing.get(path, params=query)
                if answer.status_code == 200 and answer.json()["fresh"]:
                    return

    async def lists(self, user_id: int) -> tuple[bytes, bytes]:
        """Return the list of a viewer from the keeping gateway, and computed, without ids.

        A version may be swapped in between: of what was computed before and after, the one that is
        equal, if any, is returned.
        """
        path = f"/v1/users/{user_id}/recommendations?k={K}&explain=true"
        clients = (self.computing, self.keeping, self.computing)
        answers = [await client.get(path) for client in clients]
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["recommendation_id"] for answer in answers}) == 3
        before, kept, after = (without_id(answer.content) for answer in answers)
        return kept, before if kept == before else after

    async def hits(self, user_id: int) -> bool:
        """Return whether a list of a viewer is given from memory now."""
        found: list[bool] = []
        find = self.kept.find

        def noted(ticket):  # noqa: ANN001, ANN202
            body = find(ticket)
            found.append(body is not None)
            return body

        self.kept.find = noted  # type: ignore[method-assign]
        await self.lists(user_id)
        del self.kept.find
        return found == [True]

    def publish_models(self, folder: Path, factor: float) -> None:
        for name in MODEL_SPECS:
            bundle = folder / f"{name}-{factor}"
            bundle.mkdir(parents=True)
            save_json(bundle / "factor.json", factor)
            manifest = seal(bundle, name, "d")
            self.services.registry.add(bundle)
            version = version_of(self.services.registry, manifest)
            self.services.publish([ModelPublished(data=version)])

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not await condition():  # type: ignore[misc]
                await asyncio.sleep(0.02)


def without_id(body: bytes) -> bytes:
    return body[body.index(b'"', len(b'{"recommendation_id":"')) :]


@asynccontextmanager
async def running(
    settings: Settings, clients: Mapping[str, httpx.AsyncClient], services: ModelServices
) -> AsyncIterator[System]:
    """Run a gateway over apps until the block ends."""
    url = settings.redis_url.get_secret_value()
    own = Keys(settings.namespace, "gateway", settings.partitions)
    client = connect(url)
    live_view = LiveView(client, own, Keys(settings.namespace, CONTENT.name, settings.partitions))
    states = ModelStates(client, settings.namespace, settings.partitions)
    kept = KeptLists(1 << 20, states, live_view.catalogue)
    models = HttpModels({name: [Transport(of)] for name, of in clients.items()})
    profiles = RedisProfiles(url, own)
    orchestrator = Orchestrator(models, live_view.popular, Thresholds(2, 4, 1))
    context = replace(
        parts()[0],
        settings=settings,
        live_view=live_view,
        profiles=profiles,
        models=models,
        orchestrator=orchestrator,
    )
    live_view.tail.start()
    states.tail.start()
    keeping = client_of(create_app(replace(context, kept=kept)))
    computing = client_of(create_app(context))
    async with keeping, computing:
        yield System(services, states, kept, keeping, computing)
    await live_view.tail.close()
    await states.tail.close()
    await models.close()
    await profiles.close()
    await client.aclose()


@pytest.fixture
async def system(settings: Settings, redis_url: str, tmp_path: Path) -> AsyncIterator[System]:
    bus = RedisBus(redis_url, settings.namespace, lease_s=0.5)
    create_topics(bus, settings.partitions)
    made = [ModelService(name, Tiny.load, rank_candidates) for name in MODEL_SPECS]
    services = ModelServices(settings, bus, [ServiceParts(one, derive_movies) for one in made])
    gateway_consumer = Worker(
        Keys(settings.namespace, "gateway", settings.partitions),
        (MOVIES, RATINGS),
        bus,
        RedisStore(redis_url),
        NoSnapshots(),
        GatewayProjection(),
    )
    async with (
        services.serving(gateway_consumer.run) as clients,
        running(settings, clients, services) as system,
    ):
        await asyncio.to_thread(system.publish_models, tmp_path / "bundles", 1.0)
        films = [Movie(movie_id=i, title=f"Film {i}", year=1990 + i) for i in FILMS]
        await system.write(*(MovieAdded(data=film) for film in films))
        yield system
    bus.close()


def act(draw: random.Random) -> Event:
    """Return something that a viewer or a curator does."""
    user, film = draw.choice(USERS), draw.choice(FILMS)
    pair = {"user_id": user, "movie_id": film}
    choices: list[tuple[type[Event], Mapping[str, object]]] = [
        (RatingAdded, {**pair, "rating": draw.randint(1, 10) / 2}),
        (RatingAdded, {**pair, "rating": 4.5}),
        (RatingRemoved, pair),
        (MovieViewed, pair),
        (MovieDismissed, pair),
        (MovieBlocked, {"movie_id": film}),
        (MovieUnblocked, {"movie_id": film}),
        (MovieAdded, {"movie_id": film, "title": "New", "year": draw.randint(1990, 2020)}),
    ]
    kind, data = draw.choice(choices)
    return kind.model_validate({"data": data})


async def test_no_list_is_stale_whatever_viewers_curators_and_trainings_do(
    system: System, tmp_path: Path
) -> None:
    draw, blocked, hits = random.Random(11), set[int](), 0
    for step in range(60):
        event = act(draw)
        await system.write(event)
        if isinstance(event, MovieBlocked):
            blocked.add(event.data.movie_id)
        elif isinstance(event, MovieUnblocked):
            blocked.discard(event.data.movie_id)
        if step % 20 == 10:
            await asyncio.to_thread(system.publish_models, tmp_path / "more", 2.0 + step)
        for user_id in USERS:
            kept, computed = await system.lists(user_id)
            assert kept == computed, event
            assert not any(b'"items":[{"movie_id":%d,' % i in kept for i in blocked)
        hits += await system.hits(USERS[0])
    assert hits > 10, "nothing was kept: equality would prove nothing"


async def test_a_published_version_ends_the_lists_of_the_one_before(
    system: System, tmp_path: Path
) -> None:
    for film in (1, 2, 3, 4):
        data = {"user_id": 1, "movie_id": film, "rating": 4.5}
        await system.write(RatingAdded.model_validate({"data": data}))

    async def is_kept() -> bool:
        return await system.hits(1)

    await system.until(is_kept)
    before, _ = await system.lists(1)
    await asyncio.to_thread(system.publish_models, tmp_path / "next", 5.0)

    async def has_changed() -> bool:
        kept, _ = await system.lists(1)
        return kept != before

    await system.until(has_changed)
    await system.until(is_kept)
    kept, computed = await system.lists(1)
    assert kept == computed != before


async def test_without_the_store_nothing_is_kept_and_afterwards_it_is_again(
    system: System, redis_server: Restartable
) -> None:
    data = {"user_id": 1, "movie_id": 1, "rating": 4.5}
    await system.write(RatingAdded.model_validate({"data": data}))

    async def is_kept() -> bool:
        return await system.hits(1)

    await system.until(is_kept)
    with redis_server.outage():
        assert not await system.hits(1)
        answer = await system.keeping.get("/v1/users/1/recommendations")
        assert answer.json()["degraded"]
    await system.until(is_kept)
