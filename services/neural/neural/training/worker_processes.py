"""Worker processes that train networks side by side.

A process has one state of torch's random numbers, and its training uses one core. A worker is the
program `neural.training.worker`: no code travels, and nothing of the caller is imported, so that a
script without an import guard may train. Arrays travel through files without a name, which the
kernel deletes when the last process that has them open ends, whatever ended it.
"""

import contextlib
import mmap
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import torch

from marquee import telemetry
from marquee.arrays import Matrix, read_arrays
from marquee.errors import MarqueeError
from marquee.features.interactions import RatingRows
from neural.training.config import NetworkConfig
from neural.training.epochs import TrainedNetwork, movie_vectors, train_on_all
from neural.training.rating_statistics import fit_rating_statistics

_STATE = "state."


class TrainingFailed(MarqueeError):
    """The process that trained a network ended without one; the text is its last line of output."""


@dataclass(frozen=True, eq=False)
class TrainingJob:
    """Job of training a network: all `rows`, over movies with `content` (i × c)."""

    rows: RatingRows
    content: Matrix
    config: NetworkConfig


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class TrainingPool:
    """Trainings of one job with several seeds, up to the best epoch of an earlier training.

    With worker processes they run between `start` and `join`, without in `join`, one by one.
    """

    def __init__(
        self, job: TrainingJob, seeds: Sequence[int], workers: Sequence["_Worker"]
    ) -> None:
        self._job, self._seeds, self._workers = job, seeds, workers

    def start(self, best: TrainedNetwork) -> None:
        """Start the workers; each trains up to the epoch of `best`."""
        for worker in self._workers:
            worker.start(best.epoch)

    def join(self, best: TrainedNetwork) -> list[TrainedNetwork]:
        """Return the networks, with the metrics of `best`, when all are trained.

        Raises:
            TrainingFailed: A worker ended without a network.
        """
        if self._workers:
            return [worker.join(self._job, best) for worker in self._workers]
        job = self._job
        networks = [
            train_on_all(job.rows, job.content, job.config, seed, best.epoch)
            for seed in self._seeds
        ]
        return [replace(network, metrics=best.metrics) for network in networks]


@contextlib.contextmanager
def training_pool(
    job: TrainingJob, seeds: Sequence[int], max_workers: int | None = None
) -> Iterator[TrainingPool]:
    """Yield a pool whose workers are loading torch already: enter early to hide those seconds.

    Args:
        job: What the networks learn.
        seeds: One a network.
        max_workers: Processes that may train at once; None: as many as there are cores. With one,
            or where processes cannot be started, the networks are trained one by one, which gives
            bitwise the same. Processes end with the context at the latest.
    """
    with contextlib.ExitStack() as stack:
        concurrent = min(cores() if max_workers is None else max_workers, len(seeds)) > 1
        yield TrainingPool(job, seeds, _start_workers(job, seeds, stack) if concurrent else ())


def _start_workers(
    job: TrainingJob, seeds: Sequence[int], stack: contextlib.ExitStack
) -> list["_Worker"]:
    """Return a worker for each seed, ended by the stack; none where processes cannot be started."""
    with contextlib.ExitStack() as started:
        try:
            file = started.enter_context(tempfile.TemporaryFile())
            _write_job(job, file)
            workers = [started.enter_context(_worker(job.config, file, seed)) for seed in seeds]
        except OSError as error:
            telemetry.log.info("networks are trained in turn", reason=str(error))
            return []
        stack.push(started.pop_all())
        return workers


