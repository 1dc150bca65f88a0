"""The OpenAPI document names every problem that a call answers, with its form and headers."""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import jsonschema
import pytest

from gateway.api.docs import openapi_document
from gateway.app import create_app
from gateway.http.openapi_problems import PROBLEM
from gateway.http.ports import Part
from gateway.http.scopes import SCOPES
from marquee.access.rates import Rate
from marquee.access.scopes import GRANTED, Scope
from marquee.limits import MAX_BODY_BYTES
from marquee_testing.fakes.gateway_api import parts
from marquee_testing.fakes.keyed_api import CALLS, Harness

JSON = {"Content-Type": "application/json"}
REMOVED = {"type": "rating.removed", "data": {"user_id": 1, "movie_id": 1}}
BODIES: Mapping[str, Any] = {
    "recommend_session": {},
    "recommend_batch": {"users": [1]},
    "recommend_together": {"users": [1, 2]},
    "predict": {"user_id": 1, "movie_ids": [1]},
    "put_rating": {"rating": 4},
    "add_view": {"movie_id": 999},
    "add_movie": {"title": "A", "movie_id": 1},
    "update_movie": {"title": "A"},
    "put_promotion": {},
    "put_block": {},
    "publish_events": {
        "events": [{"type": "rating.removed", "data": {"user_id": 1, "movie_id": 1}}]
    },
    "put_segments": {"k": 3},
    "put_segment": {"name": "A"},
}
"""A right body of each call that must have one."""
STATES = "no key, wrong scope, over the rate, unknown parameter, no JSON, wrong type, too large"


@dataclass
class Walk:
    """What each operation answered, and what the document says of it."""

    harness: Harness
    described: dict[str, Any]
    seen: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    async def call(self, operation: str, key: str | None, **options: Any) -> httpx.Response:
        method, path = CALLS[operation]
        path = options.pop("path", path)
        headers = options.pop("headers", {}) | (
            {} if key is None else {"Authorization": f"Bearer {key}"}
        )
        response = await self.harness.client.request(method, path, headers=headers, **options)
        self.check(operation, response)
        return response

    def check(self, operation: str, response: httpx.Response) -> None:
        status = response.status_code
        self.seen[operation].add(status)
        told = self.described[operation]["responses"].get(str(status))
        assert told is not None, f"{operation} answers {status}, which is not described"
        for name in told.get("headers", {}):
            is_sure = status >= 400 and not name.startswith("RateLimit")
            assert name in response.headers or not is_sure, f"{operation} {status}: {name}"
        if status >= 400 and (operation, status) != ("ready", 503):
            [kind] = told["content"]
            assert response.headers["content-type"] == kind == "application/problem+json"
            schema = told["content"][kind]["schema"]
            assert schema == {"$ref": "#/components/schemas/Problem"}
            jsonschema.validate(response.json(), PROBLEM)


@pytest.fixture
async def walk() -> AsyncIterator[Walk]:
    harness = Harness()
    await harness.ring.read()
    document = openapi_document(harness.app)
    operations = [op for path in document["paths"].values() for op in path.values()]
    async with harness.client:
        yield Walk(harness, {op["operationId"]: op for op in operations})


async def test_every_answer_of_every_call_is_described(walk: Walk) -> None:
    assert set(BODIES) <= set(walk.described)
    every = await walk.harness.key(*GRANTED, rate=Rate(10**6, 1))
    wrong = {
        scope: await walk.harness.key(*(one for one in GRANTED if one is not scope))
        for scope in Scope
    }
    for operation, told in walk.described.items():
        _, path = CALLS[operation]
        has_body = "requestBody" in told
        right = {"json": BODIES[operation]} if operation in BODIES else {}
        taken = await walk.call(operation, every, **right)
        if SCOPES[operation] is not Scope.OPEN:
            await walk.call(operation, None, **right)
            await walk.call(operation, wrong[SCOPES[operation]], **right)
            left, walk.harness.limiter.left = walk.harness.limiter.left, 0
            limited = await walk.call(operation, every, **right)
            assert {"ratelimit", "ratelimit-policy", "retry-after"} <= set(limited.headers)
            walk.harness.limiter.left = left
            if taken.is_success:
                assert "ratelimit" in taken.headers
        await walk.call(operation, every, path=f"{path}?zz=1", **right)
        if has_body:
            await walk.call(operation, every, content=b"{", headers=JSON)
            await walk.call(operation, every, content=b"{}", headers={"Content-Type": "text/plain"})
            large = {**JSON, "Content-Length": str(MAX_BODY_BYTES + 1)}
            await walk.call(operation, every, content=b"{}", headers=large)
        if "/movies/1" in path or path.endswith("/1"):
            await walk.call(operation, every, path=path.replace("/1", "/999"), **right)
        walk.harness.publisher.down = True
        await walk.call(operation, every, **right)
        walk.harness.publisher.down = False
    _check_that_all_was_seen(walk)


def _check_that_all_was_seen(walk: Walk) -> None:
    """Check that no call describes a generic problem that it never gives."""
    own = {404, 409, 502, 503}
    """Of a film, of the trainer, of load: not every one can be had from these states."""
    for operation, told in walk.described.items():
        problems = {int(status) for status in told["responses"] if int(status) >= 400}
        # A slow or a long request is refused by the server, on a connection of its own.
        missing = problems - own - {408, 414, 431} - walk.seen[operation]
        assert missing == set(), f"{operation} never answers {missing}: {STATES}"
    no_film = {name for name, statuses in walk.seen.items() if 404 in statuses}
    of_films = {name for name, told in walk.described.items() if "404" in told["responses"]}
    # Segments, models and trainings are others' to know.
    assert {name for name in of_films - no_film if "/v1/movies/" in CALLS[name][1]} == set()
    assert "add_view" in no_film
    assert 409 in walk.seen["add_movie"]


@pytest.mark.parametrize("part", Part)
def test_a_part_describes_what_it_has_and_no_more(part: Part) -> None:
    app = create_app(parts()[0], part=part)
    document = openapi_document(app)
    described = {op["operationId"] for path in document["paths"].values() for op in path.values()}
    assert described == {name for name in CALLS if part.has(name)} - {
        "metrics",
        "openapi",
        "docs",
        "explain_problem",
    }
    assert "<token>" not in str(document)
    assert "HTTPValidationError" not in str(document)
    jsonschema.Draft202012Validator.check_schema(document["components"]["schemas"]["Problem"])


def test_the_parts_have_together_what_the_whole_has() -> None:
    public = {name for name in SCOPES if Part.PUBLIC.has(name)}
    operate = {name for name in SCOPES if Part.OPERATE.has(name)}
    assert public | operate == set(SCOPES)
    assert operate >= {name for name, scope in SCOPES.items() if scope is Scope.OPERATE}
    assert {SCOPES[name] for name in public & operate} == {Scope.OPEN}
    assert "metrics" not in public
