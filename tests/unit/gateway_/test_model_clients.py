"""Calls to model services: what comes back, what fails, and when a service is left alone."""

import asyncio
from collections.abc import Awaitable, Callable

import orjson
import pytest

from gateway.upstream.circuit_breaker import MAX_TIMEOUTS, PAUSE_S, CircuitBreaker
from gateway.upstream.http_client import RawReply
from gateway.upstream.model_clients import HttpModels
from gateway.upstream.models import JSON, Call, Failure, RecommendReply, Reply
from gateway.upstream.user_request import UserRequest
from marquee.domain.ratings import Ratings
from marquee.domain.recommendation import (
    PACKED_REQUEST,
    Reason,
    Route,
    Scored,
    packed_request,
)

ANSWER = {
    "items": [
        {
            "movie_id": 5,
            "score": 0.5,
            "reason": "because_you_liked",
            "because": [{"movie_id": 2, "weight": 1.0}],
        }
    ],
    "model_version": "v1",
    "positions": {},
    "fresh": False,
}


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Service:
    """The address of a service that answers what it is told to, and counts the calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, bytes | None]] = []
        self.content: bytes = orjson.dumps(ANSWER)
        self.status = 200
        self.error: Exception | None = None
        self.hang = self.closed = self.json_only = False
        self.media_types: list[str] = []

    async def send(
        self, method: str, path: str, body: bytes | None = None, media_type: str = JSON
    ) -> RawReply:
        self.calls.append((method, path, body))
        self.media_types.append(media_type)
        if self.json_only and media_type != JSON:
            return RawReply(422, b'{"detail":"not JSON"}')
        if self.hang:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        return RawReply(self.status, self.content)

    async def close(self) -> None:
        self.closed = True

    def models(self) -> HttpModels:
        return HttpModels({"hybrid": [self]})


async def until(
    condition: Callable[[], bool], again: Callable[[], Awaitable[object]] | None = None
) -> None:
    """Wait for a condition, doing something again and again if need be."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)
            if again is not None:
                await again()


async def ask(models: HttpModels, seconds: float = 1.0) -> RecommendReply | Failure:
    return await models.recommend(Route.HYBRID, {"k": 1}, seconds)


async def test_an_answer_is_read() -> None:
    service = Service()
    models = service.models()
    assert await ask(models) == RecommendReply(
        (Scored(5, 0.5, Reason.BECAUSE_YOU_LIKED, ((2, 1.0),)),), "v1", False
    )
    assert service.calls == [("POST", "/internal/recommend", b'{"k":1}')]
    await models.close()
    assert service.closed


async def test_facts_travel_packed_and_as_json_to_a_service_of_an_earlier_release() -> None:
    service, facts = Service(), Ratings({7: 9})
    models, request = service.models(), UserRequest({"k": 1}, facts)
    assert isinstance(await models.recommend(Route.HYBRID, request, 1.0), RecommendReply)
    assert service.calls[-1][2] == packed_request(b'{"k":1}', facts.pack())
    service.json_only = True
    for _ in range(2):
        assert isinstance(await models.recommend(Route.HYBRID, request, 1.0), RecommendReply)
    assert service.media_types == [PACKED_REQUEST, PACKED_REQUEST, JSON, JSON]
    sent = orjson.loads(service.calls[-1][2] or b"")
    assert (sent["k"], sent["ratings"], sent["viewed"]) == (1, [[7, 4.5]], [])


@pytest.mark.parametrize(
    ("status", "content", "why"),
    [
        (503, b'{"detail":"no model"}', "hybrid answered 503: no model"),
        (500, b"[]", "hybrid answered 500: no detail"),
        (200, b"<html>", "hybrid answered what is not JSON"),
        (200, b'{"items":[{}],"model_version":"v1"}', "the answer cannot be read: KeyError"),
        (200, b"[]", "the answer cannot be read: TypeError"),
    ],
)
async def test_what_is_no_answer_is_a_failure_that_says_why(status, content, why) -> None:
    service = Service()
    service.status, service.content = status, content
    answer = await ask(service.models())
    assert isinstance(answer, Failure)
    assert answer.why.startswith(why)


async def test_a_refusal_does_not_break_the_circuit() -> None:
    service = Service()
    service.status = 503
    models = service.models()
    for _ in range(5):
        await ask(models)
    assert len(service.calls) == 5


async def test_after_a_failed_connection_a_service_is_left_alone() -> None:
    service = Service()
    service.error = ConnectionRefusedError("refused")
    models = service.models()
    assert await ask(models) == Failure("hybrid cannot be reached")
    second = await ask(models)
    assert isinstance(second, Failure)
    assert "left alone" in second.why
    assert len(service.calls) == 1


async def test_a_slow_service_is_given_up_after_the_deadline_and_after_three_left_alone() -> None:
    service = Service()
    service.hang = True
    models = service.models()
    whys = [(await ask(models, 0.01)) for _ in range(MAX_TIMEOUTS + 1)]
    assert whys[0] == Failure("hybrid did not answer within 10 ms")
    assert whys[-1] == Failure("hybrid is left alone for a moment after failed calls")
    assert len(service.calls) == MAX_TIMEOUTS


async def test_a_broken_service_is_tried_in_the_background_until_it_answers() -> None:
    service = Service()
    service.error = ConnectionRefusedError("refused")
    models = HttpModels({"hybrid": [service]}, pause=0.01)
    await ask(models)
    await until(lambda: len(service.calls) >= 4)
    assert set(service.calls[1:]) == {("GET", "/health/live", None)}
    service.error = None
    await until(lambda: service.calls[-1][0] == "POST", lambda: ask(models))
    assert isinstance(await ask(models), RecommendReply)
    calls = len(service.calls)
    await asyncio.sleep(0.05)
    assert len(service.calls) == calls
    await models.close()


