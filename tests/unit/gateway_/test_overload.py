"""What the gateway does not take on: too many requests at once, and bodies that are not whole."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import httpx
import orjson
import pytest
from starlette.types import Message, Receive, Scope, Send

from gateway.app import create_app
from gateway.http import concurrency, overload
from gateway.http.concurrency import RESERVE, AdaptiveLimit
from gateway.http.middleware import BodyMiddleware
from gateway.http.overload import (
    BATCH,
    EarlyRefusal,
    OverloadMiddleware,
    place_free,
    spares_models,
)
from gateway.recommend.orchestrator import Orchestrator
from gateway.state.publisher import Publisher
from gateway.upstream.http_client import RawReply
from gateway.upstream.model_clients import HttpModels
from gateway.upstream.models import JSON
from marquee.bus.api import Outgoing, Published, TopicPartition
from marquee.domain.models import MODEL_NAMES
from marquee.domain.routing import Thresholds
from marquee.events import Event
from marquee.health import LIVE, METRICS, READY
from marquee_testing.fakes.gateway_api import parts
from marquee_testing.waiting import until_async


class Held:
    """An app whose answers wait until they are let go."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.under_way = 0
        self.most = 0

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self.go.wait()
            if scope["path"] == "/broken":
                raise ValueError("a fault of the app")
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"{}"})
        finally:
            self.under_way -= 1


