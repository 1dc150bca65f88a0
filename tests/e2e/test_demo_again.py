"""A second start of `make demo` reuses what was trained; a signal ends every process of it."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from marquee_local.servers import free_port

pytestmark = pytest.mark.timeout(1500)

ROOT = Path(__file__).resolve().parents[2]
Wait = Callable[..., float]


@pytest.fixture
def trained(full_system: Any, tmp_path: Path) -> Path:
    """A state folder that holds data and models, but of which nothing runs."""
    state = tmp_path / "state"
    for name in ("history", "registry"):
        shutil.copytree(full_system.state / name, state / name)
    shutil.copy(full_system.state / "demo.json", state)
    return state


@contextmanager
def demo(state: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    with (state / "demo.txt").open("wb") as output:
        process = subprocess.Popen(
            ["make", "-s", "demo", f"STATE={state}", f"PORT={port}"],
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def members(session: int) -> list[str]:
    """Return the command lines of the processes of a session."""
    listed = subprocess.run(
        ["ps", "-o", "args=", "-s", str(session)], capture_output=True, text=True, check=False
    )
    return [line for line in listed.stdout.splitlines() if "defunct" not in line]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_it_starts_with_its_models_and_leaves_no_process(
    trained: Path, wait_until: Wait, number: signal.Signals
) -> None:
    port = free_port()
    with demo(trained, port) as process:
        output = trained / "demo.txt"
        wait_until(lambda: "is ready" in output.read_text(), 300.0)
        assert "training" not in output.read_text(), "it trains although models are there"
        url = f"http://127.0.0.1:{port}/v1/users/1/recommendations"
        wait_until(lambda: httpx.get(url, timeout=60).json()["route"] == "neural")
        assert len(members(process.pid)) > 12
        if number is signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        wait_until(lambda: process.poll() is not None and not members(process.pid))
        *_, last = output.read_text().splitlines()
        assert f"by: make demo STATE={trained} PORT={port}" in last


def test_it_goes_on_with_the_data_of_its_state_which_may_be_gone(
    trained: Path, wait_until: Wait
) -> None:
    (trained / "demo.json").write_text('{"data": "/nowhere/shop", "bus": "redis"}')
    with demo(trained, free_port()):
        wait_until(lambda: "is ready" in (trained / "demo.txt").read_text(), 300.0)


def test_it_refuses_other_data_on_a_folder_in_use(trained: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "movies.csv").write_text("movieId,title,genres\n1,Toy Story (1995),Comedy\n")
    (other / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,1,4.0,0\n")
    ended = subprocess.run(
        ["make", "-s", "demo", f"STATE={trained}", f"PORT={free_port()}", f"DATA={other}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert ended.returncode == 2
    assert "choose another folder" in ended.stderr
    assert "start it again with DATA=" in ended.stderr
    assert not (trained / "valkey").exists()
