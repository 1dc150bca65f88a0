"""What a refused body says: the field as it was sent, and nothing of the reader."""

import pytest

from gateway.app import create_app
from marquee_testing.fakes.gateway_api import client_of, parts


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"title": ""}, "title"),
        ({"genres": [""]}, "genres.0"),
        ({"tags": {"a": True}}, "tags.a"),
        ({"runtime": "90"}, "runtime"),
        ({"links": {"imdb": "x"}}, "links.imdb"),
    ],
)
async def test_the_place_is_that_of_the_body(body: dict[str, object], field: str) -> None:
    async with client_of(create_app(parts()[0])) as client:
        problem = (await client.patch("/v1/movies/1", json=body)).json()
    assert (problem["status"], [error["field"] for error in problem["errors"]]) == (422, [field])
    assert "lax" not in str(problem)


async def test_a_token_lasts_a_number_of_seconds_and_no_text() -> None:
    async with client_of(create_app(parts()[0])) as client:
        problem = (await client.post("/v1/users/7/tokens", json={"seconds": "900"})).json()
    assert (problem["status"], problem["errors"][0]["field"]) == (422, "seconds")
