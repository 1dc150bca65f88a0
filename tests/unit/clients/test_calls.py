"""Python's client: requests, answers, refusals, pages, and reads that follow writes."""

import json
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import marquee_client
from marquee_client import LAST_WRITE, Marquee, operations
from marquee_client.operation import Call
from marquee_client.write_tokens import WriteTokens

SENDER = httpx.Client(
    base_url="http://gateway/films", transport=httpx.MockTransport(lambda _: httpx.Response(500))
)
"""Builds requests alone."""
RECEIPT = {"event_id": "e", "token": "t-1", "accepted_at": "2026-01-01T00:00:00Z"}
LIST = {
    "recommendation_id": "r",
    "user_id": 42,
    "route": "a route of a later release",
    "reason": "",
    "route_reason": "",
    "evidence": {"ratings": 1, "positive": 1, "viewed": 0, "unknown": 0},
    "profile": "known",
    "degraded": False,
    "fallbacks": [],
    "model_version": "v",
    "fresh": True,
    "items": [],
    "next_cursor": None,
    "notes": [],
    "of_a_later_release": [1],
}


class Gateway:
    """Answers writes with receipts and reads with a list, and keeps the requests."""

    def __init__(self, *answers: httpx.Response) -> None:
        self.requests: list[httpx.Request] = []
        self.answers = list(answers)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.answers:
            return self.answers.pop(0)
        if request.url.path.endswith("/events"):
            counts = {"accepted": 1, "duplicates": 0, "rejected": 0}
            return httpx.Response(202, json=counts | {"token": "t-9", "items": []})
        is_read = request.method == "GET" or request.url.path.endswith("/recommendations")
        return httpx.Response(200, json=LIST if is_read else RECEIPT)

    @property
    def last(self) -> httpx.Request:
        return self.requests[-1]

    @property
    def after(self) -> str | None:
        return dict(self.last.url.params).get("after")


def test_a_call_has_address_key_and_options(client_of: Any) -> None:
    gateway = Gateway()
    call = client_of(gateway, key="secret")
    options = {"genres": ["Drama", "War"], "exclude": [1, "tt2"], "explain": True, "tag": None}
    answer = call("recommend", 42, k=3, **options)
    assert gateway.last.url.raw_path == (
        b"/films/v1/users/42/recommendations?k=3&genre=Drama&genre=War&exclude=1&exclude=tt2"
        b"&explain=true"
    )
    assert gateway.last.headers["Authorization"] == "Bearer secret"
    assert "Idempotency-Key" not in gateway.last.headers
    assert answer.route == "a route of a later release"
    assert answer.of_a_later_release == [1]


def test_a_session_sends_a_body_without_what_is_none(client_of: Any) -> None:
    gateway = Gateway()
    ratings = ({"movie_id": 318, "rating": 5},)
    client_of(gateway)("recommend_session", ratings=ratings, languages="fr", year_to=None)
    sent = {"ratings": [{"movie_id": 318, "rating": 5}], "languages": ["fr"]}
    assert json.loads(gateway.last.content) == sent


def test_none_clears_a_field_of_a_film(client_of: Any) -> None:
    gateway = Gateway()
    client_of(gateway)("update_movie", 7, year=None, reason="unknown")
    assert json.loads(gateway.last.content) == {"year": None}
    assert gateway.last.url.params["reason"] == "unknown"


@given(st.text(min_size=1) | st.text("./%?#", min_size=1))
def test_an_id_is_one_part_of_the_address(user_id: str) -> None:
    address = Call(operations.GET_USER, {"user_id": user_id}).address
    url = SENDER.build_request("GET", address).url
    begin, part = url.raw_path.decode().rsplit("/", 1)
    assert begin == "/films/v1/users"
    assert unquote(part) == user_id
    assert (url.query, url.fragment) == (b"", "")


@pytest.mark.parametrize("name", ["user", "movie", "unrate"])
def test_an_empty_id_is_refused_before_it_is_sent(client_of: Any, name: str) -> None:
    gateway = Gateway()
    with pytest.raises(ValueError, match="must not be empty"):
        client_of(gateway)(name, *(("", 1) if name == "unrate" else ("",)))
    assert gateway.requests == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "BadRequest"),
        (401, "Unauthorized"),
        (403, "Forbidden"),
        (404, "NotFound"),
        (409, "Conflict"),
        (414, "BadRequest"),
        (422, "InvalidInput"),
        (429, "RateLimited"),
        (500, "ServerFault"),
        (502, "ServerFault"),
        (503, "Unavailable"),
        (504, "Unavailable"),
    ],
)
def test_a_refusal_is_an_exception_with_all_that_it_says(
    client_of: Any, status: int, kind: str
) -> None:
    wrong = {"field": "k", "detail": "too large", "allowed": [1, 2]}
    problem = {"type": "/problems/c", "title": "T", "status": status, "code": "c"}
    document = problem | {"detail": "D", "errors": [wrong], "items": [3]}
    answer = httpx.Response(status, json=document, headers={"Retry-After": "600"})
    with pytest.raises(getattr(marquee_client, kind)) as caught:
        client_of(Gateway(answer))("movie", 1)
    error = caught.value
    assert isinstance(error, marquee_client.Refused)
    assert (error.status, error.code, error.title, error.detail) == (status, "c", "T", "D")
    assert [field.model_dump() for field in error.fields] == [wrong]
    assert (error.retry_after, error.document["items"]) == (600.0, [3])
    assert str(error) == f"{status} c: D; k: too large"


