"""A gateway of two workers on one port, on a real Valkey: what callers see of it."""

import os
import secrets
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from gateway.access.rate_limiter import LEASE_S
from gateway.state import consistency_token
from marquee.access.api_keys import create_key
from marquee.access.key_store import KeyStore, Who
from marquee.access.rates import Rate
from marquee.access.scopes import Scope
from marquee.events import RATINGS
from marquee_testing import Restartable
from marquee_testing.servers.gateway_process import GatewayProcess
from marquee_testing.servers.ranked_films import FILMS, RankedFilms
from marquee_testing.servers.system import PARTITIONS
from marquee_testing.servers.worker_processes import (
    Answer,
    Connection,
    connection_to,
    has_ended,
    worker_pids,
)
from marquee_testing.waiting import until

WORKERS = 2
STARTS = "marquee_worker_starts_total"
REQUESTS = "marquee_requests_total"
FAR = consistency_token.encode({f"{RATINGS}:{i}": 10**9 for i in range(PARTITIONS)})
"""A token that no consumer reaches."""
WAITING_MS = 2500
FOLLOW = "/v1/users/1/recommendations/changes?k=5"
RATE = Rate(60, 60)

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads /proc of Linux"),
    pytest.mark.slow,
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files of the processes of a test."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@contextmanager
def workers(ranked: RankedFilms, drain_s: float = 1) -> Iterator[GatewayProcess]:
    """Run a gateway until the block ends; yield it once each worker is ready."""
    with ranked.gateway(workers=str(WORKERS), drain_s=str(drain_s)) as made:
        until(lambda: started(made) == WORKERS)
        until(lambda: all_answer(made))
        yield made


@pytest.fixture
def gateway(request: pytest.FixtureRequest, ranked: RankedFilms) -> Iterator[GatewayProcess]:
    request.getfixturevalue("folder")
    with workers(ranked) as made:
        yield made


@pytest.fixture(scope="module")
def lasting(ranked: RankedFilms) -> Iterator[GatewayProcess]:
    """A gateway whose workers no test ends."""
    with workers(ranked) as made:
        yield made


def started(gateway: GatewayProcess) -> int:
    return int(gateway.measure(STARTS))


def all_answer(gateway: GatewayProcess) -> bool:
    """Return whether each worker accepts, and has the films."""
    for pid in worker_pids(gateway.pid):
        with connection_to(pid, gateway.pid, gateway.port) as connection:
            if connection.ask("/health/ready").status != 200:
                return False
    return True


def ask(gateway: GatewayProcess, path: str) -> Answer:
    """Ask over a connection of its own."""
    with closing(Connection(gateway.port)) as connection:
        return connection.ask(path)


def to_each(gateway: GatewayProcess, stack: ExitStack) -> list[Connection]:
    """Return a connection to each worker."""
    return [
        stack.enter_context(connection_to(pid, gateway.pid, gateway.port))
        for pid in worker_pids(gateway.pid)
    ]


def test_each_worker_answers_and_all_are_measured_as_one(lasting: GatewayProcess) -> None:
    before = lasting.measure(REQUESTS, path="/v1/genres")
    with ExitStack() as stack:
        both = to_each(lasting, stack)
        assert len({connection.worker(lasting.pid) for connection in both}) == WORKERS
        for connection, requests in zip(both, (7, 5), strict=True):
            for _ in range(requests):
                assert connection.ask("/v1/genres").status == 200
    assert lasting.measure(REQUESTS, path="/v1/genres") - before == 12
    assert lasting.measure("marquee_request_seconds_count", path="/v1/genres") - before == 12


def test_connections_that_come_at_once_are_shared(lasting: GatewayProcess) -> None:
    with ExitStack() as stack:
        burst = [stack.enter_context(closing(Connection(lasting.port))) for _ in range(40)]
        until(lambda: all(connection.worker(lasting.pid) for connection in burst))
        counts = Counter(connection.worker(lasting.pid) for connection in burst)
    assert len(counts) == WORKERS
    assert min(counts.values()) >= 10


