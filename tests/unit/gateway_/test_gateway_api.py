"""The public API over hand-written parts: answers, errors, writes, scopes."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.routing import Mount

from gateway.app import create_app
from gateway.catalogue.catalogue import Row
from gateway.http.admission import OPEN_TO_ALL, Admission
from gateway.http.problem_codes import CODES
from gateway.http.route import StrictRoute
from gateway.http.scopes import SCOPES
from gateway.recommend.orchestrator import Orchestrator
from gateway.state import consistency_token
from gateway.state.rules import MovieRules, Rules
from gateway.upstream.models import Reply
from marquee.access.scopes import Scope
from marquee.domain.movies import Movie
from marquee.domain.ratings import Ratings
from marquee.domain.recommendation import MoviesRequest
from marquee.domain.routing import Thresholds
from marquee.errors import MarqueeError
from marquee.events.partitioning import partition_of
from marquee.limits import MAX_BODY_BYTES
from marquee_testing.fakes.gateway_api import (
    ApiHarness,
    client_of,
    fields_of,
    movie_ids,
    parts,
    problem_of,
)

# --- recommendations


async def test_anyone_gets_five_movies_and_is_told_why(api: ApiHarness) -> None:
    response = await api.get("/v1/recommendations")
    assert movie_ids(response) == [40, 39, 38, 37, 36]
    body = response.json()
    assert (body["route"], body["reason"]) == ("popular", "no rating, no viewed film")
    assert body["user_id"] is None
    assert body["recommendation_id"]
    assert response.headers["cache-control"] == "private, no-cache"


async def test_the_wish_for_broader_lists_reaches_the_service_by_every_call(
    api: ApiHarness,
) -> None:
    await api.get("/v1/recommendations?diversity=0.1")
    await api.get("/v1/users/7/recommendations?diversity=0.2")
    await api.client.post("/v1/recommendations", json={"diversity": 0.3})
    await api.get("/v1/users/7/recommendations")
    assert api.models.diversities == [0.1, 0.2, 0.3, 0.0]
    for wrong in ("1.5", "-0.1", "much"):
        response = await api.get(f"/v1/users/7/recommendations?diversity={wrong}")
        assert "diversity" in fields_of(response)


async def test_without_a_wish_the_setting_of_the_system_holds() -> None:
    context, live_view, _, models, _ = parts()
    orchestrator = Orchestrator(models, live_view.popular, Thresholds(), diversity=0.4)
    async with client_of(create_app(replace(context, orchestrator=orchestrator))) as client:
        await client.get("/v1/recommendations?viewed=1")
        await client.get("/v1/recommendations?viewed=1&diversity=0")
        await client.get("/v1/recommendations")  # the popular list is the same for all
        await client.get("/v1/recommendations?diversity=0.3")
    assert models.diversities == [0.4, 0.0, 0.0, 0.3]


async def test_genres_are_a_union_and_viewed_movies_change_the_route(api: ApiHarness) -> None:
    response = await api.get("/v1/recommendations?genre=Crime&viewed=39&viewed=37&k=2")
    assert movie_ids(response) == [35, 33]
    assert response.json()["route"] == "similar"
    both = await api.get("/v1/recommendations?genre=Crime&genre=Drama&k=2")
    assert movie_ids(both) == [40, 39]


@pytest.mark.parametrize(
    ("stars", "route"),
    [
        ([], "popular"),
        ([5] * 4, "hybrid"),
        ([5, 5, 4, 1, 1], "user-cluster"),
        ([5, 5, 3.5, 1, 1, 1], "hybrid"),
        ([5] * 20, "neural"),
    ],
)
async def test_a_session_is_routed_by_what_it_sends(api: ApiHarness, stars, route) -> None:
    ratings = [{"movie_id": i, "rating": s} for i, s in enumerate(stars, 1)]
    response = await api.client.post("/v1/recommendations", json={"ratings": ratings, "k": 3})
    assert len(movie_ids(response)) == 3
    assert response.json()["route"] == route


async def test_ratings_of_films_that_nobody_knows_are_no_evidence(api: ApiHarness) -> None:
    unknown = [{"movie_id": 1000 + i, "rating": 5} for i in range(20)]
    response = await api.client.post("/v1/recommendations", json={"ratings": unknown})
    body = response.json()
    assert (body["route"], body["evidence"]["ratings"]) == ("popular", 0)
    assert body["evidence"]["unknown"] == 20
    assert body["reason"] == "no rating, no viewed film, 20 films not in the catalogue"
    known = [{"movie_id": i, "rating": 5} for i in (1, 2, 3)]
    response = await api.client.post("/v1/recommendations", json={"ratings": unknown + known})
    body = response.json()
    assert (body["route"], body["evidence"]["ratings"]) == ("hybrid", 3)
    assert body["reason"] == (
        "3 ratings, 3 positive, 20 films not in the catalogue: fewer than 5 ratings"
    )


async def test_a_user_is_routed_by_ratings_of_known_films_and_all_are_counted(
    api: ApiHarness,
) -> None:
    api.profiles.facts[7] = Ratings({**dict.fromkeys(range(1000, 1020), 10), 1: 10}, {2000: None})
    body = (await api.get("/v1/users/7")).json()
    assert (body["ratings"], body["positive"], body["viewed"]) == (21, 21, 1)
    assert (body["route"], body["reason"]) == (
        "hybrid",
        "1 rating, 1 positive, 21 films not in the catalogue: fewer than 5 ratings",
    )
    seen_unknown = await api.get("/v1/recommendations?viewed=2000")
    assert seen_unknown.json()["route"] == "popular"


async def test_the_newest_thousand_ratings_of_a_session_count_and_it_is_said(
    api: ApiHarness,
) -> None:
    ratings = [{"movie_id": i, "rating": 5} for i in range(1, 1201)]
    response = await api.client.post("/v1/recommendations", json={"ratings": ratings[::-1]})
    assert movie_ids(response) == []  # the older ones are not recommended either
    body = response.json()
    assert body["notes"] == ["the newest 1,000 of 1,200 ratings count"]
    assert body["evidence"] == {"ratings": 40, "positive": 40, "viewed": 0, "unknown": 960}
    response = await api.client.post("/v1/recommendations", json={"ratings": ratings})
    assert movie_ids(response) == []
    assert response.json()["evidence"]["ratings"] == 0
    few = await api.client.post("/v1/recommendations", json={"ratings": ratings[:1000]})
    assert few.json()["notes"] == []


async def test_predictions_use_the_newest_thousand_ratings_of_a_session(api: ApiHarness) -> None:
    answer = {"items": [], "model_version": "n-1"}
    api.models.replies["neural"] = Reply(200, answer)
    ratings = [{"movie_id": i, "rating": 5} for i in range(1, 1201)]
    response = await api.client.post("/v1/predictions", json={"ratings": ratings, "movie_ids": [1]})
    assert response.json()["notes"] == ["the newest 1,000 of 1,200 ratings count"]
    [(_, call)] = api.models.calls
    assert call.body is not None
    assert [movie_id for movie_id, _ in call.body["ratings"]] == list(range(201, 1201))


@pytest.mark.usefixtures("every_rating")
async def test_where_every_rating_is_a_like_each_counts_for_the_route(
    api: ApiHarness,
) -> None:
    ratings = [{"movie_id": i, "rating": 1} for i in range(1, 6)]
    response = await api.client.post("/v1/recommendations", json={"ratings": ratings})
    body = response.json()
    assert (body["route"], body["evidence"]["positive"]) == ("user-cluster", 5)


async def test_a_users_list_leaves_out_what_he_knows_and_what_he_excludes(api: ApiHarness) -> None:
    api.profiles.facts[7] = Ratings({40: 10}, {39: None}, {38: None})
    response = await api.get("/v1/users/7/recommendations?k=2&exclude=37")
    assert movie_ids(response) == [36, 35]
    assert response.json()["evidence"] == {
        "ratings": 1,
        "positive": 1,
        "viewed": 1,
        "unknown": 0,
    }


async def test_an_unknown_user_is_a_new_one(api: ApiHarness) -> None:
    response = await api.get("/v1/users/999/recommendations")
    assert len(movie_ids(response)) == 10
    assert response.json()["route"] == "popular"


async def test_rules_hold_and_are_explained(api: ApiHarness) -> None:
    api.profiles.rules = Rules(
        {
            40: MovieRules.parse(b'{"promotion": null, "block": {"movie_id": 40, "reason": "r"}}'),
            2: MovieRules.parse(b'{"promotion": {"movie_id": 2, "slots": [2]}, "block": null}'),
        }
    )
    response = await api.get("/v1/users/1/recommendations?k=3&explain=true")
    assert movie_ids(response) == [39, 2, 38]
    assert [item["promoted"] for item in response.json()["items"]] == [False, True, False]
    explained = response.json()["explain"]
    assert [(r["movie_id"], r["rule"]) for r in explained["removed"]] == [(40, "blocked")]
    assert [(p["movie_id"], p["rank"]) for p in explained["placed"]] == [(2, 2)]
    assert "explain" not in (await api.get("/v1/users/1/recommendations")).json()


async def test_without_the_store_the_answer_says_so(api: ApiHarness) -> None:
    api.profiles.known = False
    body = (await api.get("/v1/users/1/recommendations")).json()
    assert (body["profile"], body["degraded"], body["fresh"]) == ("unavailable", True, False)


async def test_a_read_after_a_write_waits_for_the_users_partition_and_the_movies(api) -> None:
    mine = f"ratings:{partition_of(7, 4)}"
    other = f"ratings:{(partition_of(7, 4) + 1) % 4}"
    after = consistency_token.encode({mine: 3, other: 9, "movies:2": 5})
    fresh = await api.get(f"/v1/users/7/recommendations?after={after}")
    assert fresh.json()["fresh"] is True
    assert api.live_view.awaited == [{mine: 3, "movies:2": 5}]
    api.live_view.reached = False
    stale = await api.get(f"/v1/users/7/recommendations?after={after}&wait_ms=5")
    assert stale.json()["fresh"] is False
    assert api.live_view.waited == [1.0, 0.005]


# --- errors


@pytest.mark.parametrize(
    ("path", "name", "near"),
    [
        ("/v1/recommendations?genres=Crime", "genres", "genre"),
        ("/v1/users/1/recommendations?yearfrom=1990", "yearfrom", "year_from"),
        ("/v1/movies?q=heat", "q", None),
        ("/v1/genres?x=1", "x", None),
        ("/v1/users/1?aftr=1", "aftr", "after"),
    ],
)
async def test_an_unknown_parameter_is_an_error_that_names_the_nearest(api, path, name, near):
    error = fields_of(await api.get(path))[name]
    assert error["detail"] == "unknown parameter" + (f"; did you mean {near}?" if near else "")


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/recommendations?k=0", "k"),
        ("/v1/recommendations?k=101", "k"),
        ("/v1/recommendations?k=many", "k"),
        ("/v1/recommendations?viewed=a%20b", "viewed.0"),
        ("/v1/users/0/recommendations", "user_id"),
        ("/v1/users/9223372036854775808/recommendations", "user_id"),
        ("/v1/users/%D0%B0/recommendations", "user_id"),
        ("/v1/users/0", "user_id"),
        (f"/v1/users/{2**63}", "user_id"),
        ("/v1/users/1/recommendations?after=nonsense", "after"),
        ("/v1/users/1/recommendations?year_from=12", "year_from"),
        ("/v1/movies?cursor=nonsense", "cursor"),
        ("/v1/movies?limit=1000", "limit"),
    ],
)
async def test_a_wrong_value_is_an_error_that_names_the_field(api: ApiHarness, path, field) -> None:
    assert field in fields_of(await api.get(path))


async def test_a_wrong_genre_is_answered_with_the_genres(api: ApiHarness) -> None:
    error = fields_of(await api.get("/v1/recommendations?genre=Crimea"))["genre.0"]
    assert error["allowed"] == ["Crime", "Drama"]
    assert error["detail"].endswith("did you mean 'Crime'?")


@pytest.mark.parametrize("rating", [0, 0.3, 5.5, "5", True, None, "NaN"])
async def test_a_rating_is_half_a_star_to_five_in_half_stars(api: ApiHarness, rating: Any) -> None:
    response = await api.client.put("/v1/users/1/ratings/2", json={"rating": rating})
    assert "rating" in fields_of(response)
    assert api.publisher.events == []


async def test_all_that_is_wrong_in_path_and_query_is_named_at_once(api: ApiHarness) -> None:
    response = await api.get(
        "/v1/users/0/recommendations?k=0&genre=Crime&genre=%00&exclude=2&exclude=-1&year_to=soon"
    )
    errors = fields_of(response)
    assert set(errors) == {"user_id", "k", "genre.1", "exclude.1", "year_to"}


async def test_the_allowed_ratings_are_named(api: ApiHarness) -> None:
    response = await api.client.put("/v1/users/1/ratings/2", json={"rating": 6})
    assert fields_of(response)["rating"]["allowed"] == [n / 2 for n in range(1, 11)]


async def test_an_unknown_field_is_an_error_that_names_the_nearest(api: ApiHarness) -> None:
    response = await api.client.put("/v1/users/1/ratings/2", json={"rating": 4, "ratng": 4})
    assert fields_of(response)["ratng"]["detail"] == "unknown field; did you mean rating?"
    nested = {"ratings": [{"movie_id": 1, "stars": 4}]}
    response = await api.client.post("/v1/recommendations", json=nested)
    assert "ratings.0.stars" in fields_of(response)


@pytest.mark.parametrize("content", [b"{", b"", b"[]", b"\xff"])
async def test_a_body_that_cannot_be_read_is_a_problem(api: ApiHarness, content: bytes) -> None:
    headers = {"content-type": "application/json"}
    response = await api.client.put("/v1/users/1/ratings/2", content=content, headers=headers)
    assert response.status_code in (400, 422)
    assert response.json()["code"] in ("unreadable_body", "invalid_input")


async def test_a_body_beyond_the_limit_is_refused(api: ApiHarness) -> None:
    content = b'{"events": [' + b" " * MAX_BODY_BYTES + b"]}"
    headers = {"content-type": "application/json"}
    response = await api.client.post("/v1/events", content=content, headers=headers)
    problem_of(response, 413, "too_large")

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 100_000):
            yield content[start : start + 100_000]

    response = await api.client.post("/v1/events", content=chunks(), headers=headers)
    problem_of(response, 413, "too_large")


async def test_addresses_and_methods_that_do_not_exist_are_problems(api: ApiHarness) -> None:
    problem_of(await api.get("/v1/nothing"), 404, "not_found")
    response = await api.client.post("/v1/genres")
    problem_of(response, 405, "method_not_allowed")


async def test_a_fault_of_ours_is_reported_without_its_details(api: ApiHarness) -> None:
    api.app.state.context = None
    body = problem_of(await api.get("/v1/genres"), 500, "internal")
    assert body["detail"] == CODES["internal"][2]


async def test_every_code_has_an_address_that_explains_it(api: ApiHarness) -> None:
    for code in CODES:
        assert (await api.get(f"/problems/{code}")).json()["code"] == code
    problem_of(await api.get("/problems/none"), 404, "not_found")


# --- writes


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


# --- reads


async def test_what_is_known_of_a_user(api: ApiHarness) -> None:
    api.profiles.facts[7] = Ratings({1: 10, 2: 4}, {3: None}, {4: None})
    features = {"user_id": 7, "cluster": 3, "segment": None, "model_version": "v1"}
    api.models.replies["user-model"] = Reply(200, features)
    body = (await api.get("/v1/users/7")).json()
    assert body == {
        "user_id": 7,
        "ratings": 2,
        "positive": 1,
        "viewed": 1,
        "dismissed": 1,
        "watchlist": 0,
        "route": "hybrid",
        "reason": "2 ratings, 1 positive: fewer than 5 ratings",
        "cluster": 3,
        "segment": None,
        "model_version": "v1",
        "profile": "known",
        "fresh": True,
        "degraded": False,
    }


async def test_ratings_are_listed_newest_first_in_pages(api: ApiHarness) -> None:
    api.profiles.facts[7] = Ratings({1: 10, 2: 4, 99: 1})
    first = (await api.get("/v1/users/7/ratings?limit=2")).json()
    assert [(i["movie_id"], i["rating"], i["title"]) for i in first["items"]] == [
        (99, 0.5, None),
        (2, 2.0, "Film 2"),
    ]
    second = (await api.get(f"/v1/users/7/ratings?cursor={first['next_cursor']}")).json()
    assert [i["movie_id"] for i in second["items"]] == [1]
    assert second["next_cursor"] is None


async def test_movies_are_listed_in_pages_that_neither_repeat_nor_skip(api: ApiHarness) -> None:
    listed_ids, path = [], "/v1/movies?limit=7&genre=Crime"
    while path:
        body = (await api.get(path)).json()
        listed_ids += [item["movie_id"] for item in body["items"]]
        cursor = body["next_cursor"]
        path = f"/v1/movies?limit=7&genre=Crime&cursor={cursor}" if cursor else ""
    assert listed_ids == list(range(1, 41, 2))


async def test_movies_are_found_by_title(api: ApiHarness) -> None:
    assert movie_ids(await api.get("/v1/movies?query=FILM%204&limit=3")) == [4, 40]


async def test_a_users_list_can_be_of_one_tag(api: ApiHarness) -> None:
    api.live_view.catalogue.put(Row.of(Movie(movie_id=50, title="T", tags={"Heist": 0.9})))
    path = "/v1/users/1/recommendations"
    assert movie_ids(await api.client.get(path, params={"tag": "heist"})) == [50]
    unknown = await api.client.get(path, params={"tag": "no such tag"})
    assert movie_ids(unknown) == []
    assert "no film is known to carry the tag 'no such tag'" in unknown.json()["reason"]


async def test_a_movie_is_shown_with_its_tags(api: ApiHarness) -> None:
    api.live_view.catalogue.put(Row.of(Movie(movie_id=50, title="T", tags={"a": 0.1, "b": 0.9})))
    body = (await api.get("/v1/movies/50")).json()
    assert list(body["tags"]) == ["b", "a"]
    assert (body["ratings"], body["positive"], body["mean_rating"]) == (0, 0, 3.5)


async def test_genres_are_listed_with_their_movies(api: ApiHarness) -> None:
    items = (await api.get("/v1/genres")).json()["items"]
    assert items == [{"name": "Crime", "films": 20}, {"name": "Drama", "films": 20}]


async def test_a_rule_that_the_gateway_itself_has_not_read_yet_is_not_said_to_hold(
    api: ApiHarness,
) -> None:
    path = "/v1/movies/2/block"
    assert (await api.client.put(path, json={})).status_code == 200
    api.profiles.known = False
    assert (await api.client.put(path, json={})).status_code == 202


async def test_similar_movies_come_from_content_without_blocked_ones(api: ApiHarness) -> None:
    api.profiles.rules = Rules({5: MovieRules.parse(b'{"block": {"movie_id": 5}}')})
    items = [{"movie_id": i, "score": 1.0, "reason": "similar_to_viewed"} for i in (5, 6, 7)]
    api.models.replies["content"] = Reply(200, {"items": items, "model_version": "v1"})
    response = await api.get("/v1/movies/2/similar?k=2")
    assert movie_ids(response) == [6, 7]
    assert api.models.calls[0][1].path == "/internal/films/2/similar?k=8"
    assert response.json()["degraded"] is False


async def test_content_is_told_the_filters_and_they_hold_for_what_it_sends(
    api: ApiHarness,
) -> None:
    items = [{"movie_id": i, "score": 1.0, "reason": "similar_to_viewed"} for i in (5, 6, 7, 8)]
    api.models.replies["content"] = Reply(200, {"items": items, "model_version": "v1"})
    wanted = (await api.get("/v1/movies/6")).json()["genres"][0]
    response = await api.get(f"/v1/movies/2/similar?k=1&genre={wanted}&year_from=1900")
    [item] = response.json()["items"]
    assert wanted in item["genres"]
    service, call = api.models.calls[0]
    assert (service, call.method, call.path) == ("content", "POST", "/internal/films/2/similar")
    assert MoviesRequest(**call.body) == MoviesRequest(k=6, genres=(wanted,), year_from=1900)
    unknown = await api.get("/v1/movies/2/similar?genre=Noir&language=english")
    assert set(fields_of(unknown)) == {"language.0"}
    assert set(fields_of(await api.get("/v1/movies/2/similar?genre=Noirish"))) == {"genre.0"}


async def test_movies_of_the_same_genres_come_first_where_content_does_not_answer(
    api: ApiHarness,
) -> None:
    genres = set((await api.get("/v1/movies/2")).json()["genres"])
    items = (await api.get("/v1/movies/2/similar?k=39")).json()["items"]
    assert len(items) == 39
    is_alike = [bool(genres & set(item["genres"])) for item in items]
    assert is_alike == sorted(is_alike, reverse=True)


FILM_LISTS = [
    ("get", "/v1/movies"), ("get", "/v1/movies/{movie_id}/similar"),
    ("get", "/v1/recommendations"), ("get", "/v1/users/{user_id}/recommendations"),
    ("get", "/v1/users/{user_id}/ratings"), ("get", "/v1/users/{user_id}/watchlist"),
    ("get", "/v1/users/{user_id}/shelves"), ("get", "/v1/users/{user_id}/recommendations/changes"),
    ("get", "/v1/segments/{kind}/{segment_id}/recommendations"),
]  # fmt: skip
PARAMETERS = {
    "genre", "genre_not", "year_from", "year_to", "tag", "runtime_max", "language", "certificate",
}  # fmt: skip


async def test_every_list_of_films_takes_the_same_filters(api: ApiHarness) -> None:
    schema = (await api.get("/openapi.json")).json()
    filters = {}
    for path, calls in schema["paths"].items():
        for method, call in calls.items():
            named = {p["name"]: p["schema"] for p in call.get("parameters", ())}
            if found := {name: named[name] for name in PARAMETERS & named.keys()}:
                filters[method, path] = found
    assert sorted(filters) == sorted(FILM_LISTS)
    [first, *others] = filters.values()
    assert first.keys() == PARAMETERS
    assert all(other == first for other in others)
    plurals = {"genre": "genres", "genre_not": "genres_not", "language": "languages",
               "certificate": "certificates"}  # fmt: skip
    for body in ("SessionBody", "BatchBody", "TogetherBody"):
        fields = schema["components"]["schemas"][body]["properties"]
        for name, of_query in first.items():
            of_body = fields[plurals.get(name, name)]
            assert {**of_body, "title": ""} == {**of_query, "title": ""}


async def test_without_content_the_movies_like_another_are_popular_ones_of_its_genres(
    api: ApiHarness,
) -> None:
    api.profiles.rules = Rules({4: MovieRules.parse(b'{"block": {"movie_id": 4}}')})
    genres = set((await api.get("/v1/movies/2")).json()["genres"])
    response = await api.get("/v1/movies/2/similar?k=5")
    shown = response.json()
    assert (shown["degraded"], shown["model_version"]) == (True, "gateway")
    assert shown["fallbacks"] == [{"route": "similar", "why": "content cannot be reached"}]
    assert len(shown["items"]) == 5
    assert not {2, 4} & set(movie_ids(response))
    assert all(genres & set(item["genres"]) for item in shown["items"])


async def test_predictions_come_from_the_network_or_else_are_the_movies_mean(
    api: ApiHarness,
) -> None:
    item = {"movie_id": 2, "rating": 4.2, "confidence": 0.5}
    api.models.replies["neural"] = Reply(200, {"items": [item], "model_version": "v1"})
    api.profiles.facts[7] = Ratings({1: 9})
    body = {"user_id": 7, "movie_ids": [2, 3, 99]}
    answer = (await api.client.post("/v1/predictions", json=body)).json()
    assert answer["items"] == [
        item,
        {"movie_id": 3, "rating": 3.5, "confidence": 0.0},
        {"movie_id": 99, "rating": None, "confidence": 0.0},
    ]
    assert api.models.calls[0][1].body["ratings"] == [(1, 4.5)]
    api.models.replies.clear()
    answer = (await api.client.post("/v1/predictions", json=body)).json()
    assert answer["degraded"] is True


@pytest.mark.parametrize("body", [{}, {"user_id": 1, "ratings": []}])
async def test_a_prediction_needs_either_a_user_or_ratings(api: ApiHarness, body) -> None:
    response = await api.client.post("/v1/predictions", json=body | {"movie_ids": [1]})
    assert "user_id" in fields_of(response)


async def test_rules_are_listed_with_who_and_when(api: ApiHarness) -> None:
    row = b'{"block": {"movie_id": 5, "actor": "ann", "at": "2026-01-01", "until": null}}'
    api.profiles.rules = Rules({5: MovieRules.parse(row)})
    body = (await api.get("/v1/blocks")).json()
    assert [(i["movie_id"], i["title"], i["actor"], i["at"]) for i in body["items"]] == [
        (5, "Film 5", "ann", "2026-01-01")
    ]
    assert (await api.get("/v1/promotions")).json()["items"] == []
    api.profiles.known = False
    problem_of(await api.get("/v1/blocks"), 503, "store_unavailable")


@pytest.mark.parametrize(
    ("method", "path", "internal"),
    [
        ("GET", "/v1/models", "/internal/models"),
        ("POST", "/v1/trainings", "/internal/trainings"),
        ("GET", "/v1/trainings", "/internal/trainings"),
        ("GET", "/v1/trainings/t1", "/internal/trainings/t1"),
    ],
)
async def test_operators_calls_are_the_trainers(api, method, path, internal) -> None:
    problem_of(await api.client.request(method, path), 503, "unavailable")
    api.models.replies["trainer"] = Reply(202, {"id": "t1"})
    response = await api.client.request(method, path)
    assert (response.status_code, response.json()) == (202, {"id": "t1"})
    assert api.models.calls[-1][1].path == internal
    api.models.replies["trainer"] = Reply(404, {"code": "not_found", "detail": "no"})
    assert problem_of(await api.client.request(method, path), 404, "not_found")["detail"] == "no"


async def test_a_rollback_names_the_model_and_the_version(api: ApiHarness) -> None:
    api.models.replies["trainer"] = Reply(202, {})
    response = await api.client.post("/v1/models/content/rollback", json={"version": "v1"})
    assert response.status_code == 202
    *_, (_, call) = api.models.calls
    assert (call.path, call.body) == ("/internal/models/content/rollback", {"version": "v1"})


# --- health, description, page


async def test_health_is_live_and_ready_even_without_the_store(api: ApiHarness) -> None:
    assert (await api.get("/health/live")).json() == {"live": True}
    api.live_view.connected = False
    ready = await api.get("/health/ready")
    assert (ready.status_code, ready.json()["degraded"]) == (200, True)


async def test_without_a_film_the_gateway_is_alive_and_not_ready(api: ApiHarness) -> None:
    api.live_view.catalogue.replace([])
    ready = await api.get("/health/ready")
    assert (ready.status_code, ready.json()["ready"]) == (503, False)
    assert (await api.get("/health/live")).status_code == 200


async def test_measures_count_requests_by_route(api: ApiHarness) -> None:
    await api.get("/v1/users/1/recommendations")
    text = (await api.get("/metrics")).text
    assert 'marquee_requests_total{path="/v1/users/{user_id}/recommendations",status="200"}' in text


async def test_the_description_names_every_call(api: ApiHarness) -> None:
    schema = (await api.get("/openapi.json")).json()
    named = {call["operationId"] for path in schema["paths"].values() for call in path.values()}
    assert named <= set(SCOPES)
    assert len(named) > 25


async def test_the_api_page_loads_existing_files_of_its_own_host_alone(api: ApiHarness) -> None:
    page = await api.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    files = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert {"docs/static/swagger-ui-bundle.js", "docs/static/docs.js"} <= set(files)
    for path in files:
        found = path == "data:," or await api.client.get(page.url.join(path))
        assert found is True or found.status_code == 200, path
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page.text)


async def test_the_files_of_the_api_page_are_revalidated_and_no_others_are_served(
    api: ApiHarness,
) -> None:
    script = await api.get("/docs/static/swagger-ui-bundle.js")
    assert script.headers["cache-control"] == "no-cache"
    known = {"If-None-Match": script.headers["etag"]}
    again = await api.client.get("/docs/static/swagger-ui-bundle.js", headers=known)
    assert again.status_code == 304
    assert (await api.get("/docs/static/../docs.py")).status_code == 404


async def test_responses_are_safe_to_show_in_a_browser(api: ApiHarness) -> None:
    headers = (await api.get("/v1/genres")).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'self'" in headers["content-security-policy"]


async def test_the_page_is_served_where_its_folder_is_set(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<title>page</title>")
    (tmp_path / "app.js").write_text("1")
    app = create_app(parts(tmp_path)[0])
    async with client_of(app) as client:
        assert "page" in (await client.get("/")).text
        script = await client.get("/static/app.js")
        assert (script.text, script.headers["cache-control"]) == ("1", "no-cache")
        assert (await client.get("/static/../secret")).status_code == 404


# --- scopes


def test_every_route_has_a_scope_and_every_scope_a_route(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("")
    app = create_app(parts(tmp_path)[0])
    named = set()
    for route in app.routes:
        assert isinstance(route, StrictRoute | Mount), route
        if isinstance(route, APIRoute):
            assert isinstance(route.scope_needed, Scope)
        named.add(route.name)
    assert named == set(SCOPES)


def test_writes_need_more_than_the_scope_to_read() -> None:
    app = create_app(parts()[0])
    asking = {"recommend_session", "recommend_batch", "recommend_together", "predict"}
    for route in app.routes:
        if isinstance(route, StrictRoute) and not (route.methods or set()) <= {"GET", "HEAD"}:
            assert (SCOPES[route.name] is Scope.READ) == (route.name in asking)
            assert SCOPES[route.name] is not Scope.OPEN


async def test_a_caller_without_the_scope_is_refused_before_anything_is_done() -> None:
    class Forbidden(MarqueeError):
        status, code = 403, "forbidden"

    async def only_read(_: Request, scope: Scope) -> Admission:
        if scope is not Scope.READ:
            raise Forbidden(f"the scope {scope} is needed")
        return OPEN_TO_ALL

    context, *_, publisher = parts()
    async with client_of(create_app(context, allow=only_read)) as client:
        problem_of(await client.delete("/v1/users/1"), 403, "forbidden")
        assert publisher.events == []
        assert (await client.get("/v1/genres")).status_code == 200
        assert (await client.get("/health/live")).status_code == 200
