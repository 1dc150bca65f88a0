"""`Idempotency-Key` with two gateways on one Redis: one effect and one answer, whatever dies."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from gateway.access.authenticator import Authenticator
from gateway.access.key_ring import KeyRing
from gateway.access.rate_limiter import RateLimiter
from gateway.access.viewer_tokens import ViewerTokens
from gateway.app import build
from gateway.consumer import GatewayProjection
from gateway.http.idempotency_store import (
    IdempotentRequest,
    KeyReused,
    RedisIdempotency,
    StoredResponse,
    fingerprint_of,
)
from marquee.bus.api import Published
from marquee.bus.factory import open_bus
from marquee.bus.log import closing_log, open_log
from marquee.errors import BusUnavailable
from marquee.events import MOVIES, RATINGS, Event, MovieAdded
from marquee.settings import Settings
from marquee_testing.servers.system import PARTITIONS, System, running

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <(socket|ssl):ResourceWarning")

KEY = {"Idempotency-Key": "k-1"}
RATING = {"type": "rating.added", "data": {"user_id": 1, "movie_id": 2, "rating": 4.0}}
PUT = "/v1/users/1/ratings/2"


@dataclass
class Pair:
    """Two replicas of the gateway, and the consumer behind them."""

    one: httpx.AsyncClient
    other: httpx.AsyncClient
    apps: list[Any]
    group: System
    settings: Settings

    def dies_after_publishing(self) -> None:
        """Let the first replica lose the answer of its next publication."""
        app = self.apps[0]
        context = app.state.context
        app.state.context = replace(context, publisher=Dying(context.publisher))

    async def passed(self, answer: httpx.Response) -> None:
        """Wait until what a write has answered with is visible."""
        query = {"after": answer.json()["token"], "wait_ms": 10_000}
        assert (await self.other.get("/v1/users/1", params=query)).json()["fresh"]

    def count(self) -> int:
        """Return how many messages the log has."""
        with closing_log(open_log(self.settings)) as log:
            return sum(
                log.range(keys.partition)[1]
                for topic in (MOVIES, RATINGS)
                for keys in self.group.keys().all(topic)
            )


class Dying:
    """Publishes, and then seems to have got no answer."""

    def __init__(self, publisher: Any) -> None:
        self._publisher = publisher

    async def publish(self, events: Sequence[Event]) -> list[Published]:
        await self._publisher.publish(events)
        raise BusUnavailable("the answer was lost")


@pytest.fixture(params=["redis", pytest.param("kafka", marks=pytest.mark.kafka)])
def settings(
    request: pytest.FixtureRequest,
    redis_url: str,
    namespace: str,
    caplog: pytest.LogCaptureFixture,
) -> Iterator[Settings]:
    # Records of the client's log would keep its sockets past the end of the test.
    caplog.set_level(logging.CRITICAL, logger="kafka")
    values = {"redis_url": redis_url, "namespace": namespace, "bus": request.param}
    values["write_ms"] = 10_000
    if request.param == "kafka":
        values["kafka_servers"] = request.getfixturevalue("kafka_servers")
    yield Settings.model_validate(values)
    gc.collect()


@pytest.fixture
async def pair(settings: Settings, redis_url: str, namespace: str) -> AsyncIterator[Pair]:
    with running(open_bus(settings), redis_url, namespace) as group:
        group.start(GatewayProjection())
        movies = [{"movie_id": i, "title": f"Film {i}"} for i in (2, 3)]
        events = [MovieAdded.model_validate({"data": movie}) for movie in movies]
        group.wait(group.publish(*events))
        async with AsyncExitStack() as stack:
            apps = [build(settings), build(settings)]
            clients = []
            for app in apps:
                await stack.enter_async_context(app.router.lifespan_context(app))
                transport = httpx.ASGITransport(app, raise_app_exceptions=False)
                client = httpx.AsyncClient(transport=transport, base_url="http://gateway")
                clients.append(await stack.enter_async_context(client))
                live_view = app.state.context.live_view
                assert await live_view.wait_for_movie(2, 10.0)
                assert live_view.connected
            yield Pair(clients[0], clients[1], apps, group, settings)


async def test_a_repeat_at_another_replica_gets_the_same_answer_and_has_no_effect(
    pair: Pair,
) -> None:
    before = pair.count()
    first = await pair.one.put(PUT, json={"rating": 4.0}, headers=KEY)
    again = await pair.other.put(PUT, json={"rating": 4.0}, headers=KEY)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.content == first.content
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert pair.count() == before + 1


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", PUT, {"rating": 2.0}),
        ("PUT", "/v1/users/1/ratings/3", {"rating": 4.0}),
        ("DELETE", PUT, None),
    ],
)
async def test_a_key_that_comes_with_another_request_is_refused(
    pair: Pair, method: str, path: str, body: Any
) -> None:
    await pair.one.put(PUT, json={"rating": 4.0}, headers=KEY)
    before = pair.count()
    response = await pair.other.request(method, path, json=body, headers=KEY)
    problem = response.json()
    assert (response.status_code, problem["code"]) == (422, "idempotency_key_reused")
    assert problem["errors"][0]["field"] == "Idempotency-Key"
    assert "a new request needs a new key" in problem["detail"]
    assert pair.count() == before


async def test_attributes_in_headers_are_part_of_what_a_key_stands_for(pair: Pair) -> None:
    event = {"ce-specversion": "1.0", "ce-id": "e1", "ce-source": "shop", "ce-type": "movie.viewed"}
    data = {"user_id": 9, "movie_id": 2}
    first = await pair.one.post("/v1/events", json=data, headers=KEY | event)
    assert first.status_code == 202
    again = await pair.other.post("/v1/events", json=data, headers=KEY | event)
    assert (again.json(), again.headers["idempotency-replayed"]) == (first.json(), "true")
    for name, value in (("ce-type", "watchlist.added"), ("ce-id", "e2")):
        other = await pair.one.post("/v1/events", json=data, headers=KEY | event | {name: value})
        assert other.status_code == 422
        assert other.json()["code"] == "idempotency_key_reused"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("PUT", PUT, {"rating": 4.0}), ("POST", "/v1/events", {"events": [RATING]})],
)
async def test_a_gateway_that_dies_between_publishing_and_answering_leaves_one_effect(
    pair: Pair, method: str, path: str, body: Any
) -> None:
    pair.dies_after_publishing()
    lost = await pair.one.request(method, path, json=body, headers=KEY)
    assert lost.status_code == 503
    newer = await pair.other.put(PUT, json={"rating": 2.0})
    await pair.passed(newer)
    answer = await pair.other.request(method, path, json=body, headers=KEY)
    assert answer.status_code == 202
    await pair.passed(answer)
    assert pair.group.ratings(1).rated == {2: 4}
    same = await pair.other.request(method, path, json=body, headers=KEY)
    assert same.content == answer.content


async def test_a_movie_without_an_id_is_added_once_when_the_answer_was_lost(pair: Pair) -> None:
    pair.dies_after_publishing()
    body = {"title": "Once", "genres": ["Drama"]}
    assert (await pair.one.post("/v1/movies", json=body, headers=KEY)).status_code == 503
    answer = await pair.other.post("/v1/movies", json=body, headers=KEY)
    assert answer.status_code == 202, answer.text
    await pair.passed(answer)
    movies = [movie for movie in pair.group.movies().values() if movie.title == "Once"]
    assert [movie.movie_id for movie in movies] == [answer.json()["movie_id"]]


async def test_calls_with_one_key_at_the_same_time_are_answered_alike(pair: Pair) -> None:
    calls = [
        client.put(PUT, json={"rating": 4.0}, headers=KEY) for client in (pair.one, pair.other) * 8
    ]
    answers = await asyncio.gather(*calls)
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1


async def test_each_caller_has_keys_of_its_own(pair: Pair) -> None:
    tokens = ViewerTokens(("s" * 32,))
    limiter = RateLimiter("redis://127.0.0.1:1/0", "n")  # not asked: tokens have no rate here
    for app in pair.apps:
        app.state.allow = Authenticator(KeyRing(None, "n"), tokens, limiter)
    before = pair.count()
    for user_id in (1, 2):
        path = f"/v1/users/{user_id}/ratings/2"
        headers = {"Authorization": f"Bearer {tokens.sign(user_id, 900)}", **KEY}
        for client, replayed in ((pair.one, None), (pair.other, "true")):
            answer = await client.put(path, json={"rating": 4.0}, headers=headers)
            assert answer.status_code == 202
            assert answer.headers.get("Idempotency-Replayed") == replayed
    assert pair.count() == before + 2


async def test_a_refused_request_may_be_mended_under_its_key(pair: Pair) -> None:
    refused = await pair.one.put(PUT, json={"rating": 9.0}, headers=KEY)
    assert refused.status_code == 422
    unknown = await pair.one.put("/v1/users/1/ratings/999", json={"rating": 4.0}, headers=KEY)
    assert unknown.status_code == 404
    assert (await pair.one.put(PUT, json={"rating": 4.0}, headers=KEY)).status_code == 202


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
async def test_a_key_that_is_none_is_refused(pair: Pair, key: str) -> None:
    response = await pair.one.put(PUT, json={"rating": 4.0}, headers={"Idempotency-Key": key})
    assert response.status_code == 422
    assert "1 to 255 printable ASCII characters" in response.json()["detail"]


async def test_an_operators_call_says_that_it_takes_no_key(pair: Pair) -> None:
    response = await pair.one.post("/v1/trainings", json={}, headers=KEY)
    assert response.status_code == 422
    assert "this call takes none" in response.json()["detail"]


async def test_events_that_the_log_has_are_duplicates_and_their_token_is_theirs(
    pair: Pair,
) -> None:
    events = [RATING | {"id": "a", "source": "shop"}, RATING | {"id": "b", "source": "shop"}]
    response = await pair.one.post("/v1/events", json={"events": events})
    await pair.passed(response)
    first = response.json()
    before = pair.count()
    sent = [*events, RATING | {"id": "c", "source": "shop"}, RATING | {"id": "c", "source": "shop"}]
    answer = (await pair.other.post("/v1/events", json={"events": sent})).json()
    statuses = [item["status"] for item in answer["items"]]
    assert statuses == ["duplicate", "duplicate", "accepted", "duplicate"]
    assert (answer["accepted"], answer["duplicates"], answer["rejected"]) == (1, 3, 0)
    assert pair.count() == before + 1
    again = (await pair.other.post("/v1/events", json={"events": events})).json()
    assert again["token"] == first["token"]


async def test_the_keys_take_no_more_room_than_they_may(redis_url: str, namespace: str) -> None:
    store = RedisIdempotency(redis_url, namespace, max_bytes=20_000)
    request = fingerprint_of("PUT", "/", b"", b"")
    for n in range(200):
        attempt = await store.begin(f"key {n}", request)
        assert isinstance(attempt, IdempotentRequest)
        await store.finish(attempt, StoredResponse(202, b"%d" % n * 50))
    names = [f"{namespace}:gateway:{{idempotency}}:{name}" for name in ("order", "sizes", "bytes")]
    client = store._redis
    order, sizes, total = await client.zcard(names[0]), await client.hlen(names[1]), names[2]
    assert order == sizes < 60
    assert int(await client.get(total)) <= 21_000
    assert len([key async for key in client.scan_iter(f"{namespace}:*")]) == order + 3
    newest = await store.begin("key 199", request)
    assert isinstance(newest, StoredResponse)
    oldest = await store.begin("key 0", request)
    assert isinstance(oldest, IdempotentRequest)
    assert not oldest.again
    await store.close()


async def test_a_forgotten_attempt_leaves_nothing(redis_url: str, namespace: str) -> None:
    store = RedisIdempotency(redis_url, namespace)
    attempt = await store.begin("a key", fingerprint_of("PUT", "/", b"", b"1"))
    assert isinstance(attempt, IdempotentRequest)
    await store.release(attempt)
    other = await store.begin("a key", fingerprint_of("PUT", "/", b"", b"2"))
    assert isinstance(other, IdempotentRequest)
    with pytest.raises(KeyReused):
        await store.begin("a key", fingerprint_of("PUT", "/", b"", b"1"))
    await store.close()


async def test_without_the_store_a_key_still_gives_the_same_event_ids() -> None:
    store = RedisIdempotency("redis://127.0.0.1:1/0", "n")
    request = fingerprint_of("PUT", "/", b"", b"")
    first, second = await store.begin("k", request), await store.begin("k", request)
    assert isinstance(first, IdempotentRequest)
    assert isinstance(second, IdempotentRequest)
    assert first.event_id(3) == second.event_id(3)
    answer = StoredResponse(202, b"{}")
    assert await store.finish(first, answer) is answer


def test_partitions_of_the_settings_are_those_of_the_consumer() -> None:
    assert Settings().partitions == PARTITIONS
