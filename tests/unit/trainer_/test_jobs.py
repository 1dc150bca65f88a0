"""Training jobs: the record of a training whose starter dies, and the lock handed to the child."""

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from marquee.settings import Settings
from marquee_testing import until
from trainer.runs.jobs import TrainingJobs
from trainer.runs.records import TrainingRecords
from trainer.runs.training_lock import TrainingInProgress, TrainingLock

STARTER = """
    import asyncio, os, sys, time
    from pathlib import Path
    from marquee.settings import Settings
    from trainer.runs import jobs
    from trainer.runs.records import TrainingRecords

    settings = Settings(state=Path(sys.argv[1]))
    if sys.argv[2] == "before the child":
        def python_of(settings):
            print("recorded", flush=True)
            time.sleep(600)
        jobs.python_of = python_of

    async def main():
        await jobs.TrainingJobs(settings, TrainingRecords(settings.state)).start()
        print("spawned", flush=True)
        await asyncio.sleep(600)

    asyncio.run(main())
"""


@contextmanager
def starter(state: Path, when: str, said: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a process that starts a training; yield once it says how far it is."""
    command = [sys.executable, "-c", textwrap.dedent(STARTER), str(state), when]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            while (line := process.stdout.readline()) != f"{said}\n":
                assert line, "the starter ended"
            yield process
        finally:
            process.kill()


def test_a_training_whose_starter_dies_before_the_child_starts_has_failed(tmp_path: Path) -> None:
    records = TrainingRecords(tmp_path)
    with starter(tmp_path, "before the child", "recorded") as process:
        (record,) = records.all()
        assert (record.status, records.running()) == ("starting", record.training_id)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    again = TrainingRecords(tmp_path)
    for known in (again.get(record.training_id), again.newest(), *again.all()):
        assert known is not None
        assert (known.status, known.is_over) == ("failed", True)
        assert "interrupted" in str(known.error)
    assert again.running() is None
    with again.locked("the next"):
        pass
    assert '"failed"' in (tmp_path / "trainings" / f"{record.training_id}.json").read_text()


def test_a_training_whose_starter_dies_while_the_child_starts_has_failed(tmp_path: Path) -> None:
    records = TrainingRecords(tmp_path)
    with starter(tmp_path, "with a child", "spawned") as process:
        (record,) = records.all()
        assert records.running() == record.training_id
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    until(lambda: records.running() is None, 30, lambda: time.sleep(0.02))
    assert records.get(record.training_id).status == "failed"


def test_between_the_record_and_the_training_no_other_training_can_start(tmp_path: Path) -> None:
    records = TrainingRecords(tmp_path)
    with starter(tmp_path, "before the child", "recorded"):
        (record,) = records.all()
        with (
            pytest.raises(TrainingInProgress, match=record.training_id),
            records.locked("another"),
        ):
            pass


def test_a_job_without_data_ends_with_the_reason_in_its_record(tmp_path: Path) -> None:
    settings = Settings(state=tmp_path)
    records = TrainingRecords(tmp_path)

    async def run() -> str:
        jobs = TrainingJobs(settings, records)
        record = await jobs.start(["data"])
        with pytest.raises(TrainingInProgress, match=record.training_id):
            await jobs.start()
        await jobs.finished()
        return record.training_id

    record = records.get(asyncio.run(run()))
    assert record.status == "failed"
    assert record.error
    assert record.finished is not None
    assert records.running() is None


def test_who_only_looks_keeps_nobody_from_the_lock(tmp_path: Path) -> None:
    lock = TrainingLock(tmp_path / "lock")
    with lock.hold("first"):
        assert lock.holder() == "first"
    looking = (tmp_path / "lock").open()
    fcntl.flock(looking, fcntl.LOCK_SH)
    timer = threading.Timer(0.03, looking.close)
    timer.start()
    with lock.hold("second"):
        assert lock.holder() == "second"
    timer.join()
    assert lock.holder() is None
