"""Writes show in the next read: ratings, movies, blocks and promotions, by API and by event."""

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.timeout(1500)

Wait = Callable[..., float]
HISTORIES = {
    "hybrid": {318: 5.0, 296: 4.5},
    "user-cluster": {318: 5.0, 296: 4.5, 593: 4.0, 2: 2.0, 3: 2.5, 7: 4.0},
    "neural": {i: 4.0 + (i % 3) / 2 for i in (1, 47, 50, 110, 150, 260, 296, 318, 356, 364, 380,
               457, 480, 527, 588, 589, 590, 592, 593, 595, 597)},
}  # fmt: skip


def ids(answer: dict[str, Any]) -> list[int]:
    return [item["movie_id"] for item in answer["items"]]


def test_a_rating_is_in_the_next_list_of_a_user(system: Any, new_user: int) -> None:
    before = system.recommend(new_user)
    first = ids(before)[0]
    token = system.rate(new_user, {first: 5.0})
    after = system.recommend(new_user, after=token)
    assert (before["route"], after["route"], after["fresh"]) == ("popular", "hybrid", True)
    assert first not in ids(after)
    assert ids(after) != ids(before)


def test_a_rating_taken_back_is_forgotten(system: Any, new_user: int) -> None:
    system.rate(new_user, {318: 5.0})
    token = system.send("DELETE", f"/v1/users/{new_user}/ratings/318")["token"]
    answer = system.recommend(new_user, after=token)
    assert answer["evidence"] == {"ratings": 0, "positive": 0, "viewed": 0, "unknown": 0}
    assert answer["route"] == "popular"


def test_a_view_leads_to_similar_movies(system: Any, new_user: int) -> None:
    token = system.send("POST", f"/v1/users/{new_user}/views", {"movie_id": 1})["token"]
    answer = system.recommend(new_user, after=token)
    assert answer["route"] == "similar"
    assert 1 not in ids(answer)


def test_a_new_movie_is_similar_and_in_hybrid_lists_by_its_event(
    system: Any, new_user: int, wait_until: Wait
) -> None:
    old = system.get("/v1/movies/1")
    movie = {"title": "Toys Again", "year": 1996, "genres": old["genres"], "tags": old["tags"]}
    written = system.send("POST", "/v1/movies", movie)
    movie_id = written["movie_id"]
    wait_until(lambda: movie_id in ids(system.get("/v1/movies/1/similar", k=20)))
    token = system.rate(new_user, {1: 5.0})
    answer = system.recommend(new_user, after=token, k=100, genre="Animation")
    assert answer["route"] == "hybrid"
    assert movie_id in ids(answer)


def test_a_block_holds_at_the_next_request_on_every_route(full_system: Any, new_user: int) -> None:
    for i, (route, ratings) in enumerate(HISTORIES.items()):
        user_id = new_user + i
        token = full_system.rate(user_id, ratings)
        answer = full_system.recommend(user_id, after=token)
        assert answer["route"] == route
        check_block(full_system, user_id, ids(answer)[0])
    check_block(full_system, new_user + 9, ids(full_system.recommend(new_user + 9))[0])


def check_block(system: Any, user_id: int, movie_id: int) -> None:
    path = f"/v1/movies/{movie_id}/block"
    system.send("PUT", path, {"reason": "a test", "until": None})
    try:
        assert movie_id not in ids(system.recommend(user_id, k=50))
    finally:
        system.send("DELETE", path)
    assert movie_id in ids(system.recommend(user_id, k=50))


def test_a_promoted_movie_is_placed_and_a_block_wins_over_it(system: Any, new_user: int) -> None:
    movie_id = 53123
    system.send("PUT", f"/v1/movies/{movie_id}/promotion", {"weight": 5, "slots": [2]})
    try:
        answer = system.recommend(new_user)
        assert ids(answer)[1] == movie_id
        assert answer["items"][1]["promoted"] is True
        system.send("PUT", f"/v1/movies/{movie_id}/block", {"reason": "a test"})
        assert movie_id not in ids(system.recommend(new_user))
    finally:
        system.send("DELETE", f"/v1/movies/{movie_id}/block")
        system.send("DELETE", f"/v1/movies/{movie_id}/promotion")


