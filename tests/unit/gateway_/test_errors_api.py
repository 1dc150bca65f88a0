"""Errors over hand-written parts: each names the field and what mends it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.http.problem_codes import CODES
from marquee.limits import MAX_BODY_BYTES
from marquee_testing.fakes.gateway_api import (
    ApiHarness,
    fields_of,
    problem_of,
)


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
