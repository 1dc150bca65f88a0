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


def copied(system: Any, state: Path, *names: str) -> Path:
    """Copy data and models into a state folder of which nothing runs."""
    for name in names:
        shutil.copytree(system.state / name, state / name)
    shutil.copy(system.state / "demo.json", state)
    return state


@pytest.fixture
def trained(full_system: Any, tmp_path: Path) -> Path:
    """A copy of the running system: the log last, so that no position is beyond its end."""
    return copied(full_system, tmp_path / "state", "history", "registry", "valkey")


@pytest.fixture
def without_servers(full_system: Any, tmp_path: Path) -> Path:
    """Models, and the data as imported: what is left where the folder of Valkey is lost."""
    state = tmp_path / "state"
    shutil.copytree(full_system.state.with_suffix(".history"), state / "history")
    return copied(full_system, state, "registry")


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


def is_ready(process: "subprocess.Popen[bytes]", output: Path) -> bool:
    """Return whether the demo says that it is ready; fail where it has ended."""
    said = output.read_text()
    assert process.poll() is None, said
    return "is ready" in said


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
        wait_until(lambda: is_ready(process, output), 300.0)
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
    without_servers: Path, wait_until: Wait
) -> None:
    (without_servers / "demo.json").write_text('{"data": "/nowhere/shop", "bus": "redis"}')
    with demo(without_servers, free_port()) as process:
        wait_until(lambda: is_ready(process, without_servers / "demo.txt"), 300.0)


def test_it_refuses_other_data_on_a_folder_in_use(without_servers: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "movies.csv").write_text("movieId,title,genres\n1,Toy Story (1995),Comedy\n")
    (other / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,1,4.0,0\n")
    ended = subprocess.run(
        ["make", "-s", "demo", f"STATE={without_servers}", f"PORT={free_port()}", f"DATA={other}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert ended.returncode == 2
    assert "choose another folder" in ended.stderr
    assert "start it again with DATA=" in ended.stderr
    assert not (without_servers / "valkey").exists()
