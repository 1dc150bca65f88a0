"""The number of requests under way: it falls while answers are slow, and comes back."""

import asyncio
import time

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from gateway.http import concurrency
from gateway.http.concurrency import (
    LAG_S,
    LEAST,
    LEAST_OF_LOOP,
    RESERVE,
    RESERVE_PER_S,
    TICK_S,
    WINDOW_S,
    AdaptiveLimit,
)
from gateway.http.overload import EarlyRefusal, OverloadMiddleware
from marquee.health import READY

MOST = 128
CALL_S = 0.08


def test_slow_calls_take_places_away_down_to_the_least() -> None:
    limit = AdaptiveLimit(MOST, CALL_S)
    seen = []
    for _ in range(30):
        limit.observe_call("neural", 2 * CALL_S)
        limit.adjust()
        seen.append(limit.limit)
    assert seen == sorted(seen, reverse=True)
    assert (seen[0] < MOST, seen[-1]) == (True, LEAST)


def test_one_slow_service_is_not_hidden_by_quick_ones() -> None:
    limit = AdaptiveLimit(MOST, CALL_S)
    for _ in range(30):
        limit.observe_call("neural", 2 * CALL_S)
        for _ in range(9):
            limit.observe_call("content", CALL_S / 100)
        limit.adjust()
    assert limit.limit == LEAST


def test_places_come_back_one_by_one_once_calls_are_quick() -> None:
    limit = AdaptiveLimit(MOST, CALL_S)
    for _ in range(30):
        limit.observe_call("neural", 2 * CALL_S)
        limit.adjust()
    for more in range(1, 11):
        limit.observe_call("neural", CALL_S / 2)
        limit.adjust()
        assert limit.limit == LEAST + more
    for _ in range(2 * MOST):
        limit.adjust()
    assert limit.limit == MOST


@given(st.integers(1, 300), st.lists(st.floats(0, 10), max_size=60))
def test_the_limit_stays_within_its_bounds_and_no_place_is_given_twice(
    most: int, calls: list[float]
) -> None:
    limit, taken = AdaptiveLimit(most, CALL_S), 0
    for seconds in calls:
        limit.observe_call("neural", seconds)
        limit.adjust()
        assert min(LEAST, most) <= limit.limit <= most
        if taken < min(LEAST, most) and limit.enter():
            taken += 1
        assert limit.is_full == (taken >= limit.limit)
    for _ in range(taken):
        limit.leave()
    assert not limit.is_full


async def test_a_busy_event_loop_takes_places_away_and_an_idle_one_gives_them_back() -> None:
    limit = AdaptiveLimit(2 * LEAST_OF_LOOP)
    for _ in range(LEAST_OF_LOOP + 1):
        assert limit.enter()
    until = time.monotonic() + 60
    while limit.limit > LEAST_OF_LOOP and time.monotonic() < until:
        time.sleep(5 * LAG_S)  # noqa: ASYNC251 - the loop is to be late
        await asyncio.sleep(TICK_S)
    for _ in range(30):  # no fewer, however late it is
        time.sleep(5 * LAG_S)  # noqa: ASYNC251
        await asyncio.sleep(TICK_S)
        assert limit.limit >= LEAST_OF_LOOP
    async with asyncio.timeout(120):
        while limit.limit <= LEAST_OF_LOOP + 1:
            await asyncio.sleep(WINDOW_S)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


def slowed(most: int = MOST) -> AdaptiveLimit:
    """Return a limit that slow calls have brought down to the least."""
    limit = AdaptiveLimit(most, CALL_S)
    for _ in range(30):
        limit.observe_call("neural", 2 * CALL_S)
        limit.adjust()
    return limit


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 400)), max_size=20))
def test_the_reserve_is_used_up_and_fills_up_at_its_rate(moments: list[tuple[float, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock()
        patch.setattr(concurrency, "time", clock)
        limit, taken, passed = slowed(), 0, 0.0
        for seconds, wanted in moments:
            clock.now += seconds
            passed += seconds
            for _ in range(wanted):
                if limit.enter_reserve():
                    taken += 1
                    limit.leave()
            assert taken <= RESERVE + RESERVE_PER_S * passed + 1e-6
        clock.now += RESERVE / RESERVE_PER_S
        assert all(limit.enter_reserve() for _ in range(MOST))


def test_the_reserve_gives_no_more_places_than_there_are_at_most() -> None:
    limit = slowed(LEAST + 4)
    assert [limit.enter() for _ in range(LEAST + 1)] == [True] * LEAST + [False]
    assert [limit.enter_reserve() for _ in range(5)] == [True] * 4 + [False]
    limit.leave()
    assert limit.enter_reserve()


async def test_what_waits_without_work_takes_no_place_away() -> None:
    limit = AdaptiveLimit(MOST)
    for _ in range(MOST):
        assert limit.enter()
    assert not limit.enter()
    await asyncio.sleep(0)
    assert limit.limit == MOST


@pytest.mark.parametrize("path", ["/v1/movies", READY])
async def test_a_full_gateway_refuses_before_anything_else_and_answers_probes(path: str) -> None:
    reached: list[str] = []

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        reached.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    limit = AdaptiveLimit(1)
    assert limit.enter()
    transport = httpx.ASGITransport(EarlyRefusal(OverloadMiddleware(app, limit), limit))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        answer = await client.get(path)
        assert (answer.status_code, reached) == ((200, [READY]) if path == READY else (503, []))
        if path != READY:
            assert answer.json()["code"] == "overloaded"
            assert answer.headers["retry-after"] == "1"
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["x-content-type-options"] == "nosniff"
        limit.leave()
        assert (await client.get("/v1/movies")).status_code == 200
