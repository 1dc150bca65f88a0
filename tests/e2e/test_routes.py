"""The routing table, seen from outside on real data."""

import csv
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.timeout(1500)

DATA = Path(__file__).resolve().parents[2] / "data" / "ml-latest-small.zip"
LIKED = [1, 260, 318, 356, 296, 2571, 593, 480, 527, 110]
OTHERS = [2, 10, 32, 34, 39, 47, 50, 62, 70, 95, 104, 111, 141, 150, 153, 160, 161, 165, 172, 185]


def rows(name: str) -> list[dict[str, str]]:
    with zipfile.ZipFile(DATA) as archive:
        path = next(member for member in archive.namelist() if member.endswith(name))
        return list(csv.DictReader(io.StringIO(archive.read(path).decode())))


def ids(answer: dict[str, Any]) -> list[int]:
    return [item["movie_id"] for item in answer["items"]]


def test_viewed_movies_lead_to_similar_ones(system: Any) -> None:
    answer = system.get("/v1/recommendations", viewed=[1, 3114, 4886], k=10)
    assert (answer["route"], len(answer["items"])) == ("similar", 10)
    assert not {1, 3114, 4886} & set(ids(answer))
    assert any("Animation" in item["genres"] for item in answer["items"])


@pytest.mark.parametrize(
    ("n_liked", "n_other", "route"),
    [(1, 0, "hybrid"), (4, 0, "hybrid"), (3, 2, "user-cluster"), (2, 4, "hybrid")],
)
def test_a_session_with_ratings_goes_by_their_number_and_the_positive_ones(
    system: Any, n_liked: int, n_other: int, route: str
) -> None:
    check_session(system, n_liked, n_other, route)


def test_movies_like_one_are_within_the_filters_and_full(system: Any) -> None:
    query = {"genre": ["Animation"], "genre_not": ["Comedy"], "year_to": 1999, "k": 12}
    answer = system.get("/v1/movies/1/similar", **query)
    assert (len(answer["items"]), answer["degraded"]) == (12, False)
    for item in answer["items"]:
        assert "Animation" in item["genres"]
        assert "Comedy" not in item["genres"]
        assert item["year"] <= 1999
    assert all(item["reason"] == "similar_to_viewed" for item in answer["items"])


def test_twenty_ratings_are_ranked_by_the_networks(full_system: Any) -> None:
    check_session(full_system, 5, 15, "neural")


def check_session(system: Any, n_liked: int, n_other: int, route: str) -> None:
    ratings = [{"movie_id": i, "rating": 4.5} for i in LIKED[:n_liked]]
    ratings += [{"movie_id": i, "rating": 2.5} for i in OTHERS[:n_other]]
    answer = system.send("POST", "/v1/recommendations", {"ratings": ratings, "k": 10})
    assert answer["route"] == route
    assert answer["degraded"] is False, answer["fallbacks"]
    assert answer["reason"]
    assert answer["model_version"]
    assert len(answer["items"]) == 10
    assert not set(ids(answer)) & {r["movie_id"] for r in ratings}


def test_a_user_of_the_data_set_is_known_from_the_start(full_system: Any) -> None:
    answer = full_system.recommend(1, k=20)
    assert answer["route"] == "neural"
    assert answer["evidence"]["ratings"] == 232
    rated = {int(r["movieId"]) for r in rows("/ratings.csv") if r["userId"] == "1"}
    assert not rated & set(ids(answer))


def test_predicted_ratings_lie_within_the_scale(full_system: Any) -> None:
    body = {"user_id": 1, "movie_ids": [318, 2, 1721]}
    items = full_system.send("POST", "/v1/predictions", body)["items"]
    assert [item["movie_id"] for item in items] == [318, 2, 1721]
    assert all(0.5 <= item["rating"] <= 5.0 for item in items)
    assert all(0.0 <= item["confidence"] <= 1.0 for item in items)


def test_genres_are_a_filter_on_every_route(full_system: Any) -> None:
    for user_id in (1, 53, 442):
        answer = full_system.recommend(user_id, genre=["War", "Western"], k=20)
        assert len(answer["items"]) == 20
        assert all({"War", "Western"} & set(item["genres"]) for item in answer["items"])


def test_broader_lists_are_whole_on_every_route(full_system: Any) -> None:
    for user_id in (1, 53, 442):
        plain = full_system.recommend(user_id, k=20)
        broad = full_system.recommend(user_id, k=20, diversity=0.5)
        assert (broad["route"], broad["degraded"]) == (plain["route"], False)
        assert len(set(ids(broad))) == 20
        assert ids(broad) != ids(plain)
    for seen in ([], [1, 3114]):
        assert len(full_system.get("/v1/recommendations", viewed=seen, diversity=1)["items"]) == 5


def test_a_wrong_request_is_told_which_field_and_what_is_allowed(system: Any) -> None:
    for path, field in (
        ("/v1/recommendations?genre=Comdy", "genre"),
        ("/v1/recommendations?k=0", "k"),
        ("/v1/recommendations?gnre=Comedy", "gnre"),
    ):
        answer = system.client.get(path)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        assert field in answer.text
