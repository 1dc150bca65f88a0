"""Trouble: a paused service, killed processes, a training in between, a consumer that stands."""

import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest

pytestmark = pytest.mark.timeout(1500)

Wait = Callable[..., float]
SESSIONS: dict[str, dict[str, Any]] = {
    "popular": {},
    "similar": {"viewed": [1, 2, 3]},
    "hybrid": {"ratings": [{"movie_id": 318, "rating": 5.0}]},
    "user-cluster": {"ratings": [{"movie_id": i, "rating": 4.5} for i in (1, 260, 318, 356, 296)]},
    "neural": {"ratings": [{"movie_id": i, "rating": 4.0} for i in (1, 47, 50, 110, 150, 260, 296,
               318, 356, 364, 380, 457, 480, 527, 588, 589, 590, 592, 593, 595)]},
}  # fmt: skip
ANSWERED_BY = {
    "content app": ("popular", "similar"),
    "hybrid app": ("hybrid",),
    "user-model app": ("user-cluster",),
    "neural app": ("neural",),
}
PROCESSES = [f"{service} {role}"
             for service in ("content", "hybrid", "user-model", "neural", "gateway", "trainer")
             for role in ("app", "consumer")]  # fmt: skip


_OTHERS = itertools.count(1 << 40)


def ask(system: Any, route: str) -> dict[str, Any]:
    """Ask as nobody has asked before: a list that is kept would need no service."""
    body = SESSIONS[route] | {"k": 10, "exclude": [next(_OTHERS)]}
    return dict(system.send("POST", "/v1/recommendations", body))


@pytest.mark.parametrize("process", list(ANSWERED_BY))
def test_a_service_that_stands_is_stood_in_for_and_missed_no_longer_than_it_stands(
    full_system: Any, process: str, wait_until: Wait
) -> None:
    with full_system.paused(process):
        for route in SESSIONS:
            answer = ask(full_system, route)
            assert len(answer["items"]) == 10, (process, route)
            assert answer["degraded"] is (route in ANSWERED_BY[process]), (process, route)
    for route in ANSWERED_BY[process]:
        wait_until(lambda r=route: not ask(full_system, r)["degraded"])


@pytest.mark.parametrize("process", [*PROCESSES, "valkey-server"])
def test_a_killed_process_is_started_again(
    full_system: Any, process: str, wait_until: Wait
) -> None:
    pid = full_system.running(process)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: full_system.pid(process) not in (None, pid))
    wait_until(lambda: healthy(full_system))


def healthy(system: Any) -> bool:
    try:
        return all(
            ask(system, r)["route"] == r and not ask(system, r)["degraded"] for r in SESSIONS
        )
    except Exception:
        return False


def test_consumers_killed_while_ratings_come_apply_each_rating_once(
    full_system: Any, new_user: int, wait_until: Wait
) -> None:
    done, killed = threading.Event(), set[str]()

    def kill() -> None:
        for name in itertools.cycle(p for p in PROCESSES if p.endswith("consumer")):
            if pid := full_system.pid(name):
                os.kill(pid, signal.SIGKILL)
                killed.add(name)
            if done.wait(0.1):
                return

    marker, *movies = (movie["movie_id"] for movie in pages(full_system, 51))
    before = {i: n_ratings(full_system, i) for i in (marker, *movies)}
    users = range(new_user, new_user + 20)
    killer = threading.Thread(target=kill)
    killer.start()
    try:
        for user_id in users:
            full_system.rate(user_id, dict.fromkeys(movies, 4.0))
    finally:
        done.set()
        killer.join()
    assert len(killed) == 6, killed
    for user_id in users:  # each partition keeps its order: after these, all before is applied
        full_system.rate(user_id, {marker: 4.0})
    wait_until(lambda: n_ratings(full_system, marker) >= before[marker] + 20)
    assert {i: n_ratings(full_system, i) - before[i] for i in before} == dict.fromkeys(before, 20)
    # The sums are of one service's consumer, the profiles of another's.
    wait_until(lambda: rated(full_system, users, marker))
    known = [full_system.get(f"/v1/users/{user_id}")["ratings"] for user_id in users]
    assert known == [51] * 20


def rated(system: Any, users: Iterable[int], movie_id: int) -> bool:
    """Whether every user's ratings hold a movie."""
    found = (system.get(f"/v1/users/{user_id}/ratings", limit=100) for user_id in users)
    return all(movie_id in {one["movie_id"] for one in page["items"]} for page in found)


def pages(system: Any, n: int) -> list[dict[str, Any]]:
    return list(system.get("/v1/movies", limit=n)["items"])


def n_ratings(system: Any, movie_id: int) -> int:
    return int(system.get(f"/v1/movies/{movie_id}")["ratings"])


def test_a_read_says_that_it_is_not_fresh_while_the_writer_stands(
    system: Any, new_user: int
) -> None:
    system.recommend(new_user)
    with system.paused("gateway consumer"):
        token = system.rate(new_user, {318: 5.0})
        started = time.monotonic()
        answer = system.recommend(new_user, after=token, wait_ms=300)
        assert answer["fresh"] is False
        assert time.monotonic() - started >= 0.3
    assert system.recommend(new_user, after=token, wait_ms=5000)["fresh"] is True


def test_no_request_fails_while_a_training_runs_and_its_versions_are_swapped_in(
    full_system: Any, wait_until: Wait
) -> None:
    before = {route: ask(full_system, route)["model_version"] for route in ("similar", "hybrid")}
    started = full_system.send("POST", "/v1/trainings", {"models": ["content", "hybrid"]})
    failed: list[str] = []
    swapped = threading.Event()

    def load() -> None:
        while not swapped.is_set():
            for route in SESSIONS:
                try:
                    answer = ask(full_system, route)
                except Exception as error:
                    failed.append(repr(error))
                    continue
                if len(answer["items"]) != 10:
                    failed.append(f"{route}: {len(answer['items'])} items")

    reader = threading.Thread(target=load)
    reader.start()
    try:
        path = f"/v1/trainings/{started['training_id']}"
        wait_until(lambda: full_system.get(path)["status"] in ("succeeded", "failed"), 600.0)
        assert full_system.get(path)["status"] == "succeeded"
        wait_until(
            lambda: all(ask(full_system, r)["model_version"] != v for r, v in before.items())
        )
    finally:
        swapped.set()
        reader.join()
    assert failed == []
