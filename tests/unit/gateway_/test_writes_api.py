"""Writes over hand-written parts: events, their token, and what refuses them."""

from typing import Any

import pytest

from gateway.state import consistency_token
from marquee.events.partitioning import partition_of
from marquee_testing.fakes.gateway_api import (
    ApiHarness,
    fields_of,
    problem_of,
)

Write = tuple[str, str, dict[str, Any] | None, str]
WRITES: list[Write] = [
    ("PUT", "/v1/users/1/ratings/2", {"rating": 4.5, "recommendation_id": "r"}, "rating.added"),
    ("DELETE", "/v1/users/1/ratings/2", None, "rating.removed"),
    ("POST", "/v1/users/1/views", {"movie_id": 2}, "movie.viewed"),
    ("PUT", "/v1/users/1/dismissed/2", None, "movie.dismissed"),
    ("DELETE", "/v1/users/1/dismissed/2", None, "movie.restored"),
    ("PUT", "/v1/users/1/watchlist/2?recommendation_id=r", None, "watchlist.added"),
    ("DELETE", "/v1/users/1/watchlist/2", None, "watchlist.removed"),
    ("DELETE", "/v1/users/1", None, "user.erased"),
    ("POST", "/v1/movies", {"title": "New", "genres": ["Crime"]}, "movie.added"),
    ("PATCH", "/v1/movies/2", {"title": "Other"}, "movie.updated"),
    ("DELETE", "/v1/movies/2", None, "movie.removed"),
]
RULES: list[Write] = [
    ("PUT", "/v1/movies/2/promotion", {"slots": [1], "from": "2026-01-01T00:00:00Z"}, "promoted"),
    ("DELETE", "/v1/movies/2/promotion?actor=ann", None, "unpromoted"),
    ("PUT", "/v1/movies/2/block", {"reason": "withdrawn"}, "blocked"),
    ("DELETE", "/v1/movies/2/block", None, "unblocked"),
]


@pytest.mark.parametrize(("method", "path", "body", "kind"), WRITES)
async def test_a_write_publishes_one_event_and_gives_a_token(api, method, path, body, kind):
    response = await api.client.request(method, path, json=body)
    assert response.status_code == 202, response.text
    [event] = api.publisher.events
    assert event.type == kind
    assert response.json()["event_id"] == event.id
    place = f"{event.topic}:{partition_of(event.key, 4)}"
    assert consistency_token.decode(response.json()["token"]) == {place: 1}


@pytest.mark.parametrize(("method", "path", "body", "kind"), RULES)
async def test_a_rule_is_acknowledged_when_it_is_stored(api, method, path, body, kind) -> None:
    response = await api.client.request(method, path, json=body)
    assert response.status_code == 200, response.text
    [event] = api.publisher.events
    assert event.type == f"movie.{kind}"
    assert api.live_view.awaited == [consistency_token.decode(response.json()["token"])]
    api.live_view.reached = False
    response = await api.client.request(method, path, json=body)
    assert response.status_code == 202


@pytest.mark.parametrize(("method", "path", "body", "_"), WRITES + RULES)
async def test_without_the_bus_a_write_is_refused_to_be_sent_again(api, method, path, body, _):
    api.publisher.down = True
    response = await api.client.request(method, path, json=body)
    problem_of(response, 503, "bus_unavailable")
    assert int(response.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/v1/users/1/ratings/99", {"rating": 4}),
        ("POST", "/v1/users/1/views", {"movie_id": 99}),
        ("PATCH", "/v1/movies/99", {}),
        ("DELETE", "/v1/movies/99", None),
        ("PUT", "/v1/movies/99/block", {}),
        ("PUT", "/v1/movies/99/promotion", {}),
        ("GET", "/v1/movies/99", None),
    ],
)
async def test_a_movie_that_does_not_exist_is_not_found(api, method, path, body) -> None:
    problem_of(await api.client.request(method, path, json=body), 404, "not_found")
    assert api.publisher.events == []


async def test_without_the_store_writes_are_taken_for_movies_that_cannot_be_looked_up(api):
    api.live_view.connected = False
    response = await api.client.put("/v1/users/1/ratings/99", json={"rating": 4})
    assert response.status_code == 202


async def test_a_movie_that_exists_is_not_added_again(api: ApiHarness) -> None:
    response = await api.client.post("/v1/movies", json={"movie_id": 2, "title": "Two"})
    problem_of(response, 409, "conflict")


async def test_a_promotion_ends_after_it_begins(api: ApiHarness) -> None:
    body = {"from": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}
    response = await api.client.put("/v1/movies/2/promotion", json=body)
    assert "until" in fields_of(response)


async def test_events_are_accepted_or_rejected_one_by_one(api: ApiHarness) -> None:
    rating = {"user_id": 1, "movie_id": 2, "rating": 4.0}
    events = [
        {"specversion": "1.0", "id": "a", "source": "t", "type": "rating.added", "data": rating},
        {"type": "rating.added", "data": rating | {"rating": 9}},
        {"type": "nothing"},
        {
            "type": "model.published",
            "data": {"name": "x", "version": "1", "address": "a", "sha256": "0" * 64},
        },
    ]
    response = await api.client.post("/v1/events", json={"events": events})
    assert response.status_code == 202
    body = response.json()
    assert (body["accepted"], body["rejected"]) == (1, 3)
    assert [item["status"] for item in body["items"]] == ["accepted", *["rejected"] * 3]
    assert all(item["detail"] for item in body["items"][1:])
    assert [event.id for event in api.publisher.events] == ["a"]
    assert consistency_token.decode(body["token"]) == {f"ratings:{partition_of(1, 4)}": 1}
