"""Networks trained side by side, each in a process of its own: torch's random numbers are one
process's, and so are the cores that it takes.

A child is this module, run by its name: no code travels and nothing of the caller is imported, so
that a script without a guard may train. Arrays travel through a folder. A child ends when its
standard input does: none outlives the process that started it.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy.typing as npt
import torch

from marquee import telemetry
from marquee.arrays import Matrix, load_arrays, save_arrays
from marquee.errors import MarqueeError
from marquee.features.interactions import RatingRows
from neural.rating_biases import statistics_of
from neural.rating_predictor import RatingPredictor
from neural.training.epochs import NetworkConfig, Trained, movie_vectors, train_again

_WORK, _CONFIG, _STATE = "work.npz", "config.json", "state."


class TrainingFailed(MarqueeError):
    """The process that trained a network ended without one; the text is its last words."""


@dataclass(frozen=True, eq=False)
class TrainingJob:
    """What a network learns: all `rows`, over movies with `content` (i × c)."""

    rows: RatingRows
    content: Matrix
    config: NetworkConfig


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Networks:
    """Networks of some seeds, trained for as many epochs as the best of an earlier training had.

    They are trained from `begin` on where there are `children`, else in `wait`.
    """

    def __init__(
        self, work: TrainingJob, seeds: Sequence[int], children: Sequence["_Child"]
    ) -> None:
        self._work, self._seeds, self._children = work, seeds, children

    def begin(self, best: Trained) -> None:
        """Say how long they are trained."""
        for child in self._children:
            child.begin(best.epoch)

    def wait(self, best: Trained) -> list[Trained]:
        """Return them with the measures of the best. TrainingFailed: one was not trained."""
        if self._children:
            return [child.trained(self._work, best) for child in self._children]
        work = self._work
        again = [
            train_again(best.epoch, work.rows, work.content, work.config, seed)
            for seed in self._seeds
        ]
        return [replace(one, measures=best.measures) for one in again]


@contextlib.contextmanager
def networks(
    work: TrainingJob, seeds: Sequence[int], most: int | None = None
) -> Iterator[Networks]:
    """Yield the networks; to enter early hides the seconds that torch needs in a new process.

    `most` are the processes that may train at once (None: the cores). With one, or where processes
    cannot be started, the networks are trained in turn: bitwise the same. Processes end with the
    context at the latest.
    """
    with contextlib.ExitStack() as ended:
        apart = min(cores() if most is None else most, len(seeds)) > 1
        yield Networks(work, seeds, _start(work, seeds, ended) if apart else ())


def _start(work: TrainingJob, seeds: Sequence[int], ended: contextlib.ExitStack) -> list["_Child"]:
    """Return a child for each seed; none where processes cannot be started."""
    with contextlib.ExitStack() as started:
        try:
            folder = Path(started.enter_context(tempfile.TemporaryDirectory(prefix="marquee-")))
            _write(work, folder)
            children = [started.enter_context(_child(folder, seed)) for seed in seeds]
        except OSError as error:
            telemetry.log.info("networks are trained in turn", reason=str(error))
            return []
        ended.push(started.pop_all())
        return children


@dataclass(frozen=True)
class _Child:
    folder: Path
    seed: int
    process: "subprocess.Popen[bytes]"

    def begin(self, epoch: int) -> None:
        """Say after which epoch it is done; one that is gone already is missed later."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.write(b"%d\n" % epoch)
            self.process.stdin.flush()

    def trained(self, work: TrainingJob, best: Trained) -> Trained:
        """Wait for the network and return it. TrainingFailed: there is none."""
        status = self.process.wait()
        if status:
            text = (self.folder / f"{self.seed}.log").read_text(errors="replace").strip()
            said = text.splitlines()[-1] if text else "it said nothing"
            how = f"signal {-status}" if status < 0 else f"status {status}"
            raise TrainingFailed(f"the training of a network ended with {how}: {said}")
        return _unpack(load_arrays(self.folder / f"{self.seed}.npz"), work, best)


@contextlib.contextmanager
def _child(folder: Path, seed: int) -> Iterator[_Child]:
    """Start a child, and end it with the context."""
    if not sys.executable:
        raise OSError("this Python does not know its own program")
    command = [
        sys.executable,
        "-P",
        "-m",
        "neural.training.worker_processes",
        str(folder),
        str(seed),
    ]
    environ = os.environ | {"PYTHONPATH": _python_path()}
    with (folder / f"{seed}.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environ
        )
    try:
        yield _Child(folder, seed, process)
    finally:
        assert process.stdin is not None
        process.kill()
        with contextlib.suppress(OSError):
            process.stdin.close()
        process.wait()


def _python_path() -> str:
    """Return where this process finds modules, for a child that finds the same."""
    return os.pathsep.join(path or os.getcwd() for path in sys.path)


def _write(work: TrainingJob, folder: Path) -> None:
    rows = work.rows
    save_arrays(
        folder / _WORK,
        starts=rows.starts, films=rows.movies, half_stars=rows.half_stars, content=work.content,
    )  # fmt: skip
    (folder / _CONFIG).write_text(work.config.model_dump_json())


def _pack(trained: Trained) -> dict[str, npt.NDArray[Any]]:
    arrays = {_STATE + name: tensor.numpy() for name, tensor in trained.state.items()}
    movies = trained.movies
    return arrays | {
        "viewers": trained.users, "vectors": movies.vectors, "corrections": movies.corrections
    }  # fmt: skip


def _unpack(arrays: dict[str, npt.NDArray[Any]], work: TrainingJob, best: Trained) -> Trained:
    """Return the network; its statistics are those of all ratings, and cost less than to store."""
    statistics = statistics_of(work.rows, len(work.content))
    weights = {
        name.removeprefix(_STATE): array
        for name, array in arrays.items()
        if name.startswith(_STATE)
    }
    return Trained(
        RatingPredictor(weights, statistics.mean),
        statistics,
        movie_vectors(arrays["vectors"], statistics, arrays["corrections"]),
        {name: torch.from_numpy(array) for name, array in weights.items()},
        best.measures,
        arrays["viewers"],
        best.epoch,
    )


def _train(folder: Path, seed: int, epoch: int) -> None:
    """Train the network of a seed by what lies in a folder, and leave it there."""
    arrays = load_arrays(folder / _WORK)
    rows = RatingRows(arrays["starts"], arrays["films"], arrays["half_stars"])
    config = NetworkConfig.model_validate_json((folder / _CONFIG).read_text())
    trained = train_again(epoch, rows, arrays["content"], config, seed)
    save_arrays(folder / f"{seed}.npz", **_pack(trained))


def _end_with_input(folder: Path) -> NoReturn:
    """End, and leave nothing behind, when the process that started this one is gone."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def main() -> None:
    """Be the child: the folder and the seed are the arguments, the epoch comes by the input."""
    folder, seed = Path(sys.argv[1]), int(sys.argv[2])
    torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))])  # the first takes seconds to import
    epoch = sys.stdin.readline()
    if not epoch:
        _end_with_input(folder)
    threading.Thread(target=_end_with_input, args=(folder,), daemon=True).start()
    _train(folder, seed, int(epoch))


if __name__ == "__main__":
    main()
