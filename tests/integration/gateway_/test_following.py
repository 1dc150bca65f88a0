"""Lists that are followed: a gateway process on a real Valkey, its consumer, and connections."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from marquee_testing.servers.event_reader import EventReader, Message
from marquee_testing.servers.gateway_process import GatewayProcess
from marquee_testing.servers.ranked_films import RankedFilms
from marquee_testing.waiting import DEADLINE_S, PATIENCE, until_async

FOLLOWERS = 250
MANY = 210
PLACES = 40
"""Requests under way that the gateway takes: fewer than there are followers."""
SOON_S = 1.0
"""The second within which a list follows."""
VALUES = {"max_followers": str(FOLLOWERS), "max_requests": str(PLACES), "drain_s": "0.3"}


@pytest.fixture(scope="module")
def gateway(ranked: RankedFilms) -> Iterator[GatewayProcess]:
    with ranked.gateway(**VALUES) as made:
        yield made


@pytest.fixture
def user() -> int:
    return secrets.randbelow(2**40) + 1


@pytest.fixture
async def api(gateway: GatewayProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=gateway.url, timeout=60) as client:
        yield client


def path_of(user: int, query: str = "k=5") -> str:
    return f"/v1/users/{user}/recommendations/changes?{query}"


@asynccontextmanager
async def following(
    gateway: GatewayProcess, user: int, query: str = "k=5", **headers: str
) -> AsyncIterator[EventReader]:
    reader = await EventReader.open(gateway.port, path_of(user, query), headers)
    try:
        yield reader
    finally:
        reader.close()
        await reader.writer.wait_closed()


async def list_of(reader: EventReader, seconds: float = DEADLINE_S) -> Message:
    message = await reader.next(seconds)
    assert message is not None
    assert message.event == "list"
    return message


def films(message: Message) -> list[int]:
    return [item["movie_id"] for item in message.data["items"]]


def visible(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != "recommendation_id"}


async def test_a_page_follows_what_its_viewer_does(
    gateway: GatewayProcess, api: httpx.AsyncClient, user: int
) -> None:
    async with following(gateway, user, "k=5&explain=true") as reader:
        assert (reader.status, reader.headers["content-type"]) == (200, "text/event-stream")
        first = await list_of(reader)
        assert films(first) == [60, 59, 58, 57, 56]
        url = f"/v1/users/{user}"
        for change, gone in (
            (api.put(f"{url}/ratings/60", json={"rating": 5}), 60),
            (api.post(f"{url}/views", json={"movie_id": 59}), 59),
            (api.put(f"{url}/dismissed/58"), 58),
        ):
            token = (await change).raise_for_status().json()["token"]
            message = await list_of(reader)
            assert gone not in films(message)
            now = await api.get(f"{url}/recommendations?k=5&explain=true&after={token}")
            assert visible(message.data) == visible(now.json())
            assert now.headers["etag"] == f'W/"{message.event_id}"'
        (await api.delete(f"{url}/dismissed/58")).raise_for_status()
        assert 58 in films(await list_of(reader))


async def test_a_rule_a_film_and_a_period_reach_every_page(
    gateway: GatewayProcess, api: httpx.AsyncClient, user: int
) -> None:
    async with following(gateway, user) as one, following(gateway, user + 1) as other:
        for reader in (one, other):
            assert films(await list_of(reader))[0] == 60
        (await api.put("/v1/movies/60/block", json={})).raise_for_status()
        for reader in (one, other):
            assert films(await list_of(reader))[0] == 59
        (await api.delete("/v1/movies/60/block")).raise_for_status()
        for reader in (one, other):
            assert films(await list_of(reader))[0] == 60
        (await api.patch("/v1/movies/60", json={"title": "Another title"})).raise_for_status()
        for reader in (one, other):
            assert (await list_of(reader)).data["items"][0]["title"] == "Another title"
        # Ends by time alone: no event says so.
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3))
        promotion = {"slots": [1], "until": until}
        (await api.put("/v1/movies/3/promotion", json=promotion)).raise_for_status()
        for reader in (one, other):
            assert films(await list_of(reader))[0] == 3
        for reader in (one, other):
            assert films(await list_of(reader))[0] == 60


async def test_a_published_version_reaches_every_page(
    gateway: GatewayProcess, ranked: RankedFilms, user: int
) -> None:
    async with following(gateway, user) as reader:
        before = await list_of(reader)
        ranked.models.version = secrets.token_hex(4)
        after = await list_of(reader)
        assert (before.data["model_version"], after.data["model_version"]) != (
            ranked.models.version,
            before.data["model_version"],
        )
        assert after.data["model_version"] == ranked.models.version


async def test_who_comes_back_gets_what_is_new_alone(
    gateway: GatewayProcess, api: httpx.AsyncClient, user: int
) -> None:
    async with following(gateway, user) as reader:
        seen = await list_of(reader)
    known = {"Last-Event-ID": seen.event_id}
    async with following(gateway, user, **known) as reader:
        (await api.put(f"/v1/users/{user}/ratings/60", json={"rating": 1})).raise_for_status()
        message = await list_of(reader)
        assert 60 not in films(message)
    async with following(gateway, user, **known) as reader:
        missed = await list_of(reader)
        assert (missed.event_id, visible(missed.data)) == (message.event_id, visible(message.data))


async def test_a_page_without_streams_waits_for_an_answer(
    gateway: GatewayProcess, api: httpx.AsyncClient, user: int
) -> None:
    first = await api.get(path_of(user))
    assert first.status_code == 200
    known = {"If-None-Match": first.headers["etag"]}
    same = await api.get(path_of(user, "k=5&wait=0"), headers=known)
    assert (same.status_code, same.content) == (304, b"")
    waiting = asyncio.create_task(api.get(path_of(user, "k=5&wait=60"), headers=known))
    await until_async(lambda: gateway.measure("marquee_followers") == 1)
    (await api.put(f"/v1/users/{user}/ratings/60", json={"rating": 1})).raise_for_status()
    second = await waiting
    assert second.status_code == 200
    assert second.json()["items"][0]["movie_id"] == 59
    assert second.headers["etag"] != first.headers["etag"]
    await until_async(lambda: gateway.measure("marquee_followers") == 0)


async def test_a_wrong_call_is_refused_before_a_stream_begins(
    gateway: GatewayProcess, user: int
) -> None:
    for query in ("k=0", "after=no-token", "wrong=1", "wait=61"):
        async with following(gateway, user, query) as reader:
            assert (reader.status, reader.headers["content-type"]) == (
                422,
                "application/problem+json",
            )
    assert gateway.measure("marquee_followers") == 0


async def test_an_erasure_ends_the_stream_of_its_viewer_alone(
    gateway: GatewayProcess, api: httpx.AsyncClient, user: int
) -> None:
    async with following(gateway, user) as erased, following(gateway, user + 1) as other:
        await list_of(erased)
        await list_of(other)
        (await api.delete(f"/v1/users/{user}")).raise_for_status()
        end = await erased.next()
        assert end is not None
        assert (end.event, end.data) == ("end", {"code": "erased", "reason": "erased"})
        assert await erased.next() is None
        (await api.put(f"/v1/users/{user + 1}/ratings/60", json={"rating": 1})).raise_for_status()
        assert 60 not in films(await list_of(other))


@pytest.mark.timeout(120)
async def test_many_followers_cost_no_place_and_each_gets_its_own_changes(
    gateway: GatewayProcess, api: httpx.AsyncClient, ranked: RankedFilms, user: int
) -> None:
    readers = [await EventReader.open(gateway.port, path_of(user + i)) for i in range(MANY)]
    await asyncio.gather(*map(list_of, readers))
    assert gateway.measure("marquee_followers") == MANY
    asked = ranked.models.asked
    refused = gateway.measure("marquee_overloaded_total")
    # Far more followers than places: a call is answered all the same.
    (await api.get("/v1/recommendations")).raise_for_status()
    began = time.monotonic()
    (await api.put(f"/v1/users/{user}/ratings/60", json={"rating": 1})).raise_for_status()
    assert 60 not in films(await list_of(readers[0]))
    assert ranked.models.asked - asked <= 5  # nobody else's list was made
    (await api.put("/v1/movies/59/block", json={})).raise_for_status()
    messages = await asyncio.gather(*map(list_of, readers))
    assert all(59 not in films(message) for message in messages)
    assert max(message.at for message in messages) - began < 10 * SOON_S * PATIENCE
    assert gateway.measure("marquee_overloaded_total") == refused
    (await api.delete("/v1/movies/59/block")).raise_for_status()
    await asyncio.gather(*map(list_of, readers))
    for reader in readers:
        reader.close()
    await until_async(lambda: gateway.measure("marquee_followers") == 0)


async def test_beyond_the_bound_of_all_and_of_one_viewer_there_is_a_refusal(
    gateway: GatewayProcess, user: int
) -> None:
    of_one = [await EventReader.open(gateway.port, path_of(user)) for _ in range(21)]
    assert [reader.status for reader in of_one] == [200] * 20 + [503]
    more = [await EventReader.open(gateway.port, path_of(user + i)) for i in range(1, FOLLOWERS)]
    assert [reader.status for reader in more].count(200) == FOLLOWERS - 20
    assert more[-1].headers["retry-after"] == "1"
    assert b'"code":"too_many_followers"' in await more[-1].body()
    for reader in (*of_one, *more):
        reader.close()
    await until_async(lambda: gateway.measure("marquee_followers") == 0)


@pytest.mark.timeout(120)
async def test_a_stop_ends_streams_at_once_and_waits_for_none(
    ranked: RankedFilms, user: int
) -> None:
    readers = []
    with ranked.gateway(**VALUES) as gateway:
        for i in range(50):
            readers.append(await EventReader.open(gateway.port, path_of(user + i)))
            await list_of(readers[-1])
        began = time.monotonic()
    took = time.monotonic() - began
    assert took < 5 * PATIENCE
    for reader in readers:
        assert await reader.next() is None
        assert reader.retry is not None
        assert 1 <= reader.retry <= 1000
        reader.close()
