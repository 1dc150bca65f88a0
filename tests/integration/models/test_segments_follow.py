"""A user's segment follows their rating events, and operators' segments outlive a new training."""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from marquee.bus.api import Bus, Outgoing
from marquee.bus.redis.bus import RedisBus
from marquee.bus.topics import create_topics
from marquee.consumer.derivation import derive_all
from marquee.consumer.handlers.restore import restore_facts
from marquee.consumer.model_versions import ModelProjection
from marquee.consumer.unit_of_work import UnitOfWork
from marquee.consumer.worker import Worker
from marquee.domain.movies import Movie
from marquee.domain.rating_sums import RatingSums
from marquee.events import (
    MODELS,
    MOVIES,
    RATINGS,
    Event,
    ModelPublished,
    Rating,
    RatingAdded,
    RatingRemoved,
    UserMovie,
)
from marquee.features.dataset import make_dataset
from marquee.registry.bundle import Manifest, seal
from marquee.registry.registry import Registry
from marquee.serving.app import create_app
from marquee.settings import Settings
from marquee.snapshots.source import StoredSnapshots
from marquee.store.keys import Keys
from marquee.store.redis import RedisStore
from marquee_testing.small_fits import QUICK_PARAMS, SMALL_TASTE
from marquee_testing.waiting import DEADLINE_S, PATIENCE
from trainer.datasets.synthetic import generate
from trainer.models.versions import version_of
from trainer.segments.api import add_segments
from user_model.app import SERVICE
from user_model.consumer import HANDLERS
from user_model.fit import UserModelConfig, fit
from user_model.model import UserModel
from user_model.segments.fit import SegmentsConfig

pytestmark = pytest.mark.slow

KINDS = (("Comedy",), ("Western",), ("Sci-Fi",))
COMEDIES, WESTERNS = range(3, 40, 3), range(1, 40, 3)
USER = 900


def fitted() -> UserModel:
    """Return a model of 60 users; each loves one of three genres."""
    rng = np.random.default_rng(0)
    movies = [
        Movie(movie_id=i, title=f"F{i}", year=1990, genres=KINDS[i % 3]) for i in range(1, 61)
    ]
    rows = [
        (user, movie_id, 9 if movie_id % 3 == user % 3 else 4)
        for user in range(1, 61)
        for movie_id in rng.permutation(60)[:24] + 1
    ]
    users, movie_ids, half = (np.array(column) for column in zip(*rows, strict=True))
    data = make_dataset(
        users, movie_ids, half.astype(np.uint8), np.zeros(len(rows), np.int64), movies
    )
    config = UserModelConfig(
        taste=SMALL_TASTE,
        clusters=2,
        segments=SegmentsConfig(movies_k=3, users_k=3, width=4, epochs=60),
    )
    return fit(data, config, 0)


@dataclass
class System:
    """The consumer and the app of the user-model service on a Valkey of nothing else."""

    bus: Bus
    client: httpx.AsyncClient
    registry: Registry

    def publish(self, events: Sequence[Event]) -> None:
        self.bus.producer().publish([Outgoing.of(event) for event in events])

    async def user(self) -> dict[str, Any]:
        answer = await self.client.get(f"/internal/users/{USER}")
        found: dict[str, Any] = answer.json()
        return found

    async def moves_to(self, wanted: Callable[[int | None], bool]) -> int | None:
        """Wait until the user is in a segment as wanted; return it."""
        deadline = time.monotonic() + DEADLINE_S * PATIENCE
        while not wanted(segment := (await self.user()).get("segment")):
            assert time.monotonic() < deadline, f"still in segment {segment}"
            await asyncio.sleep(0.01)
        return segment


