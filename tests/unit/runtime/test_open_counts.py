"""The numbers of connections by which workers leave a connection to each other."""

from pathlib import Path

import pytest

from marquee.http_server.open_counts import OpenCount, create_counts


@pytest.fixture
def workers(tmp_path: Path) -> list[OpenCount]:
    create_counts(tmp_path / "counts", 3)
    return [OpenCount(tmp_path / "counts", number) for number in (1, 2, 3)]


def leaving(workers: list[OpenCount]) -> list[bool]:
    return [worker.exceeds_another() for worker in workers]


def test_those_with_more_than_another_leave_a_connection(workers: list[OpenCount]) -> None:
    for worker, count in zip(workers, (2, 1, 1), strict=True):
        worker.tell(count)
    assert leaving(workers) == [True, False, False]
    workers[2].tell(3)
    assert leaving(workers) == [True, False, True]


def test_nothing_is_left_to_a_worker_that_accepts_nothing(workers: list[OpenCount]) -> None:
    workers[0].tell(5)
    assert leaving(workers) == [False, False, False]
    workers[1].tell(0)
    assert leaving(workers)[0]
    workers[1].withdraw()
    workers[1].tell(0)  # a connection of it ends later
    assert not leaving(workers)[0]