MODEL_SERVICES = ("content", "hybrid", "user-model", "neural")


def inspected(system: Any, kind: str, entity: int) -> dict[str, dict[str, Any]]:
    """Return what `marquee inspect` says, by service."""
    try:
        text = system.command("inspect", kind, str(entity), "--json")
    except subprocess.CalledProcessError as unknown:  # no service knows of it yet
        text = unknown.stdout
    said = json.loads(text)
    return {part["service"]: part for part in said["services"]}


def test_inspect_shows_the_features_that_a_new_movie_got_in_every_service(
    full_system: Any, wait_until: Wait
) -> None:
    movie = {"title": "Inspected", "year": 1999, "genres": ["Drama"], "tags": {"prison": 0.9}}
    movie_id = full_system.send("POST", "/v1/movies", movie)["movie_id"]

    def has_features() -> bool:
        said = inspected(full_system, "movie", movie_id)
        return all(said[service]["from"] == "events" for service in MODEL_SERVICES)

    wait_until(has_features)
    said = inspected(full_system, "movie", movie_id)
    before = {service: said[service]["vector"] for service in MODEL_SERVICES}
    changed = {"genres": ["Horror"], "tags": {"zombies": 1.0}}
    full_system.send("PATCH", f"/v1/movies/{movie_id}", changed)

    def has_changed() -> bool:
        said = inspected(full_system, "movie", movie_id)
        return all(said[service]["vector"] != before[service] for service in MODEL_SERVICES)

    wait_until(has_changed)
    after = inspected(full_system, "movie", movie_id)
    for service in MODEL_SERVICES:
        assert after[service]["position"] > said[service]["position"]
        assert after[service]["version"] == said[service]["version"]
        assert after[service]["cluster"] is not None


def test_a_field_that_null_clears_is_gone_from_filters_and_from_every_service(
    system: Any, wait_until: Wait
) -> None:
    movie = {"title": "Cleared", "year": 1999, "genres": ["Drama"], "runtime": 80}
    movie_id = system.send("POST", "/v1/movies", movie)["movie_id"]
    path, query = f"/v1/movies/{movie_id}", {"query": "cleared", "runtime_max": 90}
    wait_until(lambda: movie_id in ids(system.get("/v1/movies", **query)))
    system.send("PATCH", path, {"year": None, "runtime": None})
    wait_until(lambda: movie_id not in ids(system.get("/v1/movies", **query)))
    shown = system.get(path)
    assert (shown["year"], "runtime" in shown) == (None, False)

    def has_cleared() -> bool:
        said = inspected(system, "movie", movie_id)
        facts = [said[service]["facts"]["film"] for service in MODEL_SERVICES]
        return all(one["year"] is None and "runtime" not in one for one in facts)

    wait_until(has_cleared)


def test_inspect_shows_how_a_rating_changes_a_user_in_every_service(
    full_system: Any, new_user: int, wait_until: Wait
) -> None:
    full_system.rate(new_user, {318: 5.0, 296: 4.5})
    services = ("user-model", "neural")

    def has_features() -> bool:
        said = inspected(full_system, "user", new_user)
        return all(said[service]["from"] == "events" for service in services)

    wait_until(has_features)
    before = inspected(full_system, "user", new_user)
    full_system.rate(new_user, {318: 1.0})

    def has_changed() -> bool:
        said = inspected(full_system, "user", new_user)
        return all(said[service]["vector"] != before[service]["vector"] for service in services)

    wait_until(has_changed)
    after = inspected(full_system, "user", new_user)
    for service in (*services, "gateway", "content"):
        assert after[service]["position"] > before[service]["position"]


def test_many_events_at_once_are_reported_one_by_one(system: Any, new_user: int) -> None:
    events = [
        {
            "specversion": "1.0",
            "id": f"{new_user}-{i}",
            "source": "test",
            "type": "rating.added",
            "data": {"user_id": new_user, "movie_id": i, "rating": 4.0 if i != 3 else 9.0},
        }
        for i in (1, 2, 3)
    ]
    answer = system.send("POST", "/v1/events", {"events": events})
    assert (answer["accepted"], answer["rejected"]) == (2, 1)
    after = system.recommend(new_user, after=answer["token"])
    assert after["evidence"]["ratings"] == 2
