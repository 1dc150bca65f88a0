"""Limits of depth, lists and strings hold at every border: bodies, events, and the bus."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
from annotated_types import MaxLen
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

import gateway.api.schemas.movie_bodies
import gateway.api.schemas.requests
import marquee.events.types
from gateway.app import create_app
from marquee.domain.json_values import refuse_deep
from marquee.errors import TooDeep, UnreadableEvent
from marquee.events import AnyEvent, decode
from marquee.limits import MAX_DEPTH, MAX_LIST
from marquee_testing.fakes.gateway_api import client_of, parts, problem_of
from trainer.datasets.columns.genre_lists import objects_in
from trainer.datasets.exports.exported_fields import read_rest

RATING = {"type": "rating.added", "data": {"user_id": 1, "movie_id": 2, "rating": 4}}


def nested(depth: int, kinds: str) -> str:
    """Return JSON of so many lists and objects within each other."""
    opened = [kinds[i % len(kinds)] for i in range(depth)]
    begin = "".join("[" if kind == "[" else '{"a":' for kind in opened)
    return begin + "1" + "".join("]" if kind == "[" else "}" for kind in reversed(opened))


def within(value: str, **fields: Any) -> str:
    """Return a JSON object of some fields, and one more of this text."""
    return f'{{{json.dumps(fields)[1:-1]}{", " if fields else ""}"more": {value}}}'


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(create_app(parts()[0])) as made:
        yield made


BORDERS: list[tuple[str, str, str, Callable[[str], str]]] = [
    ("PUT", "/v1/users/1/ratings/2", "application/json", lambda v: within(v, rating=4)),
    ("POST", "/v1/recommendations", "application/json", lambda v: within(v)),
    ("POST", "/v1/movies", "application/json", lambda v: f'{{"title": "A", "tags": {v}}}'),
    ("PATCH", "/v1/movies/2", "application/json", lambda v: v),
    ("POST", "/v1/events", "application/json", lambda v: f'{{"events": [{within(v, **RATING)}]}}'),
    ("POST", "/v1/events", "application/cloudevents+json", lambda v: within(v, **RATING)),
    ("POST", "/v1/events", "application/cloudevents-batch+json", lambda v: f"[{v}]"),
]


@pytest.mark.parametrize(("method", "path", "kind", "body"), BORDERS)
@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 1100, 100_000])
@pytest.mark.parametrize("kinds", ["[", "{", "[{"])
async def test_a_deep_body_is_refused(
    client: httpx.AsyncClient,
    method: str,
    path: str,
    kind: str,
    body: Callable[[str], str],
    depth: int,
    kinds: str,
) -> None:
    content = body(nested(depth, kinds)).encode()
    for extra in ({}, {"Idempotency-Key": "a"}):
        headers = {"content-type": kind, **(extra if path != "/v1/recommendations" else {})}
        response = await client.request(method, path, content=content, headers=headers)
        if response.status_code == 503:
            continue  # the store of keys is away in this test
        document = problem_of(response, 400, "unreadable_body")
        assert f"more than {MAX_DEPTH} objects and lists" in document["detail"]


@pytest.mark.parametrize("attributes", [{"ce-type": "rating.added", "ce-specversion": "1.0"}])
async def test_a_deep_event_in_headers_is_refused(
    client: httpx.AsyncClient, attributes: dict[str, str]
) -> None:
    content = within(nested(5000, "["), **RATING["data"])  # type: ignore[arg-type]
    headers = {"content-type": "application/json", **attributes}
    response = await client.post("/v1/events", content=content, headers=headers)
    problem_of(response, 400, "unreadable_body")


@given(st.integers(1, 3 * MAX_DEPTH), st.sampled_from(["[", "{", "[{", "{[["]))
@settings(max_examples=60)
def test_one_depth_holds_for_bodies_and_for_the_bus(depth: int, kinds: str) -> None:
    message = within(nested(depth, kinds), **RATING).encode()
    refused = []
    for read, error in ((refuse_deep, TooDeep), (decode, UnreadableEvent)):
        try:
            read(message)
            refused.append(False)
        except error:
            refused.append(True)
    # The object around it is one more.
    assert refused == [depth + 1 > MAX_DEPTH] * 2


@given(st.text(alphabet='[]{}":,\\ a1', max_size=600))
@settings(max_examples=200)
def test_brackets_within_texts_are_no_depth(text: str) -> None:
    refuse_deep(json.dumps({"title": text}).encode())
    try:
        json.loads(text)
    except ValueError:
        pass
    else:
        refuse_deep(text.encode())


@pytest.mark.parametrize("kinds", ["[", "{", "[{"])
@pytest.mark.parametrize("depth", [1100, 100_000])
def test_deep_cells_of_files_are_damaged_ones(depth: int, kinds: str) -> None:
    cell = nested(depth, kinds)
    assert read_rest(cell) is None
    assert objects_in(cell) is None or depth == 1100


def models() -> Iterator[type[BaseModel]]:
    """Yield the models of requests, and those of events with their data."""
    for module in (gateway.api.schemas.requests, gateway.api.schemas.movie_bodies):
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, BaseModel):
                yield value
    for kind in marquee.events.types.EVENT_TYPES.values():
        yield kind
        yield kind.model_fields["data"].annotation  # type: ignore[misc]


FREE = {
    # The newest 1,000 count; the size of the body is their limit.
    ("SessionQuery", "viewed"),
    ("SessionBody", "viewed"),
    ("SessionBody", "ratings"),
    ("PredictionBody", "ratings"),
}


def unlimited(schema: Any, place: str = "") -> Iterator[str]:
    """Yield the places of a JSON Schema at which a text or a list has no longest length."""
    if isinstance(schema, list):
        for part in schema:
            yield from unlimited(part, place)
    if not isinstance(schema, dict):
        return
    is_fixed = "const" in schema or "enum" in schema or "format" in schema or "pattern" in schema
    kind = schema.get("type")
    if kind == "string" and "maxLength" not in schema and not is_fixed:
        yield f"{place}: text"
    if kind == "array" and "maxItems" not in schema:
        yield f"{place}: list"
    is_map = kind == "object" and isinstance(schema.get("additionalProperties"), dict)
    if is_map and "maxProperties" not in schema:
        yield f"{place}: map"
    for name, part in schema.get("properties", {}).items():
        yield from unlimited(part, f"{place}.{name}" if place else name)
    for name in ("items", "anyOf", "oneOf", "additionalProperties"):
        yield from unlimited(schema.get(name), place)


@pytest.mark.parametrize("model", sorted(set(models()), key=str))
def test_every_text_and_list_has_a_limit(model: type[BaseModel]) -> None:
    schema = TypeAdapter(model).json_schema()
    found = set(unlimited(schema))
    for name, definition in schema.get("$defs", {}).items():
        found |= {f"{name}.{place}" for place in unlimited(definition)}
    allowed = {f"{field}: list" for owner, field in FREE if owner == model.__name__}
    assert found - allowed == set()


@pytest.mark.parametrize("field", ["segments", "slots", "genres"])
def test_an_event_is_refused_for_a_list_that_the_api_refuses(field: str) -> None:
    body = gateway.api.schemas.requests.PromotionBody
    [limit] = [m.max_length for m in body.model_fields[field].metadata if isinstance(m, MaxLen)]
    values: list[Any] = [f"g{i}" if field == "genres" else 1 for i in range(limit + 1)]
    assert limit <= MAX_LIST
    event = {"type": "movie.promoted", "data": {"movie_id": 1, field: values}}
    adapter: TypeAdapter[Any] = TypeAdapter(AnyEvent)
    for read in (
        lambda: body.model_validate({field: values}),
        lambda: adapter.validate_python(event),
    ):
        with pytest.raises(ValidationError, match="at most"):
            read()
