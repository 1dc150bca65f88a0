"""A stream of one viewer's list: what it sends, when it ends, and who may follow."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from starlette.requests import Request

from gateway.access.viewer_tokens import ViewerTokens
from gateway.api.context import Context
from gateway.api.live.changes import messages
from gateway.api.live.event_stream import HEARTBEAT, EventStream, message
from gateway.api.live.followed_list import FollowedList
from gateway.api.schemas.list_requests import ChangesQuery
from gateway.app import create_app
from gateway.http.concurrency import AdaptiveLimit
from gateway.http.overload import Place
from gateway.state import consistency_token
from gateway.state.changes import Changes, Follower
from marquee.access.scopes import Scope
from marquee.domain.ratings import Ratings
from marquee_testing.fakes.gateway_api import parts, problem_of
from marquee_testing.fakes.keyed_api import OTHER, SECRETS, VIEWER, Harness

USER = 7


class Stream:
    """The messages of a follower of one viewer, over parts in memory."""

    def __init__(
        self, heartbeat_s: float = 60.0, last: str = "", places: int = 1, **scope: Any
    ) -> None:
        context, self.live_view, self.profiles, self.models, _ = parts()
        self.limit = AdaptiveLimit(places)
        self.context: Context = replace(context, changes=Changes(10))
        self.follower: Follower = self.context.changes.follow(USER)
        headers = [(b"last-event-id", last.encode()), *scope.pop("headers", [])]
        scope = {"app": create_app(self.context)} | scope
        self.request = Request({"type": "http", "headers": headers, "method": "GET", **scope})
        self.followed = FollowedList(
            self.context, self.follower, ChangesQuery(k=3), Place(self.limit)
        )
        self.heartbeat_s = heartbeat_s

    async def begin(self) -> AsyncGenerator[bytes, None]:
        shown = await self.followed.first()
        return messages(self.request, self.follower, self.followed, shown, self.heartbeat_s)

    def rate(self, movie_id: int) -> None:
        self.profiles.facts[USER] = Ratings({movie_id: 10})
        self.follower.wake(is_own=True)


@asynccontextmanager
async def begun(stream: Stream) -> AsyncIterator[AsyncGenerator[bytes, None]]:
    sent = await stream.begin()
    assert await anext(sent) == b"retry: 1000\n\n"
    yield sent
    await sent.aclose()


def id_of(sent: bytes) -> str:
    assert sent.startswith(b"id: ")
    return sent.partition(b"\n")[0].decode().removeprefix("id: ")


async def test_a_list_is_sent_once_however_often_something_happens() -> None:
    stream = Stream()
    async with begun(stream) as sent:
        first = id_of(await anext(sent))
        waiting = asyncio.ensure_future(anext(sent))
        for _ in range(3):
            stream.follower.wake(is_own=True)
            await asyncio.sleep(0.01)
        assert not waiting.done()
        stream.rate(40)
        assert id_of(await waiting) != first


async def test_a_known_list_is_not_sent_again() -> None:
    known = (await Stream().followed.first()).event_id
    stream = Stream(last=known)
    async with begun(stream) as sent:
        waiting = asyncio.ensure_future(anext(sent))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        stream.rate(40)
        assert id_of(await waiting) != known


async def test_silence_is_broken_by_a_comment() -> None:
    stream = Stream(heartbeat_s=0.01)
    async with begun(stream) as sent:
        id_of(await anext(sent))
        assert [await anext(sent) for _ in range(3)] == [HEARTBEAT] * 3


async def test_a_list_that_is_behind_is_made_again_without_a_change() -> None:
    stream = Stream()
    stream.live_view.connected = False  # the answer is degraded
    stream.live_view.reached = False  # and behind
    token = consistency_token.encode(
        {"ratings:1": 5, "ratings:0": 5, "ratings:2": 5, "ratings:3": 5}
    )
    stream.followed = FollowedList(
        stream.context, stream.follower, ChangesQuery(k=3, after=token), Place(stream.limit)
    )
    async with begun(stream) as sent:
        first = json.loads((await anext(sent)).partition(b"data: ")[2])
        assert (first["fresh"], first["degraded"]) == (False, True)
        stream.live_view.connected = stream.live_view.reached = True
        async with asyncio.timeout(10):
            again = json.loads((await anext(sent)).partition(b"data: ")[2])
        assert (again["fresh"], again["degraded"]) == (True, False)


async def test_an_idle_follower_holds_no_place_and_waits_for_one_to_make_a_list() -> None:
    stream = Stream()
    async with begun(stream) as sent:
        await anext(sent)
        assert stream.limit.enter()  # the only place
        waiting = asyncio.ensure_future(anext(sent))
        stream.rate(40)
        await asyncio.sleep(0.1)
        assert not waiting.done()
        stream.limit.leave()
        id_of(await waiting)
        assert stream.limit.enter()


async def test_a_change_of_everybodys_leaves_half_of_the_places_to_requests() -> None:
    stream = Stream(places=4)
    async with begun(stream) as sent:
        await anext(sent)
        assert stream.limit.enter()
        assert stream.limit.enter()
        waiting = asyncio.ensure_future(anext(sent))
        stream.profiles.facts[USER] = Ratings({40: 10})
        stream.follower.wake(is_own=False)
        await asyncio.sleep(0.1)
        assert not waiting.done()
        stream.limit.leave()
        id_of(await waiting)


async def test_a_token_that_has_ended_ends_the_stream() -> None:
    harness = Harness()
    token = ViewerTokens(SECRETS).sign(USER, 2)
    route = next(r for r in harness.app.router.routes if getattr(r, "name", "") == "follow_user")
    stream = Stream(
        heartbeat_s=0.01,
        headers=[(b"authorization", f"Bearer {token}".encode())],
        app=harness.app,
        route=route,
        path_params={"user_id": str(USER)},
    )
    async with begun(stream) as sent:
        id_of(await anext(sent))
        assert await anext(sent) == HEARTBEAT
        async with asyncio.timeout(10):
            last = [part async for part in sent]
    told = b'{"code":"unauthorized","reason":"the key or token does not hold any more"}'
    assert last[-1] == message("end", told)


async def test_only_the_viewer_of_a_token_may_be_followed() -> None:
    harness = Harness()
    path = "/v1/users/{}/recommendations/changes?wait=0"
    headers = {"Authorization": f"Bearer {ViewerTokens(SECRETS).sign(int(OTHER), 60)}"}
    own = await harness.client.get(path.format(OTHER), headers=headers)
    assert own.status_code == 200
    refused = await harness.client.get(path.format(VIEWER), headers=headers)
    problem_of(refused, 403, "forbidden")
    reader = await harness.key(Scope.WRITE)
    wrong = await harness.client.get(path.format(7), headers={"Authorization": f"Bearer {reader}"})
    problem_of(wrong, 403, "forbidden")


async def test_the_next_message_is_made_once_the_last_one_has_been_taken() -> None:
    made: list[int] = []
    ended: list[bool] = []
    taken = asyncio.Semaphore(0)

    async def numbers() -> AsyncGenerator[bytes, None]:
        for i in range(3):
            made.append(i)
            yield b"%d" % i

    async def send(part: Any) -> None:
        if part["type"] == "http.response.body":
            await taken.acquire()

    async def receive() -> Any:
        raise AssertionError("nothing is read")

    stream = EventStream(numbers(), lambda: ended.append(True))
    running = asyncio.create_task(stream({"type": "http"}, receive, send))
    for expected in ([0], [0, 1], [0, 1, 2]):
        await asyncio.sleep(0.01)
        assert (made, ended) == (expected, [])
        taken.release()
    taken.release()
    await running
    assert ended == [True]


async def test_a_head_follows_nothing() -> None:
    harness = Harness()
    key = await harness.key(Scope.READ)
    headers = {"Authorization": f"Bearer {key}", "Accept": "text/event-stream"}
    path = f"/v1/users/{USER}/recommendations/changes"
    response = await harness.client.head(path, headers=headers)
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-type"] == "text/event-stream"
    assert len(harness.app.state.context.changes) == 0


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html"])
async def test_who_asks_for_no_stream_gets_an_answer_that_ends(accept: str) -> None:
    harness = Harness()
    key = await harness.key(Scope.READ)
    headers = {"Authorization": f"Bearer {key}", "Accept": accept}
    path = f"/v1/users/{USER}/recommendations/changes"
    response = await harness.client.get(path, headers=headers)
    assert response.headers["content-type"] == "application/json"
    known = headers | {"If-None-Match": response.headers["etag"]}
    same = await harness.client.get(f"{path}?wait=0", headers=known)
    assert same.status_code == 304
