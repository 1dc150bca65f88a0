"""The app over hand-written parts: health, description, page, and the scopes of its routes."""

import re
from pathlib import Path

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.routing import Mount

from gateway.app import create_app
from gateway.http.admission import OPEN_TO_ALL, Admission
from gateway.http.route import StrictRoute
from gateway.http.scopes import SCOPES
from marquee.access.scopes import Scope
from marquee.errors import MarqueeError
from marquee_testing.fakes.gateway_api import (
    ApiHarness,
    client_of,
    parts,
    problem_of,
)


async def test_health_is_live_and_ready_even_without_the_store(api: ApiHarness) -> None:
    assert (await api.get("/health/live")).json() == {"live": True}
    api.live_view.connected = False
    ready = await api.get("/health/ready")
    assert (ready.status_code, ready.json()["degraded"]) == (200, True)


async def test_without_a_film_the_gateway_is_alive_and_not_ready(api: ApiHarness) -> None:
    api.live_view.catalogue.replace([])
    ready = await api.get("/health/ready")
    assert (ready.status_code, ready.json()["ready"]) == (503, False)
    assert (await api.get("/health/live")).status_code == 200


async def test_measures_count_requests_by_route(api: ApiHarness) -> None:
    await api.get("/v1/users/1/recommendations")
    text = (await api.get("/metrics")).text
    assert 'marquee_requests_total{path="/v1/users/{user_id}/recommendations",status="200"}' in text


async def test_the_description_names_every_call(api: ApiHarness) -> None:
    schema = (await api.get("/openapi.json")).json()
    named = {call["operationId"] for path in schema["paths"].values() for call in path.values()}
    assert named <= set(SCOPES)
    assert len(named) > 25


async def test_the_api_page_loads_existing_files_of_its_own_host_alone(api: ApiHarness) -> None:
    page = await api.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    files = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert {"docs/static/swagger-ui-bundle.js", "docs/static/docs.js"} <= set(files)
    for path in files:
        found = path == "data:," or await api.client.get(page.url.join(path))
        assert found is True or found.status_code == 200, path
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page.text)


async def test_the_files_of_the_api_page_are_revalidated_and_no_others_are_served(
    api: ApiHarness,
) -> None:
    script = await api.get("/docs/static/swagger-ui-bundle.js")
    assert script.headers["cache-control"] == "no-cache"
    known = {"If-None-Match": script.headers["etag"]}
    again = await api.client.get("/docs/static/swagger-ui-bundle.js", headers=known)
    assert again.status_code == 304
    assert (await api.get("/docs/static/../docs.py")).status_code == 404


async def test_responses_are_safe_to_show_in_a_browser(api: ApiHarness) -> None:
    headers = (await api.get("/v1/genres")).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'self'" in headers["content-security-policy"]


async def test_the_page_is_served_where_its_folder_is_set(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<title>page</title>")
    (tmp_path / "app.js").write_text("1")
    app = create_app(parts(tmp_path)[0])
    async with client_of(app) as client:
        assert "page" in (await client.get("/")).text
        script = await client.get("/static/app.js")
        assert (script.text, script.headers["cache-control"]) == ("1", "no-cache")
        assert (await client.get("/static/../secret")).status_code == 404


def test_every_route_has_a_scope_and_every_scope_a_route(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("")
    app = create_app(parts(tmp_path)[0])
    named = set()
    for route in app.routes:
        assert isinstance(route, StrictRoute | Mount), route
        if isinstance(route, APIRoute):
            assert isinstance(route.scope_needed, Scope)
        named.add(route.name)
    assert named == set(SCOPES)


def test_writes_need_more_than_the_scope_to_read() -> None:
    app = create_app(parts()[0])
    asking = {"recommend_session", "recommend_batch", "recommend_together", "predict"}
    for route in app.routes:
        if isinstance(route, StrictRoute) and not (route.methods or set()) <= {"GET", "HEAD"}:
            assert (SCOPES[route.name] is Scope.READ) == (route.name in asking)
            assert SCOPES[route.name] is not Scope.OPEN


async def test_a_caller_without_the_scope_is_refused_before_anything_is_done() -> None:
    class Forbidden(MarqueeError):
        status, code = 403, "forbidden"

    async def only_read(_: Request, scope: Scope) -> Admission:
        if scope is not Scope.READ:
            raise Forbidden(f"the scope {scope} is needed")
        return OPEN_TO_ALL

    context, *_, publisher = parts()
    async with client_of(create_app(context, allow=only_read)) as client:
        problem_of(await client.delete("/v1/users/1"), 403, "forbidden")
        assert publisher.events == []
        assert (await client.get("/v1/genres")).status_code == 200
        assert (await client.get("/health/live")).status_code == 200
