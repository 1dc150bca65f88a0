"""The supervisor of an app's workers, with workers of a few lines: starts, pauses, ends."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from marquee.app_worker import VARIABLE, AppWorker
from marquee.http_server.worker_supervisor import PAUSES_S, WorkerSupervisor
from marquee_testing.waiting import until_async

TOLD = """
import json, os, signal, sys, time
from pathlib import Path
told = json.loads(os.environ["_MARQUEE_WORKER"])
log = Path(sys.argv[1])
def say(word):
    with log.open("a") as file:
        print(word, told["number"], told["is_first"], told["ready_within_s"], file=file, flush=True)
say("starts")
"""
LASTS = """
signal.signal(signal.SIGTERM, lambda *_: (say("stops"), sys.exit(0)))
while True:
    time.sleep(60)
"""
DIES = "os.kill(os.getpid(), signal.SIGKILL)"
REFUSES = """
if told["number"] == 2:
    say("refuses")
    sys.exit(STATUS)
"""
STANDS = """
Path(told["folder"], f"beat_{told['number']}").touch()
while True:
    time.sleep(60)
"""
DEAF = """
signals = []
def on_signal(number, _):
    say(signal.Signals(number).name)
    signals.append(number)
    if len(signals) == 2:
        sys.exit(0)
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, on_signal)
say("listens")
while True:
    time.sleep(60)
"""


class Log:
    """What workers have said."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def lines(self, word: str = "") -> list[str]:
        text = self.file.read_text() if self.file.exists() else ""
        return [line for line in text.splitlines() if line.startswith(word)]


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "log")


@pytest.fixture
def supervisor(tmp_path: Path, log: Log) -> Callable[..., WorkerSupervisor]:
    def make(code: str, workers: int = 2, **options: float) -> WorkerSupervisor:
        (folder := tmp_path / "shared").mkdir()
        command = [sys.executable, "-S", "-c", TOLD + code, str(log.file)]
        return WorkerSupervisor(command, [], workers, str(folder), **options)

    return make


def stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


async def test_workers_end_by_one_signal(
    supervisor: Callable[..., WorkerSupervisor], log: Log
) -> None:
    made = supervisor(LASTS)
    running = asyncio.create_task(made.run())
    await until_async(lambda: len(log.lines("starts")) == 2)
    stop()
    await running
    assert (made.signal, made.status) == (signal.SIGTERM, 0)
    assert sorted(log.lines("starts")) == ["starts 1 True 0.0", "starts 2 True 0.0"]


async def test_a_second_signal_is_passed_on_as_it_is(
    supervisor: Callable[..., WorkerSupervisor], log: Log
) -> None:
    made = supervisor(DEAF)
    running = asyncio.create_task(made.run())
    await until_async(lambda: len(log.lines("listens")) == 2)
    os.kill(os.getpid(), signal.SIGINT)
    await until_async(lambda: len(log.lines("SIGTERM")) == 2)
    os.kill(os.getpid(), signal.SIGINT)
    await running
    assert len(log.lines("SIGINT")) == 2
    assert made.signal == signal.SIGINT


async def test_a_worker_that_dies_at_once_is_started_again_after_growing_pauses(
    supervisor: Callable[..., WorkerSupervisor], log: Log
) -> None:
    began = time.monotonic()
    with capture_logs() as said:
        running = asyncio.create_task(supervisor(DIES, 1).run())
        await until_async(lambda: len(log.lines("starts")) == 3)
        lasted = time.monotonic() - began
        stop()
        await running
    ends = [line for line in said if line["event"] == "a worker has ended, and is started again"]
    assert [line["after_s"] for line in ends[:2]] == [PAUSES_S[0], 2 * PAUSES_S[0]]
    assert {line["how"] for line in ends} == {"by SIGKILL"}
    assert lasted > 0.9 * 3 * PAUSES_S[0]


async def test_a_worker_started_again_waits_for_its_readiness_where_another_one_runs(
    supervisor: Callable[..., WorkerSupervisor], log: Log
) -> None:
    dies_once = "if told['is_first'] and told['number'] == 1:\n    os.kill(os.getpid(), 9)\n"
    running = asyncio.create_task(supervisor(dies_once + LASTS).run())
    await until_async(lambda: len(log.lines("starts")) == 3)
    stop()
    await running
    assert log.lines("starts")[2] == "starts 1 False 20.0"


