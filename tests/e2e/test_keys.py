"""Two gateways that ask for keys, beside the demo on its servers: keys, tokens, limits, secrets."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from marquee.settings import STATE_FILE

pytestmark = pytest.mark.timeout(1500)  # the first test that needs the whole system starts it

SHOP = ("--name", "shop", "--scope", "read,write")


def statuses(
    gateways: list[httpx.Client], path: str, headers: dict[str, str] | None = None
) -> set[int]:
    """Return what the gateways answer."""
    return {client.get(path, headers=headers).status_code for client in gateways}


def test_a_key_opens_every_gateway_until_it_is_revoked(
    system: Any,
    gateways: list[httpx.Client],
    create: Callable[..., dict[str, str]],
    wait_until: Callable[..., float],
) -> None:
    path = "/v1/recommendations"
    assert statuses(gateways, path) == {401}
    assert statuses(gateways, "/health/live") == {200}
    key = create(*SHOP)
    wait_until(lambda: statuses(gateways, path, key) == {200}, 5.0)
    refused = gateways[0].get("/v1/models", headers=key)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert "this needs the scope operate; shop has read, write" in refused.json()["detail"]
    began = time.monotonic()
    system.command("keys", "revoke", "shop")
    revoked = time.monotonic()
    wait_until(lambda: statuses(gateways, path, key) == {401}, 5.0)
    assert time.monotonic() - revoked < 1.0 + (revoked - began)
    assert "the key shop is revoked" in gateways[1].get(path, headers=key).text


def test_a_page_rates_and_asks_for_its_viewer_alone(
    gateways: list[httpx.Client],
    create: Callable[..., dict[str, str]],
    wait_until: Callable[..., float],
) -> None:
    key = create(*SHOP)
    user = "page:viewer-1"
    path = f"/v1/users/{user}"
    wait_until(lambda: statuses(gateways, path, key) == {200}, 5.0)
    issued = gateways[0].post(f"{path}/tokens", headers=key, json={"seconds": 60})
    assert issued.status_code == 201
    page = {"Authorization": f"Bearer {issued.json()['token']}"}
    other = gateways[1]
    rated = other.put(f"{path}/ratings/1", headers=page, json={"rating": 5})
    assert rated.status_code == 202
    query = {"after": rated.json()["token"]}
    listed = other.get(f"{path}/recommendations", headers=page, params=query).json()
    assert listed["fresh"]
    assert listed["items"]
    assert 1 not in [item["movie_id"] for item in listed["items"]]
    assert statuses(gateways, "/v1/movies/1", page) == {200}
    for method, foreign in (
        ("GET", "/v1/users/2/recommendations"),
        ("PUT", "/v1/users/2/ratings/1"),
        ("DELETE", path),
        ("POST", "/v1/events"),
        ("POST", "/v1/trainings"),
    ):
        answer = other.request(method, foreign, headers=page, json={"rating": 5})
        assert (method, foreign, answer.status_code) == (method, foreign, 403)


def test_a_limit_holds_over_all_gateways(
    gateways: list[httpx.Client],
    create: Callable[..., dict[str, str]],
    wait_until: Callable[..., float],
) -> None:
    key = create("--name", "slow", "--scope", "read", "--rate", "5/h")
    # A call without the scope is refused before it is counted.
    wait_until(lambda: statuses(gateways, "/v1/models", key) == {403}, 5.0)
    answers = [client.get("/v1/genres", headers=key) for _ in range(10) for client in gateways]
    taken = [answer for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert (len(taken), len(refused)) == (5, 15)
    assert 600 < int(refused[0].headers["retry-after"]) <= 720
    assert refused[0].json()["code"] == "rate_limited"
    assert taken[0].headers["ratelimit-policy"] == '"caller";q=5;w=3600'


def test_services_of_the_demo_answer_nobody_without_the_secret(system: Any) -> None:
    settings = system.settings()
    body = {"route": "hybrid", "k": 5}
    for service in ("CONTENT", "HYBRID", "USER_MODEL", "TRAINER"):
        url = settings[f"MARQUEE_{service}_URL"]
        for path in ("/internal/recommend", "/internal/models", "/internal/trainings"):
            assert httpx.post(f"{url}{path}", json=body).status_code == 401
        assert httpx.get(f"{url}/health/live").status_code == 200
    assert (system.state / STATE_FILE).stat().st_mode & 0o077 == 0
