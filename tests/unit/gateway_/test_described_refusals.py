"""Refusals are as the OpenAPI document describes them, and say what helps."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from marquee.domain.models import MODEL_NAMES
from marquee.events import EVENT_TYPES, MODELS
from marquee_testing.fakes.gateway_api import ApiHarness, problem_of
from trainer.contracts.examples import EXAMPLES

PREVIEW = b'{"movie_id": 999, "block": {}, "users": [1]}'
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE")


@pytest.fixture
async def document(api: ApiHarness) -> Any:
    return (await api.get("/openapi.json")).json()


def operations(document: Any) -> list[tuple[str, str, Any]]:
    return [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def filled(path: str) -> str:
    """Return a path with a value in place of each parameter."""
    values = {
        "kind": "movies",
        "name": "content",
        "training_id": "t",
        "movie_id": "999",
        "entry_id": "no-such-entry",
        "receipt_id": "no-such-receipt",
    }
    for part in path.split("/"):
        if part.startswith("{"):
            path = path.replace(part, values.get(part[1:-1], "1"))
    return path


def validator_of(document: Any, response: Any) -> Draft202012Validator:
    [(kind, content)] = response["content"].items()
    assert kind == "application/problem+json"
    return Draft202012Validator(content["schema"] | {"components": document["components"]})


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"[]", b"{}", PREVIEW])
async def test_whatever_is_answered_is_described(
    api: ApiHarness, document: Any, body: bytes
) -> None:
    for method, path, operation in operations(document):
        headers = {"content-type": "application/json"} if body else {}
        url = filled(path)
        response = await api.client.request(method, url, content=body, headers=headers)
        described = operation["responses"]
        assert str(response.status_code) in described, (method, url, response.text)
        if response.status_code >= 400:
            validator_of(document, described[str(response.status_code)]).validate(response.json())


async def test_a_refusal_is_of_the_described_form(api: ApiHarness, document: Any) -> None:
    for method, path, operation in operations(document):
        unknown = await api.client.request(method, filled(path) + "?no_such_parameter=1")
        problem = problem_of(unknown, 422, "invalid_input")
        assert problem["errors"][0]["field"] == "no_such_parameter"
        validator_of(document, operation["responses"]["422"]).validate(problem)


async def test_the_events_that_producers_may_send_are_described(document: Any) -> None:
    form = {"$ref": "#/components/schemas/CloudEvent", "components": document["components"]}
    validator = Draft202012Validator(form)
    for name, event in EXAMPLES.items():
        is_public = EVENT_TYPES[name].topic != MODELS
        assert (name, validator.is_valid(event)) == (name, is_public)
    untyped = {field: value for field, value in EXAMPLES["user.erased"].items() if field != "type"}
    assert not validator.is_valid(untyped)


async def test_every_described_body_is_closed_as_the_api_is(document: Any) -> None:
    schemas = document["components"]["schemas"]
    bodies = [
        content["schema"]
        for _, path, operation in operations(document)
        for content in operation.get("requestBody", {}).get("content", {}).values()
        if path != "/v1/events"  # consumers read events that are newer than they are
    ]
    assert bodies
    seen: set[str] = set()
    while bodies:
        part = bodies.pop()
        if isinstance(part, list):
            bodies += part
        elif isinstance(part, dict):
            if part.get("type") == "object" and "properties" in part:
                assert part["additionalProperties"] is False, part
            name = str(part.get("$ref", "")).rpartition("/")[2]
            if name and name not in seen:
                seen.add(name)
                bodies.append(schemas[name])
            bodies += part.values()
    assert "LinksBody" in seen


async def test_an_unknown_field_is_named_with_what_it_is_in(api: ApiHarness) -> None:
    for links, field in (({"": 1}, 'links.""'), ({"imbd": "tt0113277"}, "links.imbd")):
        response = await api.client.patch("/v1/movies/10", json={"links": links})
        [error] = problem_of(response, 422, "invalid_input")["errors"]
        assert (error["field"], error["allowed"]) == (field, ["imdb", "tmdb"])
    [error] = problem_of(await api.get("/v1/genres?="), 422, "invalid_input")["errors"]
    assert error["field"] == '""'


async def test_a_training_of_an_unknown_model_is_refused_with_the_known_ones(
    api: ApiHarness,
) -> None:
    response = await api.client.post("/v1/trainings", json={"models": ["content", "kontent"]})
    [error] = problem_of(response, 422, "invalid_input")["errors"]
    assert (error["field"], error["allowed"]) == ("models.1", list(MODEL_NAMES))


async def test_a_wrong_method_is_answered_with_all_that_the_address_has(
    api: ApiHarness, document: Any
) -> None:
    for path, methods in document["paths"].items():
        known = sorted(
            {*map(str.upper, methods), "OPTIONS", *(["HEAD"] if "get" in methods else [])}
        )
        for method in METHODS:
            if method in known:
                continue
            response = await api.client.request(method, filled(path))
            assert response.headers["allow"] == ", ".join(known)
            if method == "HEAD":
                assert (response.status_code, response.content) == (405, b"")
                continue
            problem = problem_of(response, 405, "method_not_allowed")
            assert method in problem["detail"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"rating": "\xff"}', "not UTF-8 at byte 12"),
        (b"[" * 200_000, "within each other"),
        (b'{"rating": ' + b"9" * 5000 + b"}", "cannot be read"),
        (b'{"rating": }', "expecting value at character 11"),
        (b'{"rating": 4', "expecting ',' delimiter at character 12"),
    ],
)
async def test_a_body_that_is_no_json_is_told_where_it_ends_to_be(
    api: ApiHarness, content: bytes, words: str
) -> None:
    headers = {"content-type": "application/json"}
    path = "/v1/users/1/ratings/10"
    response = await api.client.put(path, content=content, headers=headers)
    assert words in problem_of(response, 400, "unreadable_body")["detail"]
