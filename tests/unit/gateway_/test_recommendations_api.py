"""Recommendations over hand-written parts: to anyone, to a session, to a user, and why."""

from dataclasses import replace

import pytest

from gateway.app import create_app
from gateway.recommend.orchestrator import Orchestrator
from gateway.state import consistency_token
from gateway.state.rules import MovieRules, Rules
from gateway.upstream.models import Reply
from marquee.domain.ratings import Ratings
from marquee.domain.routing import Thresholds
from marquee.events.partitioning import partition_of
from marquee_testing.fakes.gateway_api import (
    ApiHarness,
    client_of,
    fields_of,
    movie_ids,
    parts,
)


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