async def test_a_service_that_only_answers_trials_is_left_alone_after_one_more_timeout() -> None:
    service = Service()
    service.hang = True
    models = HttpModels({"hybrid": [service]}, pause=0.01)
    await asyncio.gather(*(ask(models, 0.01) for _ in range(MAX_TIMEOUTS)))
    service.hang = False
    await until(lambda: len(service.calls) > MAX_TIMEOUTS)
    await asyncio.sleep(0)
    service.hang = True
    assert await ask(models, 0.01) == Failure("hybrid did not answer within 10 ms")
    assert await ask(models) == Failure("hybrid is left alone for a moment after failed calls")
    await models.close()


async def test_nothing_is_tried_once_it_is_closed() -> None:
    service = Service()
    service.error = ConnectionRefusedError("refused")
    models = HttpModels({"hybrid": [service]}, pause=0.01)
    await ask(models)
    await models.close()
    await asyncio.sleep(0.05)
    assert len(service.calls) == 1


async def test_any_internal_call_gives_status_and_body() -> None:
    service = Service()
    service.status, service.content = 404, b'{"detail":"none"}'
    reply = await service.models().call("hybrid", Call("GET", "/internal/users/1"))
    assert reply == Reply(404, {"detail": "none"})
    assert service.calls == [("GET", "/internal/users/1", None)]


def test_after_the_pause_one_caller_tries_and_the_others_wait_for_him() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock)
    breaker.failed()
    assert not breaker.allows()
    clock.now += PAUSE_S
    assert [breaker.allows() for _ in range(3)] == [True, False, False]
    breaker.succeeded()
    assert breaker.allows()


def test_a_probe_that_fails_or_never_ends_starts_the_pause_anew() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock)
    breaker.failed()
    clock.now += PAUSE_S
    assert breaker.allows()
    clock.now += PAUSE_S
    assert breaker.allows()
    breaker.failed()
    assert not breaker.allows()


def test_timeouts_break_the_circuit_only_in_a_row() -> None:
    breaker = CircuitBreaker(Clock())
    for _ in range(MAX_TIMEOUTS - 1):
        breaker.timed_out()
    breaker.succeeded()
    breaker.timed_out()
    assert breaker.allows()


async def test_replicas_are_asked_in_turn() -> None:
    replicas = [Service(), Service()]
    models = HttpModels({"hybrid": replicas})
    for _ in range(6):
        assert isinstance(await ask(models), RecommendReply)
    assert [len(replica.calls) for replica in replicas] == [3, 3]
    await models.close()
    assert all(replica.closed for replica in replicas)


@pytest.mark.parametrize("down", [0, 1])
async def test_no_call_fails_while_one_of_two_replicas_cannot_be_reached(down: int) -> None:
    replicas = [Service(), Service()]
    replicas[down].error = ConnectionRefusedError("refused")
    models = HttpModels({"hybrid": replicas}, pause=0.01)
    for _ in range(5):
        assert isinstance(await ask(models), RecommendReply)
    calls = [method for method, _, _ in replicas[down].calls if method == "POST"]
    assert len(calls) == 1, "a replica with an open circuit is left alone"
    replicas[down].error = None
    await until(lambda: replicas[down].calls[-1][0] == "POST", lambda: ask(models))
    await models.close()


async def test_a_replica_that_hangs_costs_its_timeouts_and_no_more() -> None:
    replicas = [Service(), Service()]
    replicas[0].hang = True
    models = HttpModels({"hybrid": replicas}, pause=60)
    answers = [await ask(models, 0.01) for _ in range(4 * MAX_TIMEOUTS)]
    failures = [answer for answer in answers if isinstance(answer, Failure)]
    assert failures == [Failure("hybrid did not answer within 10 ms")] * MAX_TIMEOUTS
    await models.close()


async def test_a_service_none_of_whose_replicas_is_reached_fails_once_for_each() -> None:
    replicas = [Service(), Service()]
    for replica in replicas:
        replica.error = ConnectionResetError("reset")
    models = HttpModels({"hybrid": replicas}, pause=60)
    assert await ask(models) == Failure("hybrid cannot be reached")
    assert await ask(models) == Failure("hybrid is left alone for a moment after failed calls")
    assert [len(replica.calls) for replica in replicas] == [1, 1]
    await models.close()


async def test_the_time_of_a_call_is_told_unless_it_was_to_wait_or_was_not_reached() -> None:
    service, told = Service(), list[tuple[str, float]]()
    models = HttpModels({"hybrid": [service]}, pause=60, observe=lambda *call: told.append(call))
    await ask(models)
    assert len(told) == 1
    await models.recommend(Route.HYBRID, {"k": 1, "after": {"movies:0": 7}}, 1.0)
    assert len(told) == 1
    service.hang = True
    await ask(models, 0.02)
    assert len(told) == 2
    assert (told[1][0], told[1][1] > 0.01) == ("hybrid", True)
    service.hang, service.error = False, ConnectionRefusedError("refused")
    await ask(models)
    await ask(models)
    assert len(told) == 2
    await models.close()


async def test_a_request_beyond_the_limit_asks_no_service() -> None:
    service, beyond = Service(), [True]
    models = HttpModels({"neural": [service]}, spares_models=lambda: beyond[0])
    refused = await models.call("neural", Call("GET", "/internal/anything"))
    assert isinstance(refused, Failure)
    assert (refused.unresponsive, service.calls) == (True, [])
    beyond[0] = False
    assert isinstance(await models.call("neural", Call("GET", "/internal/anything")), Reply)
