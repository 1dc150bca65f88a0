"""What comes over the border of the API is one thing, or is refused with the field and a remedy."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import httpx
import pytest
import uvicorn

from gateway.app import create_app
from gateway.catalogue.catalogue import Row
from gateway.state.dedup_lookup import RedisDedupLookup
from marquee.bus.api import Published
from marquee.domain.movies import Movie
from marquee.events import Event, MovieBlocked, RatingAdded
from marquee.http_protocol import ProblemProtocol
from marquee.store.keys import Keys
from marquee_testing.fakes.gateway_api import (
    NOWHERE,
    ApiHarness,
    client_of,
    parts,
    problem_of,
)

RATING: dict[str, Any] = {
    "specversion": "1.0",
    "id": "z1",
    "source": "shop",
    "type": "rating.added",
    "data": {"user_id": 1, "movie_id": 2, "rating": 4},
}
WRONG = RATING | {"id": "mine", "data": RATING["data"] | {"rating": 9}}


class NoDuplicates(RedisDedupLookup):
    async def places(self, events: Sequence[Event]) -> list[Published | None]:
        return [None] * len(events)


@pytest.fixture
async def api() -> AsyncIterator[ApiHarness]:
    context, live_view, profiles, models, publisher = parts()
    live_view.catalogue.put(
        Row.of(Movie(movie_id=7, title="Ёлки", year=1990, language="pt-BR", certificate="16+"))
    )
    app = create_app(replace(context, dedup=NoDuplicates(NOWHERE, Keys("marquee", "gateway", 4))))
    async with client_of(app) as client:
        yield ApiHarness(app, client, live_view, profiles, models, publisher)


def refused(response: httpx.Response) -> dict[str, Any]:
    """Return the problem document of a call that is refused, whatever for."""
    return problem_of(response, response.status_code, response.json()["code"])


def fields(response: httpx.Response) -> list[str]:
    return [error["field"] for error in refused(response)["errors"]]


async def send(api: ApiHarness, body: Any, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await api.client.post("/v1/events", content=content, headers=named)


# (method, path, body) of each call with one.
CALLS = [
    ("PUT", "/v1/users/1/ratings/2", {"rating": 5}),
    ("POST", "/v1/users/1/views", {"movie_id": 2}),
    ("POST", "/v1/recommendations", {"k": 1}),
    ("POST", "/v1/predictions", {"ratings": [], "movie_ids": [1]}),
    ("POST", "/v1/movies", {"title": "Heat"}),
    ("PATCH", "/v1/movies/2", {"title": "Heat"}),
    ("PUT", "/v1/movies/2/promotion", {}),
    ("PUT", "/v1/movies/2/block", {}),
    ("PUT", "/v1/segments/users", {"k": 5}),
    ("PUT", "/v1/segments/users/1", {"name": "a"}),
    ("POST", "/v1/trainings", {}),
    ("POST", "/v1/models/content/rollback", {}),
]


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "nothing", ""])
async def test_a_body_of_another_type_is_told_so(
    api: ApiHarness, method: str, path: str, body: Any, kind: str
) -> None:
    content, headers = json.dumps(body).encode(), {"content-type": kind} if kind else {}
    response = await api.client.request(method, path, content=content, headers=headers)
    document = problem_of(response, 415, "unsupported_media_type")
    assert document["detail"] == "Content-Type: must be application/json"


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
@pytest.mark.parametrize("other", [[], 5, "a", True])
async def test_a_body_that_is_no_object_is_told_so(
    api: ApiHarness, method: str, path: str, body: Any, other: Any
) -> None:
    response = await api.client.request(method, path, json=other)
    assert refused(response)["detail"] == "body: must be a JSON object", body


@pytest.mark.parametrize("body", [rb'{"\ud800": 1}', rb'{"title": "a", "tags": {"\ud800": 1}}'])
async def test_an_error_may_quote_what_is_no_text(api: ApiHarness, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    response = await api.client.post("/v1/movies", content=body, headers=headers)
    assert fields(response)


async def test_json_with_its_charset_and_a_kind_of_json_are_read(api: ApiHarness) -> None:
    path = "/v1/users/1/ratings/2"
    for kind in ("application/json; charset=UTF-8", "Application/JSON", "application/x+json"):
        headers = {"content-type": kind}
        response = await api.client.put(path, content=b'{"rating":5}', headers=headers)
        assert response.status_code == 202, response.text
    headers = {"content-type": "application/json; charset=cp1251"}
    response = await api.client.put(path, content=b'{"rating":5}', headers=headers)
    assert fields(response) == ["Content-Type"]


async def test_a_call_without_a_body_needs_no_content_type(api: ApiHarness) -> None:
    assert (await api.client.post("/v1/trainings")).status_code == 503


async def test_one_event_a_batch_and_an_event_in_headers_are_read(api: ApiHarness) -> None:
    structured = await send(api, RATING, content_type="application/cloudevents+json; charset=utf-8")
    batch = await send(api, [RATING, WRONG], content_type="application/cloudevents-batch+json")
    headers = {"ce_id": "z%201", "ce_source": "shop", "ce_type": "rating.added"}
    binary = await send(
        api, RATING["data"], content_type="application/json", ce_specversion="1.0", **headers
    )
    counts = [(r.status_code, r.json()["accepted"], r.json()["rejected"]) for r in
              (structured, batch, binary)]  # fmt: skip
    assert counts == [(202, 1, 0), (202, 1, 1), (202, 1, 0)]
    assert [item["id"] for item in batch.json()["items"]] == ["z1", "mine"]
    assert [event.id for event in api.publisher.events] == ["z1", "z1", "z 1"]
    assert {type(event) for event in api.publisher.events} == {RatingAdded}
    assert len({event.data.user_id for event in api.publisher.events}) == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (RATING, "application/json", "application/cloudevents+json"),
        ([RATING], "application/json", "application/cloudevents-batch+json"),
        ([RATING], "application/cloudevents+json", "body: must be a JSON object"),
        (RATING, "application/cloudevents-batch+json", "valid array"),
        ([], "application/cloudevents-batch+json", "at least 1 item"),
        (RATING, "application/cloudevents+avro", "Content-Type: must be application/json"),
        (b"{", "application/cloudevents+json", "not valid JSON"),
        (b'{"a": "\\ud800"}', "application/json", "hex escape at line 1"),
    ],
)
async def test_events_in_another_form_are_told_how_to_be_sent(
    api: ApiHarness, body: Any, kind: str, words: str
) -> None:
    response = await send(api, body, content_type=kind)
    assert words in refused(response)["detail"]
    assert not api.publisher.events


async def test_the_description_names_the_media_types_of_events(api: ApiHarness) -> None:
    document = (await api.get("/openapi.json")).json()
    assert list(document["paths"]["/v1/events"]["post"]["requestBody"]["content"]) == [
        "application/json",
        "application/cloudevents+json",
        "application/cloudevents-batch+json",
    ]


async def test_a_call_of_which_nothing_is_accepted_is_refused_with_the_items(
    api: ApiHarness,
) -> None:
    response = await send(api, {"events": [WRONG, {"type": "x"}]}, content_type="application/json")
    document = refused(response)
    assert (response.status_code, document["code"]) == (422, "invalid_input")
    assert [(i["index"], i["id"], i["status"]) for i in document["items"]] == [
        (0, "mine", "rejected"),
        (1, None, "rejected"),
    ]
    assert document["detail"].startswith("all 2 events are rejected, the first one for data.rating")
    [error] = document["items"][0]["errors"]
    assert (error["field"], error["allowed"][-1]) == ("data.rating", 5.0)


@pytest.mark.parametrize("path", ["users/%2e%2e", "users/9/dismissed/%2E", "movies/..."])
async def test_an_id_of_dots_is_refused_in_paths(api: ApiHarness, path: str) -> None:
    response = await api.client.delete(f"/v1/{path}")
    assert "not of dots alone" in refused(response)["detail"]
    assert not api.publisher.events


@pytest.mark.parametrize(
    ("query", "names", "words"),
    [
        ("certificate=16%20", ["certificate.0"], "16+ is written 16%2B"),
        ("certificate=17%2B", ["certificate.0"], "did you mean '16+'"),
        ("language=en", ["language.0"], "unknown language 'en'"),
        ("language=pt-BR-x&certificate=a", ["language.0", "certificate.0"], "unknown certificate"),
    ],
)
async def test_a_value_that_no_film_has_is_refused_as_a_genre_is(
    api: ApiHarness, query: str, names: list[str], words: str
) -> None:
    for path in ("/v1/recommendations", "/v1/users/1/recommendations", "/v1/movies"):
        response = await api.get(f"{path}?{query}")
        assert fields(response) == names
        assert words in refused(response)["detail"]
        assert refused(response)["errors"][0]["allowed"] in (["16+"], ["pt-BR"])
    assert (await api.get("/v1/movies?language=PT&certificate=16%2B")).json()["items"]


async def test_a_body_names_its_own_fields(api: ApiHarness) -> None:
    body = {"certificates": ["18+"], "languages": ["en"]}
    response = await api.client.post("/v1/recommendations", json=body)
    assert fields(response) == ["languages.0", "certificates.0"]
    assert "unknown certificate '18+'" in refused(response)["detail"]


async def test_values_go_with_their_last_film(api: ApiHarness) -> None:
    api.live_view.catalogue.remove(7)
    response = await api.get("/v1/movies?certificate=16%2B")
    assert refused(response)["errors"][0]["allowed"] == []
    api.live_view.catalogue.replace(())
    assert (await api.get("/v1/movies?certificate=16%2B")).json()["items"] == []


async def test_years_in_the_wrong_order_are_both_named(api: ApiHarness) -> None:
    response = await api.get("/v1/users/1/recommendations?year_from=2010&year_to=2000")
    assert fields(response) == ["year_from", "year_to"]


@pytest.mark.parametrize("kind", ["block", "promotion"])
async def test_a_rule_that_is_over_is_refused_and_read_from_the_log(
    api: ApiHarness, kind: str
) -> None:
    response = await api.client.put(f"/v1/movies/2/{kind}", json={"until": "2001-01-01T00:00:00Z"})
    assert fields(response) == ["until"]
    assert "DELETE" in refused(response)["detail"]
    data = {"movie_id": 2, "until": "2001-01-01T00:00:00Z"}
    event = {"type": "movie.blocked", "data": data}
    assert (await send(api, event, content_type="application/cloudevents+json")).is_success
    assert isinstance(api.publisher.events[0], MovieBlocked)


async def test_of_more_than_1000_views_the_newest_count(api: ApiHarness) -> None:
    views = [1, 2, *(f"z{i}" for i in range(999)), 3]
    response = await api.client.post("/v1/recommendations", json={"viewed": views, "k": 40})
    assert response.json()["notes"] == ["the newest 1,000 of 1,002 viewed films count"]
    assert not {1, 2, 3} & {item["movie_id"] for item in response.json()["items"]}
    query = "&".join(f"viewed={movie_id}" for movie_id in views)
    by_query = await api.get(f"/v1/recommendations?{query}&k=40")
    assert by_query.json()["items"] == response.json()["items"]
    assert by_query.json()["notes"] == response.json()["notes"]


@pytest.mark.parametrize(
    "line",
    ["GET /v1/movies?query=Ёлки HTTP/1.1", "GET /v1/movies?query=a b HTTP/1.1"],
)
async def test_what_the_parser_refuses_is_a_problem_document(api: ApiHarness, line: str) -> None:
    config = uvicorn.Config(api.app, port=0, http=ProblemProtocol, log_config=None)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{line}\r\nHost: x\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
    server.should_exit = True
    await running
    head, body = answer.split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/problem+json" in head
    assert json.loads(body)["code"] == "unreadable_request"