async def test_alone_it_does_not_wait(
    supervisor: Callable[..., WorkerSupervisor], log: Log
) -> None:
    running = asyncio.create_task(supervisor(DIES, 1).run())
    await until_async(lambda: len(log.lines("starts")) == 2)
    stop()
    await running
    assert log.lines("starts")[1] == "starts 1 False 0.0"


@pytest.mark.parametrize("status", [1, 2, 3])
async def test_a_worker_that_does_not_start_with_the_app_ends_all_with_its_status(
    supervisor: Callable[..., WorkerSupervisor], log: Log, status: int
) -> None:
    made = supervisor(REFUSES.replace("STATUS", str(status)) + LASTS, 3)
    async with asyncio.timeout(60):
        await made.run()
    assert (made.signal, made.status) == (None, status)
    assert log.lines("refuses") == ["refuses 2 True 0.0"]


async def test_a_worker_that_has_served_is_started_again_whatever_its_status(
    supervisor: Callable[..., WorkerSupervisor], log: Log
) -> None:
    serves = STANDS.replace("while True", "sys.exit(4)\nwhile True")
    with capture_logs() as said:
        running = asyncio.create_task(supervisor(serves, 1).run())
        await until_async(lambda: len(log.lines("starts")) == 2)
        stop()
        await running
    assert said[0]["how"] == "status 4"


async def test_a_program_that_cannot_be_started_ends_the_app(tmp_path: Path) -> None:
    made = WorkerSupervisor([str(tmp_path / "none")], [], 2, str(tmp_path))
    async with asyncio.timeout(60):
        await made.run()
    assert made.status == os.EX_OSERR


async def test_a_worker_without_a_sign_of_life_is_killed(
    supervisor: Callable[..., WorkerSupervisor], log: Log
) -> None:
    with capture_logs() as said:
        running = asyncio.create_task(supervisor(STANDS, 1, silent_s=0.6).run())
        await until_async(lambda: len(log.lines("starts")) == 2)
        stop()
        await running
    assert said[0]["event"] == "a worker gives no sign of life, and is killed"
    assert said[1]["how"] == "by SIGKILL"


def worker(folder: Path, **changes: object) -> AppWorker:
    told = {"number": 1, "parent": os.getppid(), "sockets": (5, 6), "folder": str(folder)}
    return AppWorker(**{**told, "is_first": True, "ready_within_s": 0.0, **changes})  # type: ignore[arg-type]


def test_a_worker_reads_what_its_supervisor_tells(tmp_path: Path) -> None:
    made = worker(tmp_path)
    assert AppWorker.read(made.environment()) == made
    assert AppWorker.read({}) is None
    assert made.environment()[VARIABLE]


def test_one_of_the_first_workers_tells_why_all_refuse(tmp_path: Path) -> None:
    assert [worker(tmp_path, number=n).is_to_tell() for n in (1, 2, 3)] == [True, False, False]
    assert worker(tmp_path, is_first=False).is_to_tell()


def test_an_orphan_ends_at_once_and_the_last_one_removes_the_folder(tmp_path: Path) -> None:
    (folder := tmp_path / "shared").mkdir()
    for number in (1, 2):
        (folder / f"counter_{number}.db").touch()
        worker(folder, number=number).beat()
    code = "import sys; from marquee.app_worker import AppWorker as W; W.read({**__import__('os')"
    code += ".environ}).follow_parent()"
    orphan = worker(folder, parent=-1).environment()
    assert subprocess.run([sys.executable, "-c", code], env={**os.environ, **orphan}).returncode
    worker(folder).clean_up()
    assert (folder / "counter_1.db").exists()
    orphans = [worker(folder, number=number, parent=-1) for number in (1, 2)]
    orphans[0].clean_up()
    assert [file.name for file in folder.glob("*.db")] == ["counter_2.db"]
    orphans[1].clean_up()
    assert not folder.exists()
