"""Entity tags: they hold while nothing visible changes, and 304 answers who has them."""

import copy
import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.docs import openapi_document
from gateway.http.scopes import SCOPES
from gateway.http.web.validators import CACHE_CONTROL, entity_tag, has_tag
from marquee.access.scopes import GRANTED, Scope
from marquee.domain.ratings import Ratings
from marquee_testing.fakes.gateway_api import ApiHarness
from marquee_testing.fakes.keyed_api import CALLS, Harness

LISTS = {
    "/v1/recommendations?k=3",
    "/v1/users/7/recommendations?k=3",
    "/v1/movies?limit=3",
    "/v1/movies/1",
    "/v1/movies/1/similar",
    "/v1/genres",
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@pytest.mark.parametrize("path", sorted(LISTS))
async def test_a_list_that_did_not_change_is_not_sent_again(api: ApiHarness, path: str) -> None:
    first = await api.get(path)
    tag = first.headers["etag"]
    again = await api.client.get(path, headers={"If-None-Match": f'"other", {tag}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == tag
    assert first.headers["cache-control"] == again.headers["cache-control"] == CACHE_CONTROL
    other = await api.client.get(path, headers={"If-None-Match": 'W/"other"'})
    assert other.status_code == 200
    assert other.headers["etag"] == tag


async def test_a_rating_changes_the_tag_of_the_list_and_another_answer_does_not(
    api: ApiHarness,
) -> None:
    path = "/v1/users/7/recommendations"
    first, second = await api.get(path), await api.get(path)
    assert first.json()["recommendation_id"] != second.json()["recommendation_id"]
    assert first.headers["etag"] == second.headers["etag"]
    api.profiles.facts[7] = Ratings({40: 10})
    third = await api.client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert third.status_code == 200
    assert third.headers["etag"] != first.headers["etag"]


async def test_a_blocked_film_or_another_title_changes_the_tag(api: ApiHarness) -> None:
    before = (await api.get("/v1/movies?limit=3")).headers["etag"]
    api.live_view.catalogue.remove(1)
    api.live_view.popular.update(1)
    assert (await api.get("/v1/movies?limit=3")).headers["etag"] != before


async def test_no_answer_of_any_call_may_be_kept_unless_it_has_a_tag() -> None:
    harness = Harness()
    key = await harness.key(*GRANTED)
    document = openapi_document(harness.app)
    tagged = {
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
        if "304" in operation["responses"]
    }
    reads = {name for name in CALLS if SCOPES[name] is Scope.READ and CALLS[name][0] == "GET"}
    assert tagged >= reads - {"export_user"}
    tagged -= {"follow_user"}  # waits for a change: the tag is for the next call alone
    for operation in CALLS:
        method, path = CALLS[operation]
        headers = {"Authorization": f"Bearer {key}"}
        response = await harness.client.request(method, path, headers=headers)
        told = response.headers["cache-control"]
        if operation in tagged and response.status_code == 200:
            assert (told, response.headers["etag"][:3]) == (CACHE_CONTROL, 'W/"')
            again = headers | {"If-None-Match": response.headers["etag"]}
            answer = await harness.client.request(method, path, headers=again)
            assert answer.status_code == 304, operation
        elif operation != "openapi":
            assert told in {"no-store", "no-cache"}, operation


def _places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner: list[tuple[Any, ...]] = []
    if isinstance(value, dict):
        inner = [p for name in value for p in _places(value[name], (*at, name))]
    elif isinstance(value, list):
        inner = [p for i in range(len(value)) for p in _places(value[i], (*at, i))]
    else:
        inner = [at]
    return inner


async def test_whatever_else_changes_in_a_list_changes_its_tag(api: ApiHarness) -> None:
    api.profiles.facts[7] = Ratings({40: 10, 39: 8})
    document = (await api.get("/v1/users/7/recommendations?k=3&explain=true")).json()
    tag = entity_tag(orjson.dumps(document))
    places = _places(document)
    assert len(places) > 30
    for place in places:
        changed = copy.deepcopy(document)
        inner = changed
        for part in place[:-1]:
            inner = inner[part]
        inner[place[-1]] = "another value"
        is_same = entity_tag(orjson.dumps(changed)) == tag
        assert is_same == (place == ("recommendation_id",)), place


@given(value=JSON, ids=st.tuples(st.text("abc-_", min_size=1), st.text("abc-_", min_size=1)))
def test_only_the_id_of_the_answer_may_differ(value: Any, ids: tuple[str, str]) -> None:
    bodies = [orjson.dumps({"recommendation_id": i, "items": value}) for i in ids]
    assert len(set(map(entity_tag, bodies))) == 1
    other = orjson.dumps({"recommendation_id": ids[0], "items": [value, 1]})
    assert entity_tag(other) not in map(entity_tag, bodies)


@given(text=st.text())
def test_a_value_that_looks_like_the_id_is_no_id(text: str) -> None:
    spoof = json.dumps({"recommendation_id": text})
    one, two = ({"title": spoof + end} for end in ("1", "2"))
    assert entity_tag(orjson.dumps(one)) != entity_tag(orjson.dumps(two))


@given(tags=st.lists(st.text(st.characters(codec="ascii", exclude_characters='"')), min_size=1))
def test_any_of_the_named_tags_is_compared_weakly(tags: list[str]) -> None:
    header = ", ".join(f'W/"{tag}"' if i % 2 else f'"{tag}"' for i, tag in enumerate(tags))
    assert all(has_tag(header, f'W/"{tag}"') for tag in tags)
    assert not has_tag(header, f'W/"{"x" * 200}"')
    assert has_tag(" * ", 'W/"any"')