def client_on(app: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://gateway")


async def test_requests_beyond_the_limit_are_refused_at_once_and_probes_are_not() -> None:
    held = Held()
    async with client_on(OverloadMiddleware(held, limit=3)) as client:
        paths = ("/broken", "/broken", "/b")
        taken = [asyncio.create_task(client.get(path)) for path in paths]
        while held.under_way < 3:
            await asyncio.sleep(0)
        refused = [await client.get("/c") for _ in range(5)]
        assert {r.status_code for r in refused} == {503}
        assert refused[0].json()["code"] == "overloaded"
        assert refused[0].headers["retry-after"] == "1"
        probes = [asyncio.create_task(client.get(path)) for path in (LIVE, READY, METRICS)]
        while held.under_way < 6:
            await asyncio.sleep(0)
        held.go.set()
        assert [r.status_code for r in await asyncio.gather(*probes)] == [200] * 3
        assert [r.status_code for r in await asyncio.gather(*taken)] == [500, 500, 200]
        # A place is free again, whatever became of the request.
        assert (await client.get("/d")).status_code == 200
    assert held.most == 6


@pytest.mark.parametrize("sent", [[b"{"], [b"{", b'"rating"'], [b"x" * 600_000, b"x" * 600_000]])
async def test_a_body_that_is_not_whole_holds_no_place(sent: list[bytes]) -> None:
    held = Held()
    app = BodyMiddleware(OverloadMiddleware(held, limit=1))
    pieces, gone = iter(sent), asyncio.Event()
    answered: list[Message] = []

    async def receive() -> Message:
        piece = next(pieces, None)
        if piece is None:
            await gone.wait()
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": piece, "more_body": True}

    async def send(message: Message) -> None:
        answered.append(message)

    scope = {"type": "http", "path": "/a", "headers": [], "method": "PUT"}
    slow = asyncio.create_task(app(scope, receive, send))
    async with client_on(app) as client:
        taken = asyncio.create_task(client.get("/a"))
        while not held.under_way:
            await asyncio.sleep(0)
        held.go.set()
        assert (await taken).status_code == 200
    gone.set()
    await slow
    assert held.most == 1
    assert [message.get("status") for message in answered] == (
        [413, None] if len(sent[0]) > 9 else []
    )


async def test_bodies_that_arrive_slowly_are_held_up_to_a_limit() -> None:
    app = BodyMiddleware(Held(), max_held=1000)

    async def send_half(n: int) -> tuple[asyncio.Task[None], list[Message]]:
        answered: list[Message] = []
        sent = iter([{"type": "http.request", "body": b"x" * n, "more_body": True}])

        async def receive() -> Message:
            if (message := next(sent, None)) is None:
                await asyncio.Event().wait()
            assert message is not None
            return message

        async def send(message: Message) -> None:
            answered.append(message)

        scope = {"type": "http", "path": "/a", "headers": [], "method": "PUT"}
        task = asyncio.create_task(app(scope, receive, send))
        for _ in range(3):
            await asyncio.sleep(0)
        return task, answered

    first, _ = await send_half(700)
    refused, answered = await send_half(700)
    assert refused.done()
    assert answered[0]["status"] == 503
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    again, _ = await send_half(700)
    assert not again.done()
    again.cancel()
    await asyncio.gather(again, return_exceptions=True)


def test_the_limit_is_a_setting() -> None:
    context = parts()[0]
    settings = context.settings.model_copy(update={"max_requests": 7})
    app = create_app(replace(context, settings=settings))
    classes: list[Any] = [OverloadMiddleware]
    [limit] = [m.kwargs["limit"] for m in app.user_middleware if m.cls in classes]
    assert isinstance(limit, AdaptiveLimit)
    assert limit.limit == 7


def slowed() -> AdaptiveLimit:
    """Return a limit whose places are all taken, after calls that were slow."""
    limit = AdaptiveLimit(128)
    for _ in range(30):
        limit.observe_call("neural", 1.0)
        limit.adjust()
    while limit.enter():
        pass
    return limit


async def test_in_trouble_of_a_moment_requests_do_without_the_models_and_in_lasting_one_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(concurrency, "RESERVE_PER_S", 0.0)
    limit, spared = slowed(), []

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        spared.append(spares_models())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async with client_on(EarlyRefusal(OverloadMiddleware(app, limit), limit)) as client:
        assert (await client.post(BATCH)).status_code == 503  # mails are better sent later
        statuses = [(await client.get("/a")).status_code for _ in range(int(RESERVE) + 5)]
        assert statuses == [200] * int(RESERVE) + [503] * 5
        limit.leave()
        assert (await client.get("/a")).status_code == 200
    assert spared == [True] * int(RESERVE) + [False]


class Service:
    """A model service that recommends one film, and counts its calls."""

    calls = 0

    async def send(
        self, _method: str, _path: str, _body: bytes | None = None, _media_type: str = JSON
    ) -> RawReply:
        self.calls += 1
        item = {"movie_id": 5, "score": 0.5, "reason": "popular", "because": []}
        answer = {"items": [item], "model_version": "v1", "positions": {}, "fresh": True}
        return RawReply(200, orjson.dumps(answer))

    async def close(self) -> None:
        """Nothing is open."""


async def test_lists_beyond_the_limit_are_of_popular_films_and_say_so() -> None:
    context, live_view, *_ = parts()
    service, limit = Service(), slowed()
    models = HttpModels({name: [service] for name in MODEL_NAMES}, spares_models=spares_models)
    orchestrator = Orchestrator(models, live_view.popular, Thresholds())
    context = replace(context, orchestrator=orchestrator, models=models, limit=limit)
    async with client_on(create_app(context)) as client:
        answer = (await client.get("/v1/users/1/recommendations?k=1")).json()
        assert (answer["degraded"], len(answer["items"]), service.calls) == (True, 1, 0)
        limit.leave()
        answer = (await client.get("/v1/users/1/recommendations?k=1")).json()
        assert answer["items"][0]["movie_id"] == 5
        assert (answer["degraded"], service.calls) == (False, 1)


async def test_a_call_that_only_waits_leaves_its_place_to_others() -> None:
    limit, passed, working = AdaptiveLimit(2), asyncio.Event(), asyncio.Event()

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["path"] == "/waits":
            async with place_free():
                await passed.wait()
        if scope["path"] == "/works":
            await working.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async with client_on(OverloadMiddleware(app, limit)) as client:
        waiting = [asyncio.create_task(client.get("/waits")) for _ in range(20)]
        await asyncio.sleep(0.05)
        assert (await client.get("/else")).status_code == 200
        busy = [asyncio.create_task(client.get("/works")) for _ in range(2)]
        while not limit.is_full:
            await asyncio.sleep(0)
        passed.set()
        # Whoever has waited needs a place again.
        done, _ = await asyncio.wait(waiting, timeout=0.2)
        assert not done
        working.set()
        assert {(await one).status_code for one in (*waiting, *busy)} == {200}
    assert not limit.is_full


async def test_who_has_waited_goes_on_in_the_end_though_no_place_is_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(overload, "SPARE_S", 0.1)
    limit = AdaptiveLimit(1)

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        async with place_free():
            assert limit.enter()  # by another one, who keeps it
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async with client_on(OverloadMiddleware(app, limit)) as client:
        assert (await client.get("/a")).status_code == 200
    assert limit.is_full
    limit.leave()
    assert not limit.is_full


class Silent:
    """A producer whose bus does not answer for a while."""

    def __init__(self) -> None:
        self.answers = threading.Event()

    def publish(self, messages: Sequence[Outgoing]) -> list[Published]:
        if messages:
            self.answers.wait(60)
        return [Published(TopicPartition(m.topic, 0), at) for at, m in enumerate(messages)]

    def close(self) -> None:
        """Nothing is open."""


class Counted(Publisher):
    """A publisher that counts its calls."""

    calls = 0

    async def publish(self, events: Sequence[Event]) -> list[Published]:
        self.calls += 1
        return await super().publish(events)


async def test_writes_that_wait_for_the_bus_hold_no_place() -> None:
    context, *_ = parts()
    producer, limit = Silent(), AdaptiveLimit(2)
    publisher = Counted(lambda: producer, 60.0)
    async with client_on(create_app(replace(context, publisher=publisher, limit=limit))) as client:
        writes = []
        for user in range(1, 6):  # more than there are places
            path = f"/v1/users/{user}/ratings/1"
            writes.append(asyncio.create_task(client.put(path, json={"rating": 4.0})))
            await until_async(lambda n=user: publisher.calls == n)  # type: ignore[misc]
        assert (await client.get("/v1/users/1/recommendations")).status_code == 200
        producer.answers.set()
        assert {(await write).status_code for write in writes} == {202}
    await publisher.close()
    assert not limit.is_full


async def test_a_wait_whose_caller_leaves_gives_nothing_back_twice() -> None:
    limit, begun = AdaptiveLimit(1), asyncio.Event()

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        async with place_free():
            begun.set()
            await asyncio.Event().wait()

    async def nothing() -> Message:
        return {"type": "http.disconnect"}

    async def drop(_: Message) -> None:
        raise AssertionError

    scope = {"type": "http", "path": "/a", "headers": [], "method": "GET"}
    call = asyncio.create_task(OverloadMiddleware(app, limit)(scope, nothing, drop))
    await begun.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert limit.enter()
    assert limit.is_full


async def test_a_caller_who_left_before_the_body_came_begins_nothing() -> None:
    async def app(*_: Any) -> None:
        raise AssertionError

    async def gone() -> Message:
        return {"type": "http.disconnect"}

    async def drop(_: Message) -> None:
        raise AssertionError

    scope = {"type": "http", "path": "/a", "headers": [], "method": "PUT"}
    await BodyMiddleware(app)(scope, gone, drop)
