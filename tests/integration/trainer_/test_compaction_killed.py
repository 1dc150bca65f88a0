"""A compaction that is killed at any of its changes to the disk loses no row of the history."""

import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from marquee.domain.movies import Movie
from marquee.features.dataset import Dataset, make_dataset
from trainer.history.history import History
from trainer.history.log_segments import MovieRow, RatingRow

P = 2

# Kills itself before its n-th change of the disk: each is announced to an audit hook first.
COMPACTIONS = """
    import os, signal, sys
    from pathlib import Path
    import pyarrow.compute, trainer.facts.restored
    from trainer.history.history import History

    def compact(left):
        history = History(Path(sys.argv[1]), 2)
        history.facts()  # what is imported and read by then is no change

        def hook(event, arguments):
            nonlocal left
            writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT
            if writes or event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link"):
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        history.compact()

    for line in sys.stdin:
        if (child := os.fork()) == 0:
            compact(int(line))
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Compacts in a new process for each line, which says how many changes it lives to make."""

pytestmark = pytest.mark.slow


@contextmanager
def compactions(directory: Path) -> Iterator[Callable[[int], int]]:
    """Yield what lets a process compact until it is killed, and returns its exit status."""
    command = [sys.executable, "-c", textwrap.dedent(COMPACTIONS), str(directory)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        into, out = parent.stdin, parent.stdout

        def compact(at: int) -> int:
            into.write(f"{at}\n")
            into.flush()
            return int(out.readline())

        yield compact
        into.close()


def content(history: History) -> tuple[str, dict[str, int], list[tuple[int, int, int, int]]]:
    """Return all that a training reads: version, positions and rows."""
    dataset, cut = history.dataset()
    columns = (dataset.user_ids, dataset.movie_ids, dataset.half_stars, dataset.times)
    rows = sorted(zip(*(column.tolist() for column in columns), strict=True))
    return dataset.version, cut, rows


def imported() -> Dataset:
    users, movie_ids = np.arange(1, 41), np.arange(1, 41) % 5 + 1
    movies = [Movie(movie_id=i, title=f"Film {i}") for i in range(1, 6)]
    return make_dataset(users, movie_ids, np.full(40, 8, np.uint8), users * 10, movies)


def added(offset: int) -> RatingRow:
    return RatingRow(offset, "added", offset % 50 + 1, offset % 5 + 1, offset % 10 + 1, offset)


def test_no_row_is_lost_whenever_a_compaction_is_killed(tmp_path: Path) -> None:
    history = History(tmp_path, P)
    history.import_dataset(imported())
    for p in range(P):
        history.append("ratings", p, 0, 10, [added(i) for i in range(10)])
        history.append("ratings", p, 10, 25, [added(i) for i in range(10, 25)])
    movie = '{"type":"movie.removed","source":"t","id":"1","data":{"movie_id":3}}'
    history.append("movies", 1, 0, 1, [MovieRow(0, movie)])
    position, expected, kills = 25, content(history), 0
    with compactions(tmp_path) as compact:
        for at in range(100):
            status = compact(at)
            assert content(history) == expected
            if status == 0:
                break
            assert status == -signal.SIGKILL
            kills += 1
            if kills % 4 == 0:  # events come as before, whatever a kill left behind
                history.append("ratings", 0, position, position + 1, [added(position)])
                position, expected = position + 1, content(history)
        else:
            pytest.fail("no compaction came to its end")
    assert kills > 10
    assert history.position("ratings", 0) == position
    history.compact()
    assert content(history) == expected
    assert len(list(tmp_path.glob("snapshot-*"))) == 1
    assert not list(tmp_path.glob("ratings-*/*.parquet"))
