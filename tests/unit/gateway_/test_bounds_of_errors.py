"""Requests with thousands of faults: the first ones are told, and nothing waits for the rest."""

from typing import Any

import orjson
import pytest

from gateway.http.problem_details import MAX_TOLD
from gateway.http.shown_cursor import MAX_SHOWN, cursor_of, list_digest, shown_of
from gateway.state.rules import MovieRules, Rules
from marquee.errors import InvalidInput
from marquee_testing.fakes.gateway_api import ApiHarness

BODIES: list[tuple[str, dict[str, Any]]] = [
    ("/v1/recommendations", {"viewed": [0] * 9_000}),
    ("/v1/recommendations", {"ratings": [{"movie_id": 0, "rating": 9}] * 4_000}),
    ("/v1/recommendations", {"viewed": [1] * 10_001}),
    ("/v1/predictions", {"movie_ids": [1], "ratings": [{}] * 9_000}),
]


@pytest.mark.parametrize(("path", "body"), BODIES)
async def test_of_many_faults_of_a_body_the_first_are_told(
    api: ApiHarness, path: str, body: dict[str, Any]
) -> None:
    response = await api.client.post(path, json=body)
    assert response.status_code == 422
    assert 1 <= len(response.json()["errors"]) <= MAX_TOLD
    assert len(response.content) < 20_000


async def test_of_many_unknown_parameters_the_first_are_told(api: ApiHarness) -> None:
    query = "&".join(f"aa{n}" for n in range(1_000))
    response = await api.get(f"/v1/recommendations?{query}")
    assert response.status_code == 422
    assert len(response.json()["errors"]) == MAX_TOLD


@pytest.mark.parametrize(
    "ids", [[2**63], [2**64 + 5], [1, 2**63 + 5], list(range(1, MAX_SHOWN + 2))]
)
def test_a_cursor_that_no_page_can_have_given_is_refused(ids: list[int]) -> None:
    digest = list_digest("viewer", 7)
    with pytest.raises(InvalidInput, match="not a cursor"):
        shown_of(cursor_of(ids, digest), digest)
    kept = [-(2**63), 1, 2**63 - 1]
    assert shown_of(cursor_of(kept, digest), digest) == set(kept)


async def test_an_explanation_names_no_curator_and_no_reason_of_theirs(api: ApiHarness) -> None:
    free = (await api.get("/v1/recommendations?k=5")).json()["items"]
    first, last = free[0]["movie_id"], free[-1]["movie_id"]
    block = {"block": {"movie_id": first, "actor": "ann@desk", "reason": "lawyers"}}
    promotion = {"promotion": {"movie_id": last, "actor": "bob@desk", "reason": "contract"}}
    rules = {first: block, last: promotion}
    api.profiles.rules = Rules({i: MovieRules.parse(orjson.dumps(r)) for i, r in rules.items()})
    text = (await api.get("/v1/recommendations?explain=true&k=5")).text
    assert '"blocked"' in text
    assert '"promoted"' in text
    assert [word for word in ("ann@desk", "bob@desk", "lawyers", "contract") if word in text] == []
