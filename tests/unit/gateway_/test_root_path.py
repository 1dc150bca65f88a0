"""The API under a prefix: all operations, whether the proxy takes it off or leaves it."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from marquee.errors import SettingsError
from marquee.settings import Settings, read
from marquee_testing.fakes.gateway_api import client_of, parts
from marquee_testing.fakes.keyed_api import CALLS

PREFIX = "/shop/films"


def client(root_path: str = PREFIX) -> httpx.AsyncClient:
    settings = Settings(root_path=root_path)
    return client_of(create_app(replace(parts()[0], settings=settings)))


def without_ids(response: httpx.Response) -> Any:
    if "json" not in response.headers["content-type"]:
        return None
    document = response.json()
    volatile = ("recommendation_id", "event_id", "token", "accepted_at", "movie_id", "receipt")
    return {name: value for name, value in document.items() if name not in volatile}


@pytest.mark.parametrize("operation", sorted(CALLS))
async def test_each_call_is_answered_with_the_prefix_and_without(operation: str) -> None:
    method, path = CALLS[operation]
    async with client() as browser, client("") as other:
        kept = await browser.request(method, PREFIX + path, json={})
        stripped = await browser.request(method, path, json={})
        plain = await other.request(method, path, json={})
    assert kept.status_code == stripped.status_code == plain.status_code
    if operation != "metrics":
        assert without_ids(kept) == without_ids(stripped)
    if "problem" in kept.headers["content-type"]:
        code = kept.json()["code"]
        assert kept.json()["type"] == f"{PREFIX}/problems/{code}"
        assert plain.json()["type"] == f"/problems/{code}"
        assert int(kept.headers["content-length"]) == len(kept.content)


async def test_the_links_of_an_answer_lead_to_answers() -> None:
    async with client() as browser:
        problem = await browser.get(f"{PREFIX}/v1/nothing")
        meaning = await browser.get(problem.json()["type"])
        assert meaning.json()["code"] == "not_found"
        document = (await browser.get(f"{PREFIX}/openapi.json")).json()
        assert document["servers"] == [{"url": PREFIX}]
        page = await browser.get(f"{PREFIX}/docs")
        assert '="/' not in page.text
        for link in ("docs/static/docs.js", "docs/static/swagger-ui.css", "openapi.json"):
            assert f'"{link}"' in page.text
            found = await browser.get(str(page.url.join(link)))
            assert found.status_code == 200, link
        script = await browser.get(f"{PREFIX}/docs/static/docs.js")
        assert 'url: "openapi.json"' in script.text


async def test_a_large_problem_is_compressed_and_has_its_prefix() -> None:
    async with client() as browser:
        wrong = "&".join(f"wrong_{'x' * 200}_{i}=1" for i in range(20))
        response = await browser.get(f"{PREFIX}/v1/genres?{wrong}")
        head = await browser.head(f"{PREFIX}/v1/genres?{wrong}")
    assert response.headers["content-encoding"] == "gzip"
    assert response.json()["type"] == f"{PREFIX}/problems/invalid_input"
    assert dict(head.headers) == dict(response.headers)


async def test_the_prefix_alone_leads_to_the_page() -> None:
    async with client() as browser:
        response = await browser.get(PREFIX)
    assert (response.status_code, response.headers["location"]) == (308, f"{PREFIX}/")


async def test_what_begins_like_the_prefix_is_another_address() -> None:
    async with client("/v") as browser:
        assert (await browser.get("/v1/genres")).status_code == 200
        assert (await browser.get("/v/v1/genres")).status_code == 200
        assert (await browser.get("/w/v1/genres")).status_code == 404


@pytest.mark.parametrize("root_path", ["/v1", "/docs", "/health", "/v1/users"])
def test_a_prefix_that_is_an_address_of_the_api_is_refused(root_path: str) -> None:
    with pytest.raises(SettingsError, match="addresses of the API begin so"):
        client(root_path)


@pytest.mark.parametrize("root_path", ["shop", "/shop/", "/", "/a//b", "/a b", "/../a", "/a?b"])
def test_a_prefix_is_a_path_without_an_end(root_path: str) -> None:
    with pytest.raises(SettingsError, match="MARQUEE_ROOT_PATH"):
        read({"MARQUEE_ROOT_PATH": root_path})