@pytest.fixture
async def system(redis_url: str, namespace: str, tmp_path: Path) -> AsyncIterator[System]:
    settings = Settings.model_validate(
        {"state": tmp_path, "redis_url": redis_url, "namespace": namespace}
    )
    keys, store = Keys(namespace, "user-model", settings.partitions), RedisStore(redis_url)
    registry, bus = Registry(settings.registry), RedisBus(redis_url, namespace)
    create_topics(bus, settings.partitions)
    load = UserModel.load
    projection = ModelProjection(keys, store, registry, load, HANDLERS, derive_all, restore_facts)
    snapshots = StoredSnapshots(settings.history)
    worker = Worker(keys, (MOVIES, RATINGS, MODELS), bus, store, snapshots, projection)
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    app = create_app(SERVICE, settings)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(app.router.lifespan_context(app))
        transport = httpx.ASGITransport(app)
        client = httpx.AsyncClient(transport=transport, base_url="http://user-model")
        yield System(bus, await stack.enter_async_context(client), registry)
        stop.set()
        await asyncio.to_thread(thread.join, 60)
    bus.close()


async def serve_fitted(system: System, bundle: Path) -> Manifest:
    """Publish a model and wait until it serves."""
    fitted().save(bundle)
    manifest = seal(bundle, "user-model", "d")
    system.registry.add(bundle)
    system.publish([ModelPublished(data=version_of(system.registry, manifest))])
    deadline = time.monotonic() + DEADLINE_S * PATIENCE
    while (await system.client.get("/health/ready")).status_code != 200:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    return manifest


async def test_the_popular_films_of_a_segment_are_those_by_the_sums_of_content(
    system: System, tmp_path: Path, redis_url: str, namespace: str
) -> None:
    await serve_fitted(system, tmp_path / "bundle")
    likes = {movie_id: 1 + movie_id * 7 % 61 for movie_id in range(1, 61)}
    keys, store = (
        Keys(namespace, "content", Settings().partitions).all(RATINGS)[1],
        RedisStore(redis_url),
    )
    unit_of_work = UnitOfWork(keys, store)
    for movie_id, n in likes.items():
        unit_of_work.put_sums(movie_id, RatingSums(n, n, 9 * n))
    store.write(keys, None, 1, unit_of_work.commands(0, 1))
    listed = (await system.client.get("/internal/segments/movies")).json()["items"]
    deadline = time.monotonic() + DEADLINE_S * PATIENCE
    for segment in listed:
        path = f"/internal/segments/movies/{segment['id']}/films?k=5"
        while True:
            items = (await system.client.get(path)).json()["items"]
            if all(
                item["score"] == pytest.approx(np.log1p(likes[item["movie_id"]])) for item in items
            ):
                break
            assert time.monotonic() < deadline, items
            await asyncio.sleep(0.05)
        scores = [item["score"] for item in items]
        assert scores == sorted(scores, reverse=True)
        body = {"k": 3, "exclude": [items[0]["movie_id"]], "only": [i["movie_id"] for i in items]}
        answer = await system.client.post(path.partition("?")[0], json=body)
        assert answer.json()["items"] == items[1:4]
    store.close()


async def test_a_user_moves_to_another_segment_by_events(system: System, tmp_path: Path) -> None:
    manifest = await serve_fitted(system, tmp_path / "bundle")
    assert (await system.user())["segment"] is None
    system.publish([loves(i) for i in COMEDIES])
    comedies = await system.moves_to(lambda segment: segment is not None)
    system.publish([loves(i) for i in WESTERNS])
    system.publish([takes_back(i) for i in COMEDIES])
    westerns = await system.moves_to(lambda segment: segment not in (None, comedies))
    listed = (await system.client.get("/internal/segments/users")).json()["items"]
    names = {one["id"]: one["name"].partition(" ")[0] for one in listed}
    assert (names[comedies], names[westerns]) == ("Comedy", "Western")
    assert westerns is not None
    await answers_with_films(system, westerns)
    system.publish([takes_back(i) for i in WESTERNS])
    await system.moves_to(lambda segment: segment is None)
    # Nothing was fitted for it.
    assert (await system.user())["model_version"] == manifest.version
    assert system.registry.versions("user-model") == [manifest.version]


