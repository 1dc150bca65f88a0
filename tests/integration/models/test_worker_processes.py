"""Networks trained in processes: the same as in turn, from any script, and none left behind."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.trainer, pytest.mark.timeout(1200)]
torch = pytest.importorskip("torch")

from marquee.features.interactions import RatingRows  # noqa: E402
from marquee_testing import checkerboard  # noqa: E402
from marquee_testing.waiting import until  # noqa: E402
from neural.training.config import NetworkConfig  # noqa: E402
from neural.training.epochs import TrainedNetwork, train  # noqa: E402
from neural.training.rating_split import RatingSplit, select_ratings  # noqa: E402
from neural.training.worker_processes import TrainingFailed, TrainingJob, training_pool  # noqa: E402

SMALL = NetworkConfig(d=4, hidden=8, epochs=2, users_per_batch=16, embedding_pull=60.0)
PROGRAM = "neural.training.worker"
CONTENT = np.random.default_rng(0).normal(size=(24, 5)).astype(np.float32)
ROWS = RatingRows.of(checkerboard(users=40))
JOB = TrainingJob(ROWS, CONTENT, SMALL)
SCRIPT = """
from dataclasses import replace

import numpy as np
from marquee.features.interactions import RatingRows
from marquee_testing import checkerboard
from neural.training.worker_processes import TrainingJob, training_pool
from neural.training.rating_split import RatingSplit, select_ratings
from neural.training.config import NetworkConfig
from neural.training.epochs import train

config = NetworkConfig(d=4, hidden=8, epochs={epochs}, max_steps={epochs})
rows = RatingRows.of(checkerboard(users=40))
content = np.ones((24, 5), np.float32)
shown = RatingSplit(rows, select_ratings(rows, np.zeros(len(rows.movies), bool)))
with training_pool(TrainingJob(rows, content, config), (0, 1), 2) as pool:
    best = train(shown, content, config.model_copy(update={{"epochs": 1}}), 0, lambda *_: None)
    best = replace(best, epoch={epochs} - 1)
    pool.start(best)
    print("begun", flush=True)
    print(len(pool.join(best)), flush=True)
"""


def best() -> TrainedNetwork:
    shown = RatingSplit(ROWS, select_ratings(ROWS, np.zeros(len(ROWS.movies), bool)))
    return train(shown, CONTENT, SMALL, 0, lambda *_: None)


def trained(of: TrainingJob, most: int) -> list[TrainedNetwork]:
    with training_pool(of, (3, 4), most) as pool:
        pool.start(first := best())
        return pool.join(first)


@contextlib.contextmanager
def script(tmp_path: Path, epochs: int) -> Iterator["subprocess.Popen[str]"]:
    """Start a script that has no guard and lies in a folder of its own; end it with the context."""
    path = tmp_path / "unguarded.py"
    path.write_text(SCRIPT.format(epochs=epochs))
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(tmp_path)}
    command = [sys.executable, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as process:
        try:
            yield process
        finally:
            process.kill()


def workers_of(parent: int) -> list[int]:
    """Return the workers that a process has started."""
    pids = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().decode(errors="replace").split("\0")
            at = words.index(PROGRAM) if PROGRAM in words else -1
            if at >= 0 and words[at + 1] == str(parent):
                pids.append(int(path.parent.name))
    return pids


def test_networks_trained_in_processes_are_bitwise_those_trained_in_turn() -> None:
    for ours, other in zip(trained(JOB, 1), trained(JOB, 2), strict=True):
        assert list(ours.state) == list(other.state)
        assert all(torch.equal(ours.state[name], other.state[name]) for name in ours.state)
        for name, array in vars(ours.movies).items():
            assert np.array_equal(array, getattr(other.movies, name)), name
        for name in ("biases", "counts", "user_biases"):
            assert np.array_equal(getattr(ours.statistics, name), getattr(other.statistics, name))
        assert ours.predictor.mean == other.predictor.mean
        assert np.array_equal(ours.users, other.users)
        assert (ours.epoch, ours.metrics) == (other.epoch, other.metrics)


def test_a_script_without_a_guard_trains_and_leaves_nothing(tmp_path: Path) -> None:
    with script(tmp_path, epochs=1) as process:
        said, _ = process.communicate(timeout=500)
    assert said == "begun\n2\n"
    assert [path.name for path in tmp_path.iterdir()] == ["unguarded.py"]


def test_networks_that_nobody_waits_for_end_with_the_context(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with training_pool(JOB, (0, 1), 2):
        until(lambda: len(workers_of(os.getpid())) == 2)
        assert list(tmp_path.iterdir()) == []
    assert workers_of(os.getpid()) == []
    assert list(tmp_path.iterdir()) == []


def test_what_made_a_network_fail_is_said() -> None:
    with pytest.raises(TrainingFailed, match="status 1: .*Error"):
        trained(replace(JOB, content=CONTENT[:3]), 2)


def test_networks_are_trained_in_turn_where_no_process_can_be_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    assert [network.epoch for network in trained(JOB, 2)] == [best().epoch] * 2


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_training_that_is_ended_leaves_no_process_and_no_file(
    tmp_path: Path, number: signal.Signals
) -> None:
    with script(tmp_path, epochs=100_000) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        assert len(workers_of(process.pid)) == 2
        process.send_signal(number)
        process.wait()
    until(lambda: not workers_of(process.pid))
    assert [path.name for path in tmp_path.iterdir()] == ["unguarded.py"]


WAITING = """
import os, subprocess, sys
command = [sys.executable, "-P", "-X", "importtime", "-m", "neural.training.worker"]
command += [str(os.getpid()), "0", "0", "0"]
worker = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
worker.stdin.write(b"{}\\n")
worker.stdin.flush()
os.set_inheritable(worker.stdin.fileno(), True)
holder = subprocess.Popen(["sleep", "600"], close_fds=False)  # its input stays open
print(worker.pid, holder.pid, flush=True)
for line in worker.stderr:
    if b"torch" in line:
        break
print("loading", flush=True)
input()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel has no such signal")
def test_a_worker_that_still_loads_torch_ends_with_its_parent() -> None:
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", WAITING], stdin=pipe, stdout=pipe, text=True, env=environ
    ) as parent:
        assert parent.stdout is not None
        worker, holder = map(int, parent.stdout.readline().split())
        assert parent.stdout.readline() == "loading\n"
        parent.kill()
        try:
            until(lambda: worker not in workers_of(parent.pid))
        finally:
            os.kill(holder, signal.SIGKILL)
