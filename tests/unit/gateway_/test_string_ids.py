"""Ids that are strings go through every door of the API and come back as they were given."""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from typing import Any

import orjson
import pytest

from gateway.app import create_app
from gateway.catalogue.catalogue import Row
from gateway.recommend.orchestrator import Orchestrator
from gateway.state.rules import MovieRules, Rules
from gateway.upstream.models import Call, Failure, RecommendReply, Reply
from marquee.domain.ids import number_of, parse_id
from marquee.domain.movies import Movie
from marquee.domain.ratings import Ratings
from marquee.domain.recommendation import Reason, Route, Scored
from marquee.domain.routing import Thresholds
from marquee_testing.fakes.gateway_api import ApiHarness, client_of, fields_of, parts, problem_of

FILMS = ["tt0111161", "550e8400-e29b-41d4-a716-446655440000", "007", "7_7", "shop:7@x.y-z", "42"]
USER = "user:ab-12"
UNKNOWN = "tt9999999"
"""A film that was rated and is in no catalogue."""
N = {text: number_of(text) for text in (*FILMS, USER, UNKNOWN)}


class StringModels:
    """Services that know movies by their numbers alone, as all services do."""

    async def recommend(
        self, _route: Route, request: Mapping[str, Any], _seconds: float
    ) -> RecommendReply | Failure:
        sent = orjson.loads(orjson.dumps(dict(request)))
        assert sent["user_id"] in (None, N[USER])
        kept = [N[text] for text in FILMS if N[text] not in sent["exclude"]]
        because = ((N["007"], 0.5),)
        items = [Scored(i, 1.0, Reason.BECAUSE_YOU_LIKED, because) for i in kept]
        return RecommendReply(tuple(items), "model-1")

    async def call(self, service: str, call: Call) -> Reply | Failure:
        if service == "neural":
            items = [
                {"movie_id": int(i), "rating": 4.0, "confidence": 0.5}
                for i in orjson.loads(orjson.dumps(call.body))["movie_ids"]
            ]
            return Reply(200, {"items": items, "model_version": "neural-1"})
        if "similar" in call.path:
            assert f"/{N['tt0111161']}/" in call.path
            item = {"movie_id": N["007"], "score": 1.0, "reason": "similar_to_viewed"}
            body = {"items": [item], "model_version": "content-1", "positions": {}, "fresh": True}
            return Reply(200, body)
        return Failure(f"{service} cannot be reached")


@pytest.fixture
async def api() -> AsyncIterator[ApiHarness]:
    context, live_view, profiles, fakes, publisher = parts()
    movies = [Movie.model_validate({"movie_id": text, "title": f"Film {text}"}) for text in FILMS]
    stored = [Row.parse(movie.model_dump_json().encode()) for movie in movies]
    live_view.catalogue.replace(stored)
    facts = Ratings({N["tt0111161"]: 8, N[UNKNOWN]: 9}, {N["007"]: None}, user=USER)
    profiles.facts[N[USER]] = facts
    profiles.texts[N[UNKNOWN]] = UNKNOWN
    rules = {"block": {"movie_id": "7_7", "reason": "x"}, "promotion": {"movie_id": "7_7"}}
    profiles.rules = Rules({N["7_7"]: MovieRules.parse(orjson.dumps(rules))})
    models = StringModels()
    context = replace(
        context, models=models, orchestrator=Orchestrator(models, live_view.popular, Thresholds())
    )
    app = create_app(context)
    async with client_of(app) as client:
        yield ApiHarness(app, client, live_view, profiles, fakes, publisher)


def numbers_in(document: object) -> Iterator[int]:
    """Yield the negative whole numbers of a document: no id may leave as one."""
    if isinstance(document, dict):
        for value in document.values():
            yield from numbers_in(value)
    elif isinstance(document, list):
        for value in document:
            yield from numbers_in(value)
    elif isinstance(document, int) and document < 0:
        yield document


READS = [
    "/v1/recommendations",
    "/v1/recommendations?viewed=tt0111161&explain=true",
    f"/v1/users/{USER}/recommendations?explain=true&exclude=007",
    f"/v1/users/{USER}",
    f"/v1/users/{USER}/ratings",
    "/v1/movies",
    "/v1/movies/tt0111161",
    "/v1/movies/tt0111161/similar",
    "/v1/movies/shop%3A7%40x.y-z",
    "/v1/promotions",
    "/v1/blocks",
    f"/v1/users/{USER}/export",
]
QUESTIONS = [
    ("/v1/rules/preview", {"movie_id": "007", "users": [USER], "promotion": {}}),
    ("/v1/rules/preview", {"movie_id": "tt0111161", "users": [USER], "block": {}}),
    ("/v1/recommendations", {"viewed": ["tt0111161"], "exclude": ["007"]}),
    ("/v1/predictions", {"user_id": USER, "movie_ids": ["007", "tt0111161", 42]}),
]


@pytest.mark.parametrize("path", READS)
async def test_no_answer_shows_the_number_of_a_string(api: ApiHarness, path: str) -> None:
    response = await api.get(path)
    assert response.status_code == 200, response.text
    assert not list(numbers_in(response.json())), response.text


@pytest.mark.parametrize(("path", "body"), QUESTIONS)
async def test_no_answer_to_a_body_shows_the_number_of_a_string(
    api: ApiHarness, path: str, body: dict[str, Any]
) -> None:
    response = await api.client.post(path, json=body)
    assert response.status_code == 200, response.text
    assert response.json()["items"]
    assert not list(numbers_in(response.json())), response.text


