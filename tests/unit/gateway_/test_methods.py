"""HEAD, OPTIONS and Allow at every address of the API."""

from dataclasses import replace
from typing import Any

import pytest
from fastapi.routing import APIRoute

from gateway.api.docs import openapi_document
from gateway.app import create_app
from gateway.http.scopes import SCOPES
from gateway.state.profiles import Profile
from marquee.access.scopes import GRANTED, Scope
from marquee_testing.fakes.gateway_api import ApiHarness, FakeProfiles, client_of, parts
from marquee_testing.fakes.keyed_api import CALLS, Harness

READS = sorted(name for name, (method, _) in CALLS.items() if method == "GET")


def methods_by_path(document: dict[str, Any]) -> dict[str, set[str]]:
    return {path: {*map(str.upper, methods)} for path, methods in document["paths"].items()}


@pytest.mark.parametrize("operation", READS)
async def test_head_is_get_without_the_body(api: ApiHarness, operation: str) -> None:
    _, path = CALLS[operation]
    got = await api.client.get(path)
    head = await api.client.head(path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert int(head.headers["content-length"]) > 0
    # Metrics count the calls before; a list's id, which each answer has of its own, is compressed.
    varies = {"content-length"} if "content-encoding" in got.headers else set[str]()
    if operation != "metrics":
        same = dict(got.headers).items() - {(n, v) for n, v in got.headers.items() if n in varies}
        assert same <= dict(head.headers).items()
        assert head.headers.keys() == got.headers.keys()


async def test_head_of_a_large_answer_tells_the_length_that_get_has(api: ApiHarness) -> None:
    got = await api.client.get("/openapi.json")
    head = await api.client.head("/openapi.json")
    assert got.headers["content-encoding"] == "gzip"
    assert head.headers["content-length"] == got.headers["content-length"]


async def test_options_names_all_methods_of_an_address_and_asks_for_no_key() -> None:
    harness = Harness()
    document = openapi_document(harness.app)
    assert len(document["paths"]) > 20
    by_path = methods_by_path(document)
    for operation, (_, path) in CALLS.items():
        response = await harness.client.options(path)
        assert (response.status_code, response.content) == (204, b""), operation
        told = set(response.headers["allow"].split(", "))
        assert CALLS[operation][0] in told
        assert ("HEAD" in told) == ("GET" in told)
        described = [m for p, m in by_path.items() if _is_of(p, path)]
        for methods in described[:1]:
            assert told == methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
    assert harness.limiter.buckets == []


def _is_of(template: str, path: str) -> bool:
    ours, theirs = template.split("/"), path.split("/")
    return len(ours) == len(theirs) and all(
        a == b or a.startswith("{") for a, b in zip(ours, theirs, strict=True)
    )


async def test_files_are_read_alone(api: ApiHarness) -> None:
    path = "/docs/static/docs.js"
    assert (await api.client.options(path)).headers["allow"] == "GET, HEAD, OPTIONS"
    refused = await api.client.post(path)
    assert refused.status_code == 405
    assert refused.headers["allow"] == "GET, HEAD, OPTIONS"
    head = await api.client.head(path)
    assert (head.status_code, head.content) == (200, b"")


async def test_an_address_with_a_line_break_behind_it_is_another_one(api: ApiHarness) -> None:
    routes = {route.name: route.path for route in api.app.routes if isinstance(route, APIRoute)}
    fixed = [name for name in READS if not routes[name].endswith("}")]
    assert {"metrics", "list_movies", "list_ratings"} <= {*fixed}
    for name in fixed:
        path = CALLS[name][1].partition("?")[0]
        assert (await api.client.get(f"{path}%0A")).status_code == 404, name


async def test_what_is_not_there_has_no_methods(api: ApiHarness) -> None:
    for method in ("GET", "HEAD", "OPTIONS", "DELETE"):
        response = await api.client.request(method, "/v1/nothing")
        assert response.status_code == 404
        assert "allow" not in response.headers


async def test_head_counts_and_needs_a_key_as_get_does() -> None:
    harness = Harness()
    key = await harness.key(*GRANTED)
    for operation in READS:
        _, path = CALLS[operation]
        if SCOPES[operation] is Scope.OPEN:
            continue
        assert (await harness.client.head(path)).status_code == 401
        headers = {"Authorization": f"Bearer {key}"}
        assert (await harness.client.head(path, headers=headers)).status_code != 401


class Broken(FakeProfiles):
    """Profiles with a fault in the code that reads them."""

    async def read(self, _: int | None) -> Profile:
        raise RuntimeError("broken on purpose")


async def test_a_fault_is_a_problem_with_the_headers_of_every_answer() -> None:
    async with client_of(create_app(replace(parts()[0], profiles=Broken()))) as client:
        response = await client.get("/v1/users/7")
    assert (response.status_code, response.json()["code"]) == (500, "internal")
    assert "on purpose" not in response.text
    assert response.headers["x-content-type-options"] == "nosniff"
