"""One viewer's token has few calls under way at once, so that it cannot hold all places."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.access.viewer_calls import MAX_AT_ONCE
from gateway.access.viewer_tokens import ViewerTokens
from gateway.state import consistency_token
from gateway.state.consistency_token import Positions
from marquee.access.scopes import Scope
from marquee.events.partitioning import partition_of
from marquee_testing.fakes.keyed_api import SECRETS, Harness
from marquee_testing.waiting import until_async

AHEAD = {
    "after": consistency_token.encode({f"ratings:{partition_of(7, 4)}": 2**40}),
    "wait_ms": "9000",
}
LISTS, MOVIES = "/v1/users/7/recommendations", "/v1/movies"


class Waiting:
    """A view whose callers wait until they are let go."""

    def __init__(self) -> None:
        self.callers = 0
        self.goes_on = asyncio.Event()

    async def passed(self, _after: Positions, _seconds: float) -> bool:
        self.callers += 1
        try:
            await self.goes_on.wait()
        finally:
            self.callers -= 1
        return True


@pytest.fixture
async def api() -> AsyncIterator[Harness]:
    harness = Harness()
    async with harness.client:
        yield harness


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def token(user_id: int) -> dict[str, str]:
    return bearer(ViewerTokens(SECRETS).sign(user_id, 900))


async def test_calls_that_wait_are_bounded_for_each_viewer_and_not_for_keys(
    api: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = Waiting()
    monkeypatch.setattr(api.live_view, "passed", waiting.passed)

    def ask(headers: dict[str, str]) -> asyncio.Task[httpx.Response]:
        return asyncio.create_task(api.client.get(LISTS, params=AHEAD, headers=headers))

    own = [ask(token(7)) for _ in range(MAX_AT_ONCE)]
    await until_async(lambda: waiting.callers == MAX_AT_ONCE)
    for path in (LISTS, MOVIES):
        refused = await api.client.get(path, headers=token(7))
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert f"more than {MAX_AT_ONCE} calls of viewer 7 are under way" in refused.text
        assert refused.headers["retry-after"] == "1"
    assert (await api.client.get(MOVIES, headers=token(8))).status_code == 200
    key = bearer(await api.key(Scope.READ))
    others = [ask(key) for _ in range(2 * MAX_AT_ONCE)]
    await until_async(lambda: waiting.callers == 3 * MAX_AT_ONCE)
    waiting.goes_on.set()
    assert {task.status_code for task in await asyncio.gather(*own, *others)} == {200}
    assert (await api.client.get(LISTS, headers=token(7))).status_code == 200


async def test_calls_that_end_otherwise_count_no_more(
    api: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = Waiting()
    monkeypatch.setattr(api.live_view, "passed", waiting.passed)
    for path in (f"{LISTS}?limit=0", "/v1/users/7/ratings/1?x=1", "/v1/movies/999999"):
        for _ in range(MAX_AT_ONCE + 1):
            assert (await api.client.get(path, headers=token(7))).status_code in (404, 405, 422)
    for _ in range(MAX_AT_ONCE):
        gone = asyncio.create_task(api.client.get(LISTS, params=AHEAD, headers=token(7)))
        await until_async(lambda: waiting.callers == 1)
        gone.cancel()
        await until_async(lambda: waiting.callers == 0)
    assert (await api.client.get(MOVIES, headers=token(7))).status_code == 200