async def test_films_and_viewers_come_back_as_they_were_given(api: ApiHarness) -> None:
    answer = (await api.get(f"/v1/users/{USER}/recommendations?explain=true&exclude=007")).json()
    assert answer["user_id"] == USER
    shown = [item["movie_id"] for item in answer["items"]]
    assert sorted(shown) == ["42", "550e8400-e29b-41d4-a716-446655440000", "shop:7@x.y-z"]
    assert {b["movie_id"] for item in answer["items"] for b in item["because"]} == {"007"}
    assert "7_7" in [removal["movie_id"] for removal in answer["explain"]["removed"]]
    assert (await api.get("/v1/movies/42")).json()["movie_id"] == "42"
    similar = (await api.get("/v1/movies/tt0111161/similar")).json()
    assert (similar["movie_id"], similar["items"][0]["movie_id"]) == ("tt0111161", "007")
    assert [row["movie_id"] for row in (await api.get("/v1/blocks")).json()["items"]] == ["7_7"]


async def test_a_rated_film_that_no_catalogue_has_is_listed_by_its_id(api: ApiHarness) -> None:
    items = (await api.get(f"/v1/users/{USER}/ratings")).json()["items"]
    assert [(item["movie_id"], item["title"]) for item in items] == [
        (UNKNOWN, None),
        ("tt0111161", "Film tt0111161"),
    ]


async def test_pages_go_on_after_a_string(api: ApiHarness) -> None:
    seen, path = [], "/v1/movies?limit=2"
    for _ in range(3):
        page = (await api.get(path)).json()
        seen += [item["movie_id"] for item in page["items"]]
        path = f"/v1/movies?limit=2&cursor={page['next_cursor']}"
    assert sorted(seen) == sorted(FILMS)


async def test_predictions_name_the_films_of_the_request(api: ApiHarness) -> None:
    body = {"user_id": USER, "movie_ids": ["007", "tt0111161", 42]}
    answer = (await api.client.post("/v1/predictions", json=body)).json()
    assert [item["movie_id"] for item in answer["items"]] == ["007", "tt0111161", 42]


async def test_writes_publish_the_ids_as_given(api: ApiHarness) -> None:
    base = f"/v1/users/{USER}"
    await api.client.put(f"{base}/ratings/tt0111161", json={"rating": 4})
    await api.client.put(f"{base}/dismissed/007")
    await api.client.post(f"{base}/views", json={"movie_id": "shop:7@x.y-z"})
    await api.client.delete(base)
    await api.client.put("/v1/movies/7_7/block", json={})
    new = await api.client.post("/v1/movies", json={"movie_id": "new-1", "title": "New"})
    assert new.json()["movie_id"] == "new-1"
    sent = [(event.key, orjson.loads(event.encode())["data"]) for event in api.publisher.events]
    assert [key for key, _ in sent] == [USER, USER, USER, USER, "7_7", "new-1"]
    assert [data.get("movie_id") for _, data in sent] == [
        "tt0111161",
        "007",
        "shop:7@x.y-z",
        None,
        "7_7",
        "new-1",
    ]
    assert {data["user_id"] for _, data in sent if "user_id" in data} == {USER}


async def test_a_number_and_its_text_are_one_film_in_every_door(api: ApiHarness) -> None:
    body = {"ratings": [{"movie_id": "42", "rating": 5}, {"movie_id": 42, "rating": 1}]}
    answer = (await api.client.post("/v1/recommendations", json=body)).json()
    assert answer["evidence"]["ratings"] == 1
    assert parse_id("42") == 42


async def test_a_wrong_id_is_named_with_the_rule(api: ApiHarness) -> None:
    for path, field in (
        ("/v1/movies/a%20b", "movie_id"),
        (f"/v1/users/{'x' * 65}", "user_id"),
        ("/v1/recommendations?viewed=7%2F7", "viewed.0"),
    ):
        assert "string of 1 to 64" in fields_of(await api.get(path))[field]["detail"]
    for value in (True, 1.0, "", "a b", 2**63, 0):
        body = {"movie_ids": [value], "user_id": 1}
        response = await api.client.post("/v1/predictions", json=body)
        assert "movie_ids.0" in fields_of(response), response.text


async def test_an_unknown_film_is_named_by_its_text(api: ApiHarness) -> None:
    response = await api.get("/v1/movies/tt404")
    assert problem_of(response, 404, "not_found")["detail"] == "there is no film tt404"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", f"/v1/users/{USER}/recommendations", None),
        ("GET", f"/v1/users/{USER}/shelves", None),
        ("GET", f"/v1/users/{USER}/watchlist", None),
        ("PUT", f"/v1/users/{USER}/watchlist/42", None),
        ("POST", "/v1/recommendations/together", {"users": [USER, 7]}),
        ("POST", "/v1/predictions", {"user_id": USER, "movie_ids": [42]}),
    ],
)
async def test_nobody_reads_a_viewer_whose_id_has_the_same_number(
    api: ApiHarness, method: str, path: str, body: Any
) -> None:
    api.profiles.facts[N[USER]] = Ratings({N["007"]: 10}, user="another")
    response = await api.client.request(method, path, json=body)
    problem_of(response, 409, "id_collision")


async def test_a_batch_has_a_problem_for_a_viewer_whose_number_is_anothers(api: ApiHarness) -> None:
    api.profiles.facts[N[USER]] = Ratings({N["007"]: 10}, user="another")
    response = await api.client.post("/v1/recommendations/batch", json={"users": [USER]})
    [item] = response.json()["items"]
    assert (item["list"], item["problem"]["code"]) == (None, "id_collision")