def test_followers_of_all_workers_are_counted(lasting: GatewayProcess) -> None:
    with ExitStack() as stack:
        for pid in worker_pids(lasting.pid):
            made = stack.enter_context(connection_to(pid, lasting.pid, lasting.port))
            made.begin(FOLLOW, {"accept": "text/event-stream"})
        until(lambda: lasting.measure("marquee_followers") == WORKERS)
    until(lambda: lasting.measure("marquee_followers") == 0)


def test_a_write_to_one_worker_is_seen_by_the_other_that_is_given_its_token(
    lasting: GatewayProcess,
) -> None:
    with ExitStack() as stack:
        first, second = to_each(lasting, stack)
        for writer, reader in ((first, second), (second, first)):
            user = secrets.randbelow(2**40) + 1
            for movie in (FILMS, FILMS - 1, FILMS - 2):
                written = writer.ask(f"/v1/users/{user}/ratings/{movie}", "PUT", {"rating": 5})
                token = written.data["token"]
                read = reader.ask(f"/v1/users/{user}/recommendations?k=5&after={token}").data
                assert read["fresh"] is True
                assert movie not in [item["movie_id"] for item in read["items"]]


def test_the_workers_together_keep_the_rate_of_a_key(ranked: RankedFilms) -> None:
    key, text = create_key("shop", (Scope.READ,), rate=RATE)
    with closing(KeyStore(ranked.redis_url, ranked.namespace, Who("tester"))) as keys:
        keys.add(key)
    headers = {"authorization": f"Bearer {text}"}
    with ranked.gateway(workers=str(WORKERS), drain_s="1", auth="keys") as made:
        until(lambda: len(worker_pids(made.pid)) == WORKERS and all_answer(made))
        with ExitStack() as stack:
            both = [
                stack.enter_context(connection_to(pid, made.pid, made.port, headers))
                for pid in worker_pids(made.pid)
            ]
            began = time.monotonic()
            statuses = [each.ask("/v1/genres").status for _ in range(80) for each in both]
            seconds = time.monotonic() - began
    assert set(statuses) == {200, 429}
    taken = statuses.count(200)
    # A worker drops what it has leased and not spent in time.
    assert 0.8 * RATE.count <= taken <= RATE.count + RATE.per_second * (seconds + LEASE_S)


def test_a_killed_worker_comes_back_and_no_request_fails_once_it_is_gone(
    gateway: GatewayProcess,
) -> None:
    killed, other = worker_pids(gateway.pid)
    with connection_to(killed, gateway.pid, gateway.port) as connection:
        for _ in range(10):
            connection.ask("/v1/genres")
        connection.begin(FOLLOW, {"accept": "text/event-stream"})
        until(lambda: gateway.measure("marquee_followers") == 1)
        os.kill(killed, signal.SIGKILL)
    until(lambda: killed not in worker_pids(gateway.pid))
    asked, seen = 10, 0.0

    def step() -> None:
        nonlocal asked, seen
        assert len(ask(gateway, "/v1/recommendations?k=5").data["items"]) == 5
        assert ask(gateway, "/v1/genres").status == 200
        asked += 1
        counted = gateway.measure(REQUESTS, path="/v1/genres")
        assert counted == asked >= seen
        seen = counted

    until(lambda: started(gateway) == WORKERS + 1, step=step)
    assert gateway.measure("marquee_followers") == 0
    [back] = set(worker_pids(gateway.pid)) - {other}

    def has_taken_one() -> bool:
        with closing(Connection(gateway.port)) as connection:
            assert len(connection.ask("/v1/recommendations?k=5").data["items"]) == 5
            return connection.worker(gateway.pid) == back

    until(has_taken_one, step=step)


def test_a_worker_that_is_not_ready_accepts_nothing_while_another_one_is(
    redis_server: Restartable, gateway: GatewayProcess
) -> None:
    killed, other = worker_pids(gateway.pid)
    with redis_server.outage():
        os.kill(killed, signal.SIGKILL)
        until(lambda: started(gateway) == WORKERS + 1)
        # It would accept from here on, and know no film.
        end = time.monotonic() + 3
        while time.monotonic() < end:
            with closing(Connection(gateway.port)) as connection:
                assert connection.ask("/v1/movies?limit=1").data["items"]
                assert connection.worker(gateway.pid) == other
    until(lambda: len(worker_pids(gateway.pid)) == WORKERS)
    until(lambda: all_answer(gateway))


