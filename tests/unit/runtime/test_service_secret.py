"""Model services and the trainer answer the gateway and the operators' tools, and nobody else."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.routing import Route

import content.app
import hybrid.app
import neural.app
import trainer.app
import user_model.app
from marquee.access.service_secret import HEADER, OPEN_PATHS, service_headers
from marquee.serving.app import create_app
from marquee.settings import Settings

NEW, OLD = "new-" + "x" * 16, "old-" + "x" * 16


def apps(settings: Settings) -> Iterator[FastAPI]:
    """Yield the app of each service behind the gateway; none connects before it starts."""
    yield create_app(content.app.SERVICE, settings)
    yield create_app(hybrid.app.SERVICE, settings)
    yield create_app(user_model.app.SERVICE, settings)
    yield create_app(neural.app.SERVICE, settings)
    yield trainer.app.create_app(settings, scheduled=False)


def calls(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Yield method and path of each route of an app."""
    for route in app.router.routes:
        assert isinstance(route, Route)
        values = dict.fromkeys(route.param_convertors, "1")
        path = str(route.url_path_for(route.name, **values))
        for method in route.methods or ():
            yield method, path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        state=tmp_path,
        redis_url=SecretStr("redis://127.0.0.1:1/0"),
        service_secret=SecretStr(f"{NEW},{OLD}"),
    )


async def test_every_call_without_the_secret_is_refused(settings: Settings) -> None:
    refused = 0
    for app in apps(settings):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            for method, path in calls(app):
                for given in (None, b"x" * len(NEW), "é".encode(), b""):
                    headers = [] if given is None else [(HEADER.encode(), given)]
                    response = await client.request(method, path, headers=headers)
                    if path in OPEN_PATHS:
                        # Without a model a service is alive, and not ready.
                        assert response.status_code in (200, 503)
                        continue
                    assert response.status_code == 401
                    assert method == "HEAD" or response.json()["code"] == "unauthorized"
                    refused += 1
            unknown = await client.get("/internal/nothing")
            assert unknown.status_code == 401
    assert refused > 60


@pytest.mark.parametrize("secret", [NEW, OLD])
async def test_both_secrets_of_a_change_are_taken(settings: Settings, secret: str) -> None:
    for app in apps(settings):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            headers = {HEADER: secret}
            assert (await client.get("/internal/nothing", headers=headers)).status_code == 404


def test_calls_carry_the_newest_secret(settings: Settings) -> None:
    assert service_headers(settings.service_secret) == {HEADER: NEW}
    assert service_headers(None) == {}


async def test_without_a_secret_whoever_reaches_a_service_is_answered(tmp_path: Path) -> None:
    settings = Settings(state=tmp_path, redis_url=SecretStr("redis://127.0.0.1:1/0"))
    for app in apps(settings):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            assert (await client.get("/internal/nothing")).status_code == 404
