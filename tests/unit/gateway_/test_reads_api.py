"""Reads over hand-written parts: users, films, genres, likeness, predictions, rules, operations."""

import pytest

from gateway.catalogue.catalogue import Row
from gateway.state.rules import MovieRules, Rules
from gateway.upstream.models import Reply
from marquee.domain.movies import Movie
from marquee.domain.ratings import Ratings
from marquee.domain.recommendation import MoviesRequest
from marquee_testing.fakes.gateway_api import (
    ApiHarness,
    fields_of,
    movie_ids,
    problem_of,
)


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
