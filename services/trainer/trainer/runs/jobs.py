"""Trainings as child processes, so that the process that answers stays light.

A child ends when its standard input does: no training outlives the process that started it.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from marquee import telemetry
from marquee.settings import Settings
from trainer.runs.records import TrainingRecord, TrainingRuns, Trainings, new_training_id

_GRACE_SECONDS = 3.0
_PROBE = """
import sys
from importlib.util import find_spec
sys.exit(not all(map(find_spec, ("trainer", "sklearn", "implicit", "torch", "mlflow"))))
"""


class TrainingJobs:
    """Starts trainings, one at a time, and sees them end."""

    def __init__(self, settings: Settings, trainings: Trainings) -> None:
        self._settings = settings
        self._trainings = trainings
        self._process: asyncio.subprocess.Process | None = None
        self._training_id = ""
        self._watch: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()

    def running(self) -> str | None:
        """Return the id of the training that is under way, here or in another process."""
        if self._watch is not None and not self._watch.done():
            return self._training_id
        return self._trainings.running()

    async def start(self, only: Sequence[str] = (), reason: str = "asked for") -> TrainingRecord:
        """Start a training and return its record. TrainingRuns: one is under way already."""
        async with self._starting:
            if (running := self.running()) is not None:
                raise TrainingRuns(running)
            record = TrainingRecord(
                training_id=new_training_id(),
                status="starting",
                reason=reason,
                started=datetime.now(UTC),
            )
            self._trainings.save(record)
            self._training_id = record.training_id
            order = {"only": list(only), "reason": reason, "settings": _plain(self._settings)}
            module = ("trainer.runs.run_process", record.training_id)
            self._process = await self._spawn(module, order)
            self._watch = asyncio.create_task(self._wait(self._process, record.training_id))
            return record

    async def finished(self) -> None:
        """Return when the training that was started last is over."""
        if self._watch is not None:
            await asyncio.shield(self._watch)

    async def close(self) -> None:
        """End the training under way."""
        process, watch = self._process, self._watch
        if process is None or watch is None or watch.done():
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(asyncio.shield(watch), _GRACE_SECONDS)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await watch

    async def mirror(self, name: str, version: str) -> None:
        """Let MLflow's alias follow a rollback; what becomes of it is in the log."""
        order = {"name": name, "version": version, "settings": _plain(self._settings)}
        process = await self._spawn(("trainer.tracking.alias_process",), order)
        await process.wait()

    async def _spawn(
        self, module: Sequence[str], order: Mapping[str, object]
    ) -> asyncio.subprocess.Process:
        python = await asyncio.to_thread(python_of, self._settings)
        process = await asyncio.create_subprocess_exec(
            python, "-m", *module, stdin=asyncio.subprocess.PIPE, env=_environment()
        )
        assert process.stdin is not None
        # Settings travel so, since arguments and environments are for everybody to read.
        process.stdin.write(json.dumps(order).encode() + b"\n")
        return process

    async def _wait(self, process: asyncio.subprocess.Process, training_id: str) -> None:
        status = await process.wait()
        if process.stdin is not None:
            process.stdin.close()
        record = self._trainings.get(training_id)
        if not record.is_over or (record.error is None and record.status == "failed"):
            failed = {"status": "failed", "error": f"its process ended with status {status}"}
            record = record.model_copy(update=failed)
        if record.finished is None:
            record = record.model_copy(update={"finished": datetime.now(UTC)})
            self._trainings.save(record)
        log = telemetry.log.info if record.status == "succeeded" else telemetry.log.error
        log("training is over", training=training_id, status=record.status, error=record.error)


def python_of(settings: Settings) -> str:
    """Return the Python that trains: that of the settings where it is ready, else the own one."""
    wanted = settings.trainer_python
    if not wanted:
        return sys.executable
    path = Path(wanted).absolute()  # a virtual environment's Python is a link: not resolved
    try:
        found = subprocess.run([path, "-c", _PROBE], capture_output=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        ready = False
    else:
        ready = found.returncode == 0
    if not ready:
        telemetry.log.info("training without torch", reason=f"{wanted} is not ready")
    return str(path) if ready else sys.executable


def _plain(settings: Settings) -> dict[str, object]:
    plain = settings.model_dump(mode="json")
    plain["redis_url"] = settings.redis_url.get_secret_value()
    return plain


def _environment() -> dict[str, str]:
    """Return this environment without settings: the child gets those by its standard input."""
    return {name: v for name, v in os.environ.items() if not name.startswith("MARQUEE_")}
