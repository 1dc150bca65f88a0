"""What the demo cannot do it says in one line, with status 2, before anything is started."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from marquee_local.servers import free_port

DEMO = Path(__file__).resolve().parents[2] / "deploy" / "demo.py"


def refusal(state: Path, **settings: str) -> str:
    environ = {**os.environ, "PORT": str(free_port()), "STATE": str(state), **settings}
    ended = subprocess.run(
        [sys.executable, str(DEMO)], env=environ, capture_output=True, text=True, timeout=180
    )
    assert ended.returncode == 2, ended.stderr
    assert not (state / "valkey").exists()
    lines = ended.stderr.strip().splitlines()
    assert len(lines) == 1, ended.stderr
    return lines[0]


@pytest.fixture
def used_port() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_port_in_use(tmp_path: Path, used_port: int) -> None:
    assert f"port {used_port}" in refusal(tmp_path / "state", PORT=str(used_port))


def test_a_state_folder_that_is_none(tmp_path: Path) -> None:
    (file := tmp_path / "file").touch()
    assert f"{file} is a file, not a folder; set MARQUEE_STATE" in refusal(file)
    assert "STATE= of make demo" in refusal(Path("/sys/marquee"))  # nobody may write there


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    assert "nowhere" in refusal(tmp_path / "state", DATA=str(tmp_path / "nowhere"))


def test_a_folder_without_the_data_files(tmp_path: Path) -> None:
    assert "ratings.csv" in refusal(tmp_path / "state", DATA=str(tmp_path))


def test_a_malformed_file(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "movies.csv").write_text("movieId,title,genres\n1,Toy Story (1995),Comedy\n")
    (data / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,1,eleven,0\n")
    line = refusal(tmp_path / "state", DATA=str(data))
    assert "ratings.csv" in line
    assert "2" in line


def test_options_of_the_import_reach_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "films.csv").write_text("id;title;genres\n1;Toy Story (1995);Comedy\n")
    rows = "".join(f"{user};1;{user}\n" for user in range(1, 11))
    (data / "marks.csv").write_text(f"user;film;score\n{rows}")
    line = refusal(tmp_path / "state", DATA=str(data))
    assert "ratings from 1 to 10, not 0.5 to 5" in line
    line = refusal(tmp_path / "state", DATA=str(data), IMPORT="--scale 1-5")
    assert "ratings from 1 to 10, not 1 to 5" in line


def test_a_bus_that_there_is_not(tmp_path: Path) -> None:
    assert "redis or kafka" in refusal(tmp_path / "state", BUS="rabbit")


def test_too_old_a_python(tmp_path: Path) -> None:
    older = tmp_path / "older.py"
    older.write_text(
        "import runpy, sys\n"
        "sys.version_info = (3, 8, 10, 'final', 0)\n"
        f"runpy.run_path({str(DEMO)!r}, run_name='__main__')\n"
    )
    ended = subprocess.run(
        [sys.executable, str(older)], capture_output=True, text=True, timeout=180
    )
    assert ended.returncode == 2
    assert "Python 3.11" in ended.stderr
