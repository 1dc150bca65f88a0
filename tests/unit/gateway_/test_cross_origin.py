"""Calls of pages of other origins, over all operations: what the setting opens, and no more."""

from collections.abc import Mapping
from dataclasses import replace

import httpx
import pytest

from gateway.app import create_app
from gateway.http.concurrency import AdaptiveLimit
from gateway.http.ports import Part
from gateway.http.scopes import SCOPES
from gateway.http.web.cross_origin import EXPOSED
from gateway.state.profiles import Profile
from marquee.access.scopes import GRANTED, Scope
from marquee.errors import SettingsError
from marquee.settings import Settings, read
from marquee_testing.fakes.gateway_api import FakeProfiles, client_of, parts, problem_of
from marquee_testing.fakes.keyed_api import CALLS, Harness

SHOP = "https://shop.example"
OPENED = frozenset({Scope.READ, Scope.WRITE, Scope.OPEN})
ALWAYS_READABLE = {
    "cache-control",
    "content-language",
    "content-length",
    "content-type",
    "expires",
    "last-modified",
    "pragma",
}
"""Headers that every page may read (Fetch: CORS-safelisted response-header names)."""
OF_THE_BROWSER = {
    "content-security-policy",
    "x-content-type-options",
    "referrer-policy",
    "vary",
    "content-encoding",
    "accept-ranges",
    "date",
}


def client(settings: Mapping[str, str], part: Part = Part.WHOLE) -> httpx.AsyncClient:
    context = replace(parts()[0], settings=Settings.model_validate(settings))
    return client_of(create_app(context, part=part))


def shop(**more: str) -> Mapping[str, str]:
    return {"cors_origins": f"{SHOP}, http://localhost:5173", **more}


async def preflight(
    browser: httpx.AsyncClient, operation: str, origin: str = SHOP
) -> httpx.Response:
    method, path = CALLS[operation]
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization, content-type, idempotency-key, ce-id",
    }
    return await browser.options(path, headers=headers)


def is_opened(operation: str, scopes: frozenset[Scope] = OPENED) -> bool:
    needed = Scope.OPERATE if operation == "metrics" else SCOPES[operation]
    return needed in scopes


@pytest.mark.parametrize("operation", sorted(CALLS))
async def test_a_preflight_allows_what_readers_and_writers_may_call(operation: str) -> None:
    async with client(shop()) as browser:
        response = await preflight(browser, operation)
        if not is_opened(operation):
            problem = problem_of(response, 403, "forbidden")
            assert "MARQUEE_CORS_SCOPES" in problem["detail"]
            assert "access-control-allow-origin" not in response.headers
            return
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == SHOP
    assert CALLS[operation][0] in response.headers["access-control-allow-methods"].split(", ")
    allowed = response.headers["access-control-allow-headers"]
    assert {"authorization", "idempotency-key", "ce-id"} <= set(allowed.split(", "))
    assert "access-control-allow-credentials" not in response.headers


@pytest.mark.parametrize("operation", sorted(CALLS))
async def test_an_answer_may_be_read_where_the_call_is_opened(operation: str) -> None:
    method, path = CALLS[operation]
    async with client(shop()) as browser:
        response = await browser.request(method, path, headers={"Origin": SHOP})
        expected = SHOP if is_opened(operation) else None
        assert response.headers.get("access-control-allow-origin") == expected
        other = await browser.request(method, path, headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers
        if is_opened(operation):
            own = await browser.request(method, path)
            assert all("Origin" in r.headers["vary"] for r in (response, other, own))


@pytest.mark.parametrize("operation", sorted(CALLS))
async def test_a_page_can_read_every_header_of_every_answer(operation: str) -> None:
    harness = Harness()
    key = await harness.key(*GRANTED)
    method, path = CALLS[operation]
    for headers in ({}, {"Authorization": f"Bearer {key}"}):
        response = await harness.client.request(method, path, headers=headers)
        names = set(response.headers) - ALWAYS_READABLE - OF_THE_BROWSER
        assert names <= {name.lower() for name in EXPOSED}


@pytest.mark.parametrize("operation", sorted(CALLS))
async def test_without_the_setting_no_call_is_opened(operation: str) -> None:
    async with client({}) as browser:
        asked = await preflight(browser, operation)
        method, path = CALLS[operation]
        answered = await browser.request(method, path, headers={"Origin": SHOP})
    for response in (asked, answered):
        assert not [name for name in response.headers if name.startswith("access-control")]


async def test_more_scopes_and_the_port_of_operators_are_opened_where_that_is_said() -> None:
    every = {"cors_origins": "*", "cors_scopes": "read,write,curate,operate"}
    async with client(every) as browser:
        for operation in CALLS:
            response = await preflight(browser, operation)
            assert response.headers["access-control-allow-origin"] == "*", operation
    async with client(every, Part.OPERATE) as browser:
        response = await preflight(browser, "list_models")
        assert response.headers["access-control-allow-origin"] == "*"
    async with client(shop(), Part.OPERATE) as browser:
        for operation in (name for name in CALLS if Part.OPERATE.has(name)):
            response = await preflight(browser, operation)
            assert "access-control-allow-origin" not in response.headers, operation


async def test_a_preflight_costs_no_key_and_no_rate_and_a_refusal_can_be_read() -> None:
    harness = Harness()
    context = replace(parts()[0], settings=Settings.model_validate(shop()))
    app = create_app(context, allow=harness.app.state.allow)
    async with client_of(app) as browser:
        for operation in CALLS:
            await preflight(browser, operation)
        assert harness.limiter.buckets == []
        refused = await browser.get("/v1/users/7", headers={"Origin": SHOP})
    problem_of(refused, 401, "unauthorized")
    assert refused.headers["access-control-allow-origin"] == SHOP
    assert "Retry-After" in refused.headers["access-control-expose-headers"]


class Broken(FakeProfiles):
    """Profiles with a fault in the code that reads them."""

    async def read(self, _: int | None) -> Profile:
        raise RuntimeError("broken on purpose")


async def test_an_overload_and_a_fault_can_be_read_by_a_page() -> None:
    limit = AdaptiveLimit(1)
    context = replace(parts()[0], settings=Settings.model_validate(shop()), limit=limit)
    async with client_of(create_app(replace(context, profiles=Broken()))) as browser:
        fault = await browser.get("/v1/users/7", headers={"Origin": SHOP})
        assert fault.status_code == 500
        assert fault.headers["access-control-allow-origin"] == SHOP
        assert limit.enter()
        busy = await browser.get("/v1/genres", headers={"Origin": SHOP})
    problem_of(busy, 503, "overloaded")
    assert busy.headers["access-control-allow-origin"] == SHOP


@pytest.mark.parametrize(
    "origins",
    ["shop.example", "https://shop.example/", "https://Shop.example", "*,https://a.b", "null"],
)
def test_what_no_browser_sends_as_an_origin_is_refused(origins: str) -> None:
    with pytest.raises(SettingsError, match="MARQUEE_CORS_ORIGINS"):
        read({"MARQUEE_CORS_ORIGINS": origins})


def test_an_unknown_scope_is_refused_at_the_start() -> None:
    with pytest.raises(SettingsError, match="there are read, write, curate, operate"):
        client({"cors_origins": "*", "cors_scopes": "read,writes"})
