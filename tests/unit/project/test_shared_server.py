"""A server shared by the processes of a test run: started once, stopped after its last holder."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from marquee_testing.servers.shared import shared_server


def test_one_server_runs_for_all_holders_and_stops_after_the_last(tmp_path: Path) -> None:
    events: list[str] = []
    together = threading.Barrier(3)

    @contextmanager
    def run() -> Iterator[str]:
        events.append("started")
        yield "address"
        events.append("stopped")

    def hold(number: int) -> str:
        with shared_server(tmp_path, run) as address:
            together.wait(30)
            threading.Event().wait(0.1 * number)
            events.append("left")
            return address

    with ThreadPoolExecutor() as pool:
        assert list(pool.map(hold, range(3))) == ["address"] * 3
    assert events == ["started", "left", "left", "left", "stopped"]


def test_a_holder_that_comes_after_the_end_gets_a_new_server(tmp_path: Path) -> None:
    starts: list[int] = []

    @contextmanager
    def run() -> Iterator[str]:
        starts.append(len(starts))
        yield f"address {len(starts)}"

    for number in (1, 2):
        with shared_server(tmp_path, run) as address:
            assert address == f"address {number}"
