"""Every call of /v1/segments over a service and a trainer that answer as told."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from gateway.api.context import Context
from gateway.app import create_app
from gateway.catalogue.catalogue import Catalogue, Row
from gateway.catalogue.popularity import PopularList
from gateway.http.idempotency_store import RedisIdempotency
from gateway.recommend.orchestrator import Orchestrator
from gateway.state.dedup_lookup import RedisDedupLookup
from gateway.state.profiles import Profile
from gateway.state.rules import MovieRules, Rules
from gateway.upstream.models import Call, Failure, RecommendReply, Reply
from marquee.bus.api import Published
from marquee.domain.movies import Movie
from marquee.domain.ratings import Ratings
from marquee.domain.recommendation import MoviesRequest, Route
from marquee.domain.routing import Thresholds
from marquee.events import Block, Promotion
from marquee.features.popularity import MovieSums
from marquee.settings import Settings
from marquee.store.keys import Keys
from marquee_testing.fakes.audit import FakeAudit

NOWHERE = "redis://127.0.0.1:1/0"
MOVIES = [Movie(movie_id=i, title=f"Film {i}", year=1990, genres=("Crime",)) for i in range(1, 31)]
CATALOGUE = Catalogue(map(Row.of, MOVIES))


def segment_of(segment: int, *typical: int) -> dict[str, Any]:
    apart = {"genres": ["Crime"], "decades": [], "tags": []}
    return {
        "id": segment,
        "name": f"Crime {segment}",
        "size": 9,
        "genres": {"Crime": 1.0},
        "apart": apart,
        "typical": list(typical),
    }


SEGMENTS = {
    "items": [segment_of(0, *range(1, 16)), segment_of(4, 16, 999)],
    "model_version": "v1",
    "choice": {"k": 5, "votes": {"elbow": 5}},
}
SEGMENT_MOVIES = {
    "items": [
        {"movie_id": i, "score": 1.0, "reason": "popular", "because": []} for i in range(1, 29)
    ],
    "model_version": "v1",
    "positions": {},
    "fresh": True,
}


@dataclass
class FakeModels:
    """Services that answer each path as told, the rest not at all."""

    replies: dict[str, Reply] = field(default_factory=dict)
    calls: list[tuple[str, Call]] = field(default_factory=list)

    async def recommend(
        self, _: Route, __: Mapping[str, Any], ___: float
    ) -> RecommendReply | Failure:
        return Failure("nobody asks")

    async def call(self, service: str, call: Call) -> Reply | Failure:
        self.calls.append((service, call))
        return self.replies.get(call.path.partition("?")[0], Failure(f"{service} is down"))


@dataclass
class FakeProfiles:
    rules: Rules = field(default_factory=Rules)

    async def read(self, _: int | None) -> Profile:
        return Profile(Ratings(), self.rules)

    async def movie_texts(self, _user_id: int, _movie_ids: Sequence[int]) -> dict[int, str]:
        return {}


class FakeLiveState:
    catalogue = CATALOGUE
    popular = PopularList(CATALOGUE, MovieSums())
    connected = True

    async def passed(self, _: Any, __: float) -> bool:
        return True

    async def wait_for_movie(self, _: int, __: float) -> bool:
        return True


class FakePublisher:
    async def publish(self, _: Any) -> list[Published]:
        raise AssertionError("segments are no events")


@dataclass
class ApiHarness:
    client: httpx.AsyncClient
    models: FakeModels
    profiles: FakeProfiles


@pytest.fixture
async def api() -> AsyncIterator[ApiHarness]:
    models, profiles, live_view = FakeModels(), FakeProfiles(), FakeLiveState()
    for kind in ("movies", "users"):
        path = f"/internal/segments/{kind}"
        models.replies[path] = Reply(200, SEGMENTS)
        models.replies[f"{path}/names"] = Reply(
            200, {"k": 6, "names": {"4": "Night owls"}, "kept": [4]}
        )
        models.replies[f"{path}/4/films"] = Reply(200, SEGMENT_MOVIES)
    orchestrator = Orchestrator(models, live_view.popular, Thresholds())
    context = Context(
        Settings(),
        live_view,
        profiles,
        models,
        orchestrator,
        FakePublisher(),
        RedisDedupLookup(NOWHERE, Keys("n", "gateway", 4)),
        RedisIdempotency(NOWHERE, "n"),
        audit=FakeAudit(),
    )
    transport = httpx.ASGITransport(create_app(context))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield ApiHarness(client, models, profiles)


KINDS = pytest.mark.parametrize("kind", ["movies", "users"])


@KINDS
async def test_a_list_says_what_there_is_and_how_it_was_chosen(api: ApiHarness, kind: str) -> None:
    answer = (await api.client.get(f"/v1/segments/{kind}")).json()
    assert {key: answer[key] for key in ("kind", "model_version", "wanted", "choice")} == {
        "kind": kind,
        "model_version": "v1",
        "wanted": 6,
        "choice": SEGMENTS["choice"],
    }
    first, second = answer["items"]
    assert (first["name"], first["named"], first["kept"]) == ("Crime 0", False, False)
    assert (second["name"], second["named"], second["kept"]) == ("Night owls", True, True)
    assert [movie["title"] for movie in first["typical"]] == [f"Film {i}" for i in range(1, 11)]
    assert second["typical"][1]["movie_id"] == 999  # one that the catalogue has no more


@KINDS
async def test_one_segment_is_as_it_is_in_the_list(api: ApiHarness, kind: str) -> None:
    listed = (await api.client.get(f"/v1/segments/{kind}")).json()["items"][1]
    assert (await api.client.get(f"/v1/segments/{kind}/4")).json() == listed


@pytest.mark.parametrize("path", ["", "/4", "/4/recommendations"])
async def test_without_the_service_it_is_said_to_be_unavailable(api: ApiHarness, path: str) -> None:
    api.models.replies.clear()
    answer = await api.client.get(f"/v1/segments/users{path}")
    assert (answer.status_code, answer.json()["code"]) == (503, "model_unavailable")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "actors", 422),
        ("GET", "users/5", 404),
        ("PUT", "users/5", 404),
        ("GET", "users/-1", 422),
        ("GET", "users/four", 422),
        ("GET", "users/4/recommendations?k=0", 422),
        ("GET", "users/4/recommendations?genre=War", 422),
    ],
)
async def test_what_is_not_there_or_not_known_is_refused(
    api: ApiHarness, method: str, path: str, status: int
) -> None:
    body = {"name": "x"} if method == "PUT" else None
    answer = await api.client.request(method, f"/v1/segments/{path}", json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_segment_that_the_service_does_not_know_is_not_found(api: ApiHarness) -> None:
    missing = Reply(404, {"code": "not_found", "detail": "there is no segment 7 of users"})
    api.models.replies["/internal/segments/users/7/films"] = missing
    answer = await api.client.get("/v1/segments/users/7/recommendations")
    assert (answer.status_code, answer.json()["detail"]) == (404, missing.body["detail"])


def ids(answer: httpx.Response) -> list[int]:
    return [item["movie_id"] for item in answer.json()["items"]]


@KINDS
async def test_a_segment_s_list_keeps_to_the_rules(api: ApiHarness, kind: str) -> None:
    path = f"/v1/segments/{kind}/4/recommendations"
    assert ids(await api.client.get(path)) == list(range(1, 11))
    own = Promotion(movie_id=29, slots=(1,), segments=(4,))
    other = Promotion(movie_id=30, slots=(2,), segments=(3,))
    block = Block(movie_id=2, reason="rights")
    api.profiles.rules = Rules({
        2: MovieRules(block=block), 29: MovieRules(promotion=own), 30: MovieRules(promotion=other),
    })  # fmt: skip
    answer = await api.client.get(f"{path}?k=3")
    assert ids(answer) == ([29, 1, 3] if kind == "users" else [1, 3, 4])
    assert answer.json()["items"][0]["promoted"] is (kind == "users")
    assert answer.json()["segment"] == 4


@KINDS
async def test_a_segment_s_list_keeps_to_the_filters(api: ApiHarness, kind: str) -> None:
    path = f"/v1/segments/{kind}/4/recommendations"
    assert ids(await api.client.get(f"{path}?k=3&genre=crime&year_to=1990")) == [1, 2, 3]
    _, call = api.models.calls[-1]
    assert (call.method, call.path) == ("POST", f"/internal/segments/{kind}/4/films")
    assert MoviesRequest(**call.body) == MoviesRequest(k=8, genres=("crime",), year_to=1990)
    answer = await api.client.get(f"{path}?runtime_max=90")
    assert ids(answer) == []
    assert answer.json()["notes"] == [
        "no film is known to have such a runtime, language or certificate"
    ]
    assert MoviesRequest(**api.models.calls[-1][1].body).only == ()


@KINDS
@pytest.mark.parametrize("k", [6, None])
async def test_an_operator_fixes_the_number_or_lets_the_data_choose(
    api: ApiHarness, kind: str, k: int | None
) -> None:
    api.models.replies[f"/internal/segments/{kind}"] = Reply(200, {"kind": kind, "k": k})
    api.models.replies[f"/internal/segments/{kind}/names"] = Reply(200, {"k": 9, "names": {}})
    answer = await api.client.put(f"/v1/segments/{kind}", json={"k": k})
    assert (answer.status_code, answer.json()) == (200, {"kind": kind, "k": k})
    *_, (service, call) = api.models.calls
    assert (service, call.method, call.body) == ("trainer", "PUT", {"k": k})


@pytest.mark.parametrize("body", [{}, {"k": 0}, {"k": 201}, {"k": "6"}, {"k": 6, "kind": "users"}])
async def test_another_number_is_refused(api: ApiHarness, body: dict[str, Any]) -> None:
    assert (await api.client.put("/v1/segments/users", json=body)).status_code == 422
    assert api.models.calls == []


@KINDS
@pytest.mark.parametrize(("more", "keep"), [({}, True), ({"keep": False}, False)])
async def test_a_name_goes_to_the_trainer_with_the_typical_movies(
    api: ApiHarness, kind: str, more: dict[str, bool], keep: bool
) -> None:
    body = {"name": " Early birds ", **more}
    answer = await api.client.put(f"/v1/segments/{kind}/0", json=body)
    shown = answer.json()
    assert (shown["name"], shown["named"], shown["kept"]) == ("Early birds", True, keep)
    service, call = api.models.calls[-1]
    assert (service, call.method, call.path) == (
        "trainer",
        "PUT",
        f"/internal/segments/{kind}/names",
    )
    assert call.body == {"name": "Early birds", "films": list(range(1, 16)), "keep": keep}


@pytest.mark.parametrize(
    "body", [{}, {"name": ""}, {"name": " "}, {"name": "x" * 101}, {"name": "x", "keep": "yes"}]
)
async def test_another_name_is_refused(api: ApiHarness, body: dict[str, Any]) -> None:
    assert (await api.client.put("/v1/segments/users/4", json=body)).status_code == 422
    assert api.models.calls == []


@pytest.mark.parametrize("path", ["", "/4"])
async def test_without_the_trainer_nothing_is_decided(api: ApiHarness, path: str) -> None:
    listed = Reply(200, SEGMENTS)
    api.models.replies = {"/internal/segments/users": listed} if path else {}
    body = {"name": "x"} if path else {"k": 3}
    answer = await api.client.put(f"/v1/segments/users{path}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert "trainer is down" in answer.json()["detail"]
