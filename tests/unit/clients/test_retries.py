"""Python's client: what is sent again, and when."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marquee_client import MarqueeError, NoAnswer, RateLimited, Retries, TimedOut, Unavailable
from marquee_client.retries import RETRIED_STATUSES
from marquee_client.retry_after import retry_after_s

AT_ONCE = Retries(attempts=3, first_s=0.0)
FAULTS = {
    0: httpx.ConnectError("refused"),
    1: httpx.ReadError("reset"),
    2: httpx.ReadTimeout("silence"),
    3: httpx.RemoteProtocolError("half an answer"),
}
GENRES = {"items": [], "degraded": False}
RECEIPT = {"event_id": "e", "token": "t", "accepted_at": "2026-01-01T00:00:00Z"}
TOKEN = {"token": "t", "user_id": 1, "expires_at": "2026-01-01T00:00:00Z"}
CALLS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "genres": ((), GENRES),
    "rate": ((1, 2, 3.5), RECEIPT),
    "viewer_token": ((1,), TOKEN),
}


class Failing:
    """Fails as it is told, one request after the other, and then answers."""

    def __init__(self, ends: Sequence[int], answer: dict[str, Any]) -> None:
        self.ends, self.answer = list(ends), answer
        self.keys: list[str | None] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.keys.append(request.headers.get("Idempotency-Key"))
        end = self.ends.pop(0) if self.ends else 200
        if end in FAULTS:
            raise FAULTS[end]
        return httpx.Response(end, json=self.answer if end == 200 else {})


def expected_requests(ends: Sequence[int], attempts: int) -> int:
    """Return how many requests a repeatable call sends."""
    for number, end in enumerate([*ends, 200], 1):
        if number == attempts or (end not in FAULTS and end not in RETRIED_STATUSES):
            return number
    raise AssertionError


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(sorted(CALLS)),
    ends=st.lists(st.sampled_from([*FAULTS, *RETRIED_STATUSES, 404, 500, 502]), max_size=5),
    attempts=st.integers(1, 5),
)
def test_a_call_is_repeated_only_where_that_is_safe_and_helps(
    client_of: Any, name: str, ends: list[int], attempts: int
) -> None:
    args, answer = CALLS[name]
    gateway = Failing(ends, answer)
    expected = 1 if name == "viewer_token" else expected_requests(ends, attempts)
    call = client_of(gateway, retries=Retries(attempts=attempts, first_s=0.0))
    if [*ends, 200][expected - 1] == 200:
        call(name, *args)
    else:
        with pytest.raises(MarqueeError):
            call(name, *args)
    assert len(gateway.keys) == expected
    assert len(set(gateway.keys)) == 1  # all tries of a write have one key
    assert (gateway.keys[0] is not None) == (name == "rate")


@pytest.mark.parametrize(("fault", "kind"), [(0, NoAnswer), (1, NoAnswer), (2, TimedOut)])
def test_no_answer_is_an_exception_that_names_the_cause(
    client_of: Any, fault: int, kind: type[NoAnswer]
) -> None:
    with pytest.raises(kind) as caught:
        client_of(Failing([fault] * 3, GENRES), retries=AT_ONCE)("genres")
    assert caught.value.__cause__ is FAULTS[fault]


def test_two_writes_have_two_keys_unless_the_caller_names_one(client_of: Any) -> None:
    gateway = Failing([], RECEIPT)
    call = client_of(gateway)
    call("rate", 1, 2, 3.5)
    call("rate", 1, 2, 3.5)
    call("rate", 1, 2, 3.5, idempotency_key="mine")
    assert len(set(gateway.keys)) == 3
    assert gateway.keys[-1] == "mine"


def test_retry_after_is_waited_for(client_of: Any) -> None:
    answers = [
        httpx.Response(429, json={}, headers={"Retry-After": "1"}),
        httpx.Response(200, json=GENRES),
    ]
    began = time.monotonic()
    client_of(lambda _: answers.pop(0), retries=AT_ONCE)("genres")
    assert time.monotonic() - began >= 1.0


@pytest.mark.parametrize(("status", "kind"), [(429, RateLimited), (503, Unavailable)])
def test_a_wait_that_is_too_long_is_told_at_once(
    client_of: Any, status: int, kind: type[RateLimited | Unavailable]
) -> None:
    requests = []

    def refuse(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(status, json={}, headers={"Retry-After": "3600"})

    with pytest.raises(kind) as caught:
        client_of(refuse)("genres")
    assert caught.value.retry_after == 3600
    assert len(requests) == 1


SECONDS = st.floats(0, 1e6)


@given(
    st.builds(Retries, st.integers(1, 2000), SECONDS, SECONDS, SECONDS),
    st.integers(1, 2000),
    st.none() | SECONDS,
    SECONDS,
)
def test_a_pause_is_no_shorter_than_asked_for_and_ends_in_time(
    retries: Retries, failed: int, retry_after: float | None, elapsed: float
) -> None:
    pause = retries.pause(failed, retry_after, elapsed)
    asked = retry_after or 0.0
    limit = min(retries.longest_s, retries.first_s * 2.0 ** min(failed - 1, 1000))
    if pause is None:
        assert failed >= retries.attempts or elapsed + asked + limit > retries.total_s
    else:
        assert failed < retries.attempts
        assert asked <= pause <= asked + limit
        assert elapsed + pause <= retries.total_s


def test_pauses_differ() -> None:
    assert len({Retries().pause(1, None, 0.0) for _ in range(10)}) == 10


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"first_s": -1}, {"total_s": -0.1}])
def test_a_rule_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="attempts must be"):
        Retries(**wrong)


@given(st.integers(0, 10**6))
def test_retry_after_is_read_as_seconds_and_as_a_date(seconds: int) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert retry_after_s(str(seconds)) == seconds
    assert retry_after_s(format_datetime(now + timedelta(seconds=seconds), True), now) == seconds
    assert retry_after_s(format_datetime(now - timedelta(seconds=seconds), True), now) == 0


@given(st.none() | st.text())
def test_any_other_retry_after_says_nothing(text: str | None) -> None:
    assert retry_after_s(text) is None or (text is not None and any(map(str.isdigit, text)))