@pytest.mark.parametrize("body", ["<html>", "[1]", '{"detail": "Not Found"}', "\xff"])
def test_a_refusal_of_a_proxy_has_no_code(client_of: Any, body: str) -> None:
    gateway = Gateway(httpx.Response(404, content=body.encode("latin-1")))
    with pytest.raises(marquee_client.NotFound) as caught:
        client_of(gateway)("movie", 1)
    assert (caught.value.code, caught.value.fields) == ("", [])


@pytest.mark.parametrize(("status", "text"), [(200, "<html>"), (200, "{}"), (302, "")])
def test_an_answer_of_something_else_is_told(client_of: Any, status: int, text: str) -> None:
    with pytest.raises(marquee_client.UnreadableAnswer):
        client_of(Gateway(httpx.Response(status, text=text)))("movie", 1)


@pytest.mark.parametrize("url", ["gateway:8080", "ftp://gateway", "http://", ""])
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="must begin with http"):
        Marquee(url)


@pytest.mark.parametrize(("name", "args"), [("recommendation_pages", (42,)), ("session_pages", ())])
def test_pages_follow_the_cursor_with_the_same_options(
    client_of: Any, name: str, args: tuple[int, ...]
) -> None:
    pages = [httpx.Response(200, json=LIST | {"next_cursor": c}) for c in ("a", "b", None)]
    gateway = Gateway(*pages)
    found = client_of(gateway)(name, *args, genres=["Drama"], k=2)
    assert [page.next_cursor for page in found] == ["a", "b", None]
    if args:
        asked = [dict(request.url.params) for request in gateway.requests]
        same: dict[str, object] = {"genre": "Drama", "k": "2"}
    else:
        asked = [json.loads(request.content) for request in gateway.requests]
        same = {"genres": ["Drama"], "k": 2}
    assert asked == [same, same | {"cursor": "a"}, same | {"cursor": "b"}]


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("rate", (42, 1, 4.5)),
        ("unrate", (42, 1)),
        ("view", (42, 1)),
        ("dismiss", (42, 1)),
        ("restore", (42, 1)),
        ("add_to_watchlist", (42, 1)),
        ("remove_from_watchlist", (42, 1)),
    ],
)
def test_reads_of_a_viewer_follow_their_last_write(
    client_of: Any, name: str, args: tuple[Any, ...]
) -> None:
    gateway = Gateway()
    call = client_of(gateway)
    call(name, *args)
    assert gateway.last.headers["Idempotency-Key"]
    call("recommend", "42")  # the same viewer as 42
    assert gateway.after == "t-1"
    call("recommend", 42, after=LAST_WRITE)
    assert gateway.after == "t-1"
    call("recommend", 42, after="mine")
    assert gateway.after == "mine"
    call("recommend", 42, after=None)
    assert gateway.after is None
    call("recommend", 43)
    assert gateway.after is None


def test_reads_follow_events_that_name_the_viewer(client_of: Any) -> None:
    gateway = Gateway()
    call = client_of(gateway)
    call("publish", [{"type": "rating.added", "data": {"user_id": "x"}}, {"data": 3}, {}])
    call("recommend", "x")
    assert gateway.after == "t-9"


def test_a_client_can_be_told_to_remember_no_write(client_of: Any) -> None:
    gateway = Gateway()
    call = client_of(gateway, write_tokens=WriteTokens(0, 0))
    call("rate", 42, 1, 5)
    call("recommend", 42)
    assert gateway.after is None


def test_the_token_of_a_page_is_no_write(client_of: Any) -> None:
    token = {"token": "secret", "user_id": 42, "expires_at": "2026-01-01T00:00:00Z"}
    gateway = Gateway(httpx.Response(201, json=token))
    call = client_of(gateway)
    assert call("viewer_token", 42, seconds=60).token == "secret"
    assert "Idempotency-Key" not in gateway.last.headers
    call("recommend", 42)
    assert gateway.after is None


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(0, 4),
    st.integers(1, 5),
    st.lists(st.tuples(st.integers(1, 6), st.booleans(), st.integers(0, 3))),
)
def test_tokens_are_those_of_the_last_writers_for_a_while(
    viewers: int, seconds: int, steps: list[tuple[int, bool, int]]
) -> None:
    now = 0
    tokens = WriteTokens(viewers, seconds, lambda: now)
    written: dict[int, tuple[int, str]] = {}
    for number, (viewer, writes, passed) in enumerate(steps):
        now += passed
        if writes:
            tokens.remember(viewer, str(number))
            written.pop(viewer, None)
            written[viewer] = (now, str(number))
        else:
            newest = list(written)[-viewers:] if viewers else []
            at, token = written.get(viewer, (0, ""))
            expected = token if viewer in newest and now < at + seconds else None
            assert tokens.last(viewer) == expected
        assert len(tokens) <= viewers