def test_a_stop_under_load_loses_no_request_and_leaves_nothing(
    gateway: GatewayProcess, folder: Path
) -> None:
    pids = worker_pids(gateway.pid)
    slow, told, faults = [], threading.Event(), []

    def load() -> None:
        while not told.is_set():
            try:
                answer = ask(gateway, "/v1/recommendations?k=5")
            except OSError as error:
                faults.append(repr(error))
                return
            if answer.status != 200 or len(answer.data["items"]) != 5:
                faults.append(str(answer))
            if answer.headers.get("connection") == "close":
                told.set()  # as a proxy that sends nothing more

    def wait(connection: Connection) -> None:
        path = f"/v1/users/1/recommendations?after={FAR}&wait_ms={WAITING_MS}"
        slow.append(connection.ask(path))

    with ExitStack() as stack:
        both = to_each(gateway, stack)
        threads = [threading.Thread(target=wait, args=(each,)) for each in both]
        threads += [threading.Thread(target=load) for _ in range(6)]
        for thread in threads:
            thread.start()
        asked = gateway.measure(REQUESTS, path="/v1/recommendations")
        until(lambda: gateway.measure(REQUESTS, path="/v1/recommendations") > asked + 50)
        os.kill(gateway.pid, signal.SIGTERM)
        for thread in threads:
            thread.join()
    assert told.is_set()
    assert faults == []
    assert [(answer.status, answer.data["fresh"]) for answer in slow] == [(200, False)] * 2
    until(lambda: all(map(has_ended, (gateway.pid, *pids))))
    with socket.create_server(("127.0.0.1", gateway.port)):
        assert list(folder.iterdir()) == []


def test_a_second_signal_ends_the_pause(ranked: RankedFilms) -> None:
    with workers(ranked, drain_s=60) as made:
        pids = worker_pids(made.pid)
        os.kill(made.pid, signal.SIGTERM)
        until(lambda: ask(made, "/health/ready").status == 503)
        os.kill(made.pid, signal.SIGTERM)
        until(lambda: all(map(has_ended, (made.pid, *pids))), 30)


def test_workers_end_with_a_supervisor_that_is_killed(
    gateway: GatewayProcess, folder: Path
) -> None:
    pids = worker_pids(gateway.pid)
    assert len(list(folder.iterdir())) == 1
    os.kill(gateway.pid, signal.SIGKILL)
    until(lambda: all(map(has_ended, pids)))
    with socket.create_server(("127.0.0.1", gateway.port)):
        assert list(folder.iterdir()) == []


def test_a_worker_that_is_told_to_stop_drains_and_another_takes_its_place(
    ranked: RankedFilms,
) -> None:
    path = f"/v1/users/1/recommendations?after={FAR}&wait_ms={WAITING_MS}"
    with workers(ranked, drain_s=5) as made, ExitStack() as stack:
        first, other = worker_pids(made.pid)
        busy, idle, probe = (
            stack.enter_context(connection_to(first, made.pid, made.port)) for _ in range(3)
        )
        busy.begin(path)
        os.kill(first, signal.SIGTERM)
        until(lambda: probe.ask("/health/ready").status == 503)
        takers = set()
        for _ in range(40):
            with closing(Connection(made.port)) as connection:
                assert len(connection.ask("/v1/recommendations?k=5").data["items"]) == 5
                takers.add(connection.worker(made.pid))
        assert takers == {other}
        for answer in (idle.ask("/v1/genres"), busy.answer()):
            assert (answer.status, answer.headers["connection"]) == (200, "close")
        until(lambda: started(made) == WORKERS + 1, step=lambda: whole(made))


def whole(gateway: GatewayProcess) -> None:
    assert len(ask(gateway, "/v1/recommendations?k=5").data["items"]) == 5