async def answers_with_films(system: System, segment: int) -> None:
    """Check that a viewer's segment comes with its films in one call, within a filter."""
    ratings = [(movie_id, 5.0) for movie_id in WESTERNS]
    films = {"k": 4, "exclude": list(WESTERNS[:1])}
    post = system.client.post
    both = (await post("/internal/segment", json={"ratings": ratings, "films": films})).json()
    path = f"/internal/segments/users/{segment}/films"
    assert both["segment"] == segment
    assert both["items"] == (await post(path, json=films)).json()["items"] != []
    alone = (await post("/internal/segment", json={"ratings": ratings})).json()
    assert alone == {"segment": segment}
    nobody = (await post("/internal/segment", json={"films": films})).json()
    assert (nobody["segment"], nobody["items"]) == (None, [])


def loves(movie_id: int) -> RatingAdded:
    return RatingAdded(data=Rating(user_id=USER, movie_id=movie_id, rating=5.0))


def takes_back(movie_id: int) -> RatingRemoved:
    return RatingRemoved(data=UserMovie(user_id=USER, movie_id=movie_id))


@dataclass
class Operator:
    """Trains the user model of a state folder and decides on its segments."""

    state: Path
    redis_url: str

    def marquee(self, *arguments: str) -> None:
        environ = os.environ | {
            "MARQUEE_PARAMS": str(QUICK_PARAMS),
            "MARQUEE_STATE": str(self.state),
            "MARQUEE_REDIS_URL": self.redis_url,
        }
        command = [sys.executable, "-m", "trainer.cli", "-q", *arguments]
        done = subprocess.run(command, env=environ, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def about(self, kind: str) -> dict[str, Any]:
        """Train; return what the new version says of a kind of segments."""
        self.marquee("train", "--only", "user-model")
        registry = Registry(self.state / "registry")
        newest = registry.path("user-model", registry.versions("user-model")[-1])
        about: dict[str, Any] = json.loads((newest / "segments.json").read_text())
        return about[kind]  # type: ignore[no-any-return]

    async def call(self, method: str, path: str, body: Any) -> Any:
        app = FastAPI()
        add_segments(app, Settings(state=self.state))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://trainer") as client:
            answer = await client.request(method, f"/internal/segments/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.mark.parametrize("kind", ["movies", "users"])
async def test_what_an_operator_decided_outlives_a_training_on_other_ratings(
    kind: str, tmp_path: Path, redis_url: str, namespace: str
) -> None:
    operator = Operator(tmp_path, redis_url)
    generate(150, 120, 6000, 5, tmp_path / "release")
    operator.marquee("--namespace", namespace, "data", "import", str(tmp_path / "release"))
    first = await asyncio.to_thread(operator.about, kind)
    chosen = max(first["segments"], key=lambda one: one["size"])
    await operator.call("PUT", kind, {"k": 6})
    name = {"name": "Sunday matinee", "films": chosen["typical"]}
    await operator.call("PUT", f"{kind}/names", name)

    (tmp_path / "history").rename(tmp_path / "before")  # a third of the ratings are others now
    change_release(tmp_path / "release" / "ratings.csv")
    operator.marquee("--namespace", namespace, "data", "import", str(tmp_path / "release"))
    second = await asyncio.to_thread(operator.about, kind)
    assert len(second["segments"]) == 6
    assert second["choice"]["reason"] == "6 were asked for; 1 of them kept"
    asked = [{"id": one["id"], "films": one["typical"]} for one in second["segments"]]
    said = await operator.call("POST", f"{kind}/names", {"segments": asked})
    assert said == {"k": 6, "names": {"0": "Sunday matinee"}, "kept": [0]}


def change_release(path: Path) -> None:
    """Drop every third rating."""
    header, *lines = path.read_text().splitlines()
    kept = [line for i, line in enumerate(lines) if i % 3]
    path.write_text("\n".join([header, *kept]) + "\n")
