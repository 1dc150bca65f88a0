"""The public API over hand-written parts: an app, its parts in memory, and a client of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from gateway.api.context import Context
from gateway.catalogue.catalogue import Catalogue, Row
from gateway.catalogue.popularity import PopularList
from gateway.http.idempotency_store import RedisIdempotency
from gateway.recommend.orchestrator import Orchestrator
from gateway.state.consistency_token import Positions
from gateway.state.dedup_lookup import RedisDedupLookup
from gateway.state.profiles import Profile
from gateway.state.rules import Rules
from gateway.upstream.models import Call, Failure, RecommendReply, Reply
from marquee.bus.api import Published, TopicPartition
from marquee.domain.movies import Movie
from marquee.domain.ratings import Ratings
from marquee.domain.recommendation import Reason, Route, Scored
from marquee.domain.routing import Thresholds
from marquee.errors import BusUnavailable
from marquee.events import Event
from marquee.events.partitioning import partition_of
from marquee.features.popularity import MovieSums
from marquee.settings import Settings
from marquee.store.keys import Keys
from marquee_testing.fakes.audit import FakeAudit

NOWHERE = "redis://127.0.0.1:1/0"
MOVIES = [
    Movie(movie_id=i, title=f"Film {i}", year=1990 + i, genres=("Crime" if i % 2 else "Drama",))
    for i in range(1, 41)
]


@dataclass
class FakeLiveState:
    """Movies in memory; positions are passed unless told otherwise."""

    catalogue: Catalogue
    popular: PopularList
    connected: bool = True
    reached: bool = True
    awaited: list[Positions] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)

    async def passed(self, after: Positions, seconds: float) -> bool:
        self.awaited.append(after)
        self.waited.append(seconds)
        return self.reached

    async def wait_for_movie(self, movie_id: int, _: float) -> bool:
        return self.catalogue.get(movie_id) is not None


@dataclass
class FakeProfiles:
    """Users' facts and the rules."""

    facts: dict[int | None, Ratings] = field(default_factory=dict)
    rules: Rules = field(default_factory=Rules)
    known: bool = True
    texts: dict[int, str] = field(default_factory=dict)

    async def read(self, user_id: int | None) -> Profile:
        return Profile(self.facts.get(user_id, Ratings()), self.rules, self.known)

    async def movie_texts(self, _user_id: int, movie_ids: Sequence[int]) -> dict[int, str]:
        return {i: self.texts[i] for i in movie_ids if i in self.texts}


@dataclass
class FakeModels:
    """Services that recommend the movies from the last one down, and answer calls as told."""

    replies: dict[str, Reply] = field(default_factory=dict)
    calls: list[tuple[str, Call]] = field(default_factory=list)
    diversities: list[float] = field(default_factory=list)

    async def recommend(
        self, route: Route, request: Mapping[str, Any], _: float
    ) -> RecommendReply | Failure:
        self.diversities.append(request.get("diversity", 0.0))
        seen = {i for i, _ in request["ratings"]} | {*request["viewed"], *request["exclude"]}
        movies = [f for f in reversed(MOVIES) if f.movie_id not in seen]
        items = [Scored(f.movie_id, 1.0, Reason.POPULAR) for f in movies]
        return RecommendReply(tuple(items), f"{route}-1")

    async def call(self, service: str, call: Call) -> Reply | Failure:
        self.calls.append((service, call))
        return self.replies.get(service, Failure(f"{service} cannot be reached"))


@dataclass
class FakePublisher:
    """Keeps what is published."""

    events: list[Event] = field(default_factory=list)
    down: bool = False

    async def publish(self, events: Sequence[Event]) -> list[Published]:
        if self.down:
            raise BusUnavailable("the bus does not answer")
        places = []
        for event in events:
            partition = TopicPartition(event.topic, partition_of(event.key, 4))
            places.append(Published(partition, len(self.events)))
            self.events.append(event)
        return places


@dataclass
class ApiHarness:
    """An app with its parts, and a client of it."""

    app: FastAPI
    client: httpx.AsyncClient
    live_view: FakeLiveState
    profiles: FakeProfiles
    models: FakeModels
    publisher: FakePublisher

    async def get(self, path: str) -> httpx.Response:
        return await self.client.get(path)


def parts(
    web: Path | None = None,
) -> tuple[Context, FakeLiveState, FakeProfiles, FakeModels, FakePublisher]:
    catalogue = Catalogue(map(Row.of, MOVIES))
    live_view = FakeLiveState(catalogue, PopularList(catalogue, MovieSums()))
    profiles, models, publisher = FakeProfiles(), FakeModels(), FakePublisher()
    orchestrator = Orchestrator(models, live_view.popular, Thresholds())
    context = Context(
        Settings(web=web),
        live_view,
        profiles,
        models,
        orchestrator,
        publisher,
        RedisDedupLookup(NOWHERE, Keys("n", "gateway", 4)),
        RedisIdempotency(NOWHERE, "n"),
        audit=FakeAudit(),
    )
    return context, live_view, profiles, models, publisher


def client_of(app: FastAPI) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://gateway")


def movie_ids(response: httpx.Response) -> list[int]:
    assert response.status_code == 200, response.text
    return [item["movie_id"] for item in response.json()["items"]]


def problem_of(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert (body["status"], body["code"], body["type"]) == (status, code, f"/problems/{code}")
    return body


def fields_of(response: httpx.Response) -> dict[str, dict[str, Any]]:
    errors = problem_of(response, 422, "invalid_input")["errors"]
    return {error["field"]: error for error in errors}
