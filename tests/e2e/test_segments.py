"""Segments of a running system: the lists, what suits them, names, and promotions for one."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.timeout(1500)

KINDS = ("movies", "users")


def ids(answer: dict[str, Any]) -> list[int]:
    return [item["movie_id"] for item in answer["items"]]


@pytest.mark.parametrize("kind", KINDS)
def test_segments_have_names_sizes_and_typical_movies(system: Any, kind: str) -> None:
    answer = system.get(f"/v1/segments/{kind}")
    assert len(answer["items"]) >= 2
    assert len({one["name"] for one in answer["items"]}) == len(answer["items"])
    assert set(answer["choice"]["votes"]) >= {"elbow", "silhouette", "gap", "bic", "stability"}
    for one in answer["items"]:
        assert one["size"] >= (5 if kind == "users" else 1)
        assert all(movie["title"] for movie in one["typical"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_segment_has_a_list_of_its_own(system: Any, kind: str) -> None:
    first, second, *_ = system.get(f"/v1/segments/{kind}")["items"]
    lists = [
        ids(system.get(f"/v1/segments/{kind}/{one['id']}/recommendations", k=10))
        for one in (first, second)
    ]
    assert [len(movies) for movies in lists] == [10, 10]
    assert lists[0] != lists[1]


def test_a_segment_that_is_not_there_is_said_to_be_missing(system: Any) -> None:
    for path in ("/v1/segments/users/9999", "/v1/segments/movies/9999/recommendations"):
        assert system.client.get(path).status_code == 404
    assert system.client.get("/v1/segments/actors").status_code == 422


def segment(system: Any, user_id: int, **query: Any) -> int | None:
    found = system.get(f"/v1/users/{user_id}", **query)["segment"]
    return None if found is None else int(found)


def test_a_user_s_segment_follows_his_ratings(
    system: Any, new_user: int, wait_until: Callable[..., float]
) -> None:
    assert segment(system, new_user) is None
    first, second, *_ = system.get("/v1/segments/users")["items"]
    system.rate(new_user, {movie["movie_id"]: 5.0 for movie in first["typical"]})
    wait_until(lambda: segment(system, new_user) is not None)
    before = segment(system, new_user)
    others = [one for one in system.get("/v1/segments/users")["items"] if one["id"] != before]
    for movie in first["typical"]:
        system.send("DELETE", f"/v1/users/{new_user}/ratings/{movie['movie_id']}")
    liked = ids(system.get(f"/v1/segments/users/{others[0]['id']}/recommendations", k=60))
    system.rate(new_user, dict.fromkeys(liked, 5.0))
    wait_until(lambda: segment(system, new_user) not in (None, before))


def test_a_promotion_for_a_segment_appears_there_alone(
    system: Any, new_user: int, wait_until: Callable[..., float]
) -> None:
    known = system.get("/v1/segments/users")["items"]
    token = system.rate(new_user, {movie["movie_id"]: 5.0 for movie in known[0]["typical"]})
    wait_until(lambda: segment(system, new_user) is not None)
    own, movie = segment(system, new_user), 185029
    other = next(one["id"] for one in known if one["id"] != own)
    rule = f"/v1/movies/{movie}/promotion"
    try:
        system.send("PUT", rule, {"slots": [1], "segments": [own]})
        assert ids(system.recommend(new_user, after=token))[0] == movie
        assert ids(system.get(f"/v1/segments/users/{own}/recommendations"))[0] == movie
        assert movie not in ids(system.get(f"/v1/segments/users/{other}/recommendations"))
        assert movie not in ids(system.get("/v1/recommendations", k=20))
        system.send("PUT", rule, {"slots": [1], "segments": [other]})
        assert movie not in ids(system.recommend(new_user, k=20))
    finally:
        system.send("DELETE", rule)


@pytest.mark.parametrize("kind", KINDS)
def test_an_operator_names_a_segment_and_fixes_their_number(system: Any, kind: str) -> None:
    chosen = system.get(f"/v1/segments/{kind}")["items"][-1]["id"]
    system.send("PUT", f"/v1/segments/{kind}/{chosen}", {"name": "Sunday matinee"})
    named = system.get(f"/v1/segments/{kind}/{chosen}")
    assert (named["name"], named["named"]) == ("Sunday matinee", True)
    try:
        system.send("PUT", f"/v1/segments/{kind}", {"k": 6})
        assert system.get(f"/v1/segments/{kind}")["wanted"] == 6
    finally:
        system.send("PUT", f"/v1/segments/{kind}", {"k": None})
    assert system.get(f"/v1/segments/{kind}")["wanted"] is None


def test_inspect_shows_the_segment_that_ratings_put_a_user_in(system: Any) -> None:
    assert segment(system, 1) is not None
    assert f"segment  {segment(system, 1)}" in system.command("inspect", "user", "1")