@dataclass(frozen=True)
class _Worker:
    process: "subprocess.Popen[bytes]"
    result: IO[bytes]
    log: IO[bytes]

    def send(self, line: str) -> None:
        """Send a line; if the process is gone already, `join` raises."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.write(f"{line}\n".encode())
            self.process.stdin.flush()

    def start(self, epoch: int) -> None:
        """Send the last epoch."""
        self.send(str(epoch))

    def join(self, job: TrainingJob, best: TrainedNetwork) -> TrainedNetwork:
        """Wait for the network and return it, or raise TrainingFailed."""
        status = self.process.wait()
        if status:
            self.log.seek(0)
            output = self.log.read().decode(errors="replace").strip()
            reason = output.splitlines()[-1] if output else "it said nothing"
            end = f"signal {-status}" if status < 0 else f"status {status}"
            raise TrainingFailed(f"the training of a network ended with {end}: {reason}")
        return _unpack(_read(self.result.fileno(), "network"), job, best)


@contextlib.contextmanager
def _worker(config: NetworkConfig, job: IO[bytes], seed: int) -> Iterator[_Worker]:
    """Start a worker, and end it with the context."""
    if not sys.executable:
        raise OSError("this Python does not know its own program")
    with tempfile.TemporaryFile() as result, tempfile.TemporaryFile() as log:
        files = job.fileno(), result.fileno()
        numbers = map(str, (os.getpid(), *files, seed))
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "neural.training.worker", *numbers],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=os.environ | {"PYTHONPATH": _python_path()},
            pass_fds=files,
        )
        worker = _Worker(process, result, log)
        try:
            worker.send(config.model_dump_json())
            yield worker
        finally:
            assert process.stdin is not None
            process.kill()
            with contextlib.suppress(OSError):
                process.stdin.close()
            process.wait()


def _python_path() -> str:
    """Return the import path of this process, for a worker to import the same modules."""
    return os.pathsep.join(path or os.getcwd() for path in sys.path)


def _write_job(job: TrainingJob, file: IO[bytes]) -> None:
    rows = job.rows
    arrays: dict[str, npt.NDArray[Any]] = {
        "starts": rows.starts,
        "films": rows.movies,
        "half_stars": rows.half_stars,
        "content": job.content,
    }
    _write(file, arrays)


def _write(file: IO[bytes], arrays: dict[str, npt.NDArray[Any]]) -> None:
    np.savez(file, allow_pickle=False, **arrays)
    file.flush()


class _Content(mmap.mmap):
    """Content of an open file with a place of its own: processes share that of the file."""

    def seekable(self) -> bool:
        """Python has it from 3.13 on."""
        return True


def _read(descriptor: int, name: str) -> dict[str, npt.NDArray[Any]]:
    with _Content(descriptor, 0, access=mmap.ACCESS_READ) as content:
        return read_arrays(content, name)


def _pack(trained: TrainedNetwork) -> dict[str, npt.NDArray[Any]]:
    arrays = {_STATE + name: tensor.numpy() for name, tensor in trained.state.items()}
    movies = trained.movies
    return arrays | {
        "viewers": trained.users,
        "vectors": movies.vectors,
        "corrections": movies.corrections,
    }


def _unpack(
    arrays: dict[str, npt.NDArray[Any]], job: TrainingJob, best: TrainedNetwork
) -> TrainedNetwork:
    """Return the network; computing its statistics again costs less than storing them."""
    statistics = fit_rating_statistics(job.rows, len(job.content))
    weights = {
        name.removeprefix(_STATE): array
        for name, array in arrays.items()
        if name.startswith(_STATE)
    }
    return TrainedNetwork(
        statistics.predictor(weights),
        statistics,
        movie_vectors(arrays["vectors"], statistics, arrays["corrections"]),
        {name: torch.from_numpy(array) for name, array in weights.items()},
        best.metrics,
        arrays["viewers"],
        best.epoch,
    )


def train_job(job: int, result: int, config: str, seed: int, epoch: int) -> None:
    """Train the network of a seed, in a worker.

    Args:
        job: Descriptor of the file with the arrays of the job.
        result: Descriptor of the file for the arrays of the network.
        config: The job's `NetworkConfig` as JSON.
        seed: Of all draws.
        epoch: The last epoch.
    """
    arrays = _read(job, "job")
    rows = RatingRows(arrays["starts"], arrays["films"], arrays["half_stars"])
    values = NetworkConfig.model_validate_json(config)
    trained = train_on_all(rows, arrays["content"], values, seed, epoch)
    with open(result, "wb", closefd=False) as file:
        _write(file, _pack(trained))
