"""Training jobs: trainings as child processes, so that the app's process stays light.

A child ends when its standard input does: no training outlives the process that started it. It
inherits the lock of trainings, which therefore is held from before the record is written until the
child has ended, or until the starter has, if there is no child yet.
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

from pydantic import SecretStr

from marquee import telemetry
from marquee.settings import Settings
from trainer.runs.records import INTERRUPTED, TrainingRecord, TrainingRecords, new_training_id
from trainer.runs.training_lock import TrainingInProgress

_GRACE_SECONDS = 3.0
_PROBE = """
import sys
from importlib.util import find_spec
sys.exit(not all(map(find_spec, ("trainer", "sklearn", "implicit", "torch", "mlflow"))))
"""


class TrainingJobs:
    """Starts trainings, one at a time, and records how they ended."""

    def __init__(self, settings: Settings, records: TrainingRecords) -> None:
        self._settings = settings
        self._records = records
        self._process: asyncio.subprocess.Process | None = None
        self._training_id = ""
        self._watch: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()

    def running(self) -> str | None:
        """Return the id of the training that is under way, here or in another process."""
        if self._watch is not None and not self._watch.done():
            return self._training_id
        return self._records.running()

    async def start(self, only: Sequence[str] = (), reason: str = "asked for") -> TrainingRecord:
        """Start a training.

        Args:
            only: Names of the stages to run; all that can run here if empty.
            reason: Why the training is started, for its record.

        Returns:
            The record of the training, whose status is `starting`.

        Raises:
            TrainingInProgress: Another training is under way.
        """
        async with self._starting:
            if (running := self.running()) is not None:
                raise TrainingInProgress(running)
            record = TrainingRecord(
                training_id=new_training_id(),
                status="starting",
                reason=reason,
                started=datetime.now(UTC),
            )
            with self._records.locked(record.training_id, clear=False) as lock:
                self._records.save(record)
                request = {"only": list(only), "reason": reason, "lock": lock}
                module = ("trainer.runs.run_process", record.training_id)
                self._process = await self._spawn(module, request, lock)
            self._training_id = record.training_id
            self._watch = asyncio.create_task(self._wait(self._process, record.training_id))
            return record

    async def finished(self) -> None:
        """Wait until the training that was started last is over."""
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

    async def move_alias(self, name: str, version: str) -> None:
        """Let MLflow's alias follow a rollback; errors are in the log."""
        request = {"name": name, "version": version}
        process = await self._spawn(("trainer.tracking.alias_process",), request)
        await process.wait()

    async def _spawn(
        self, module: Sequence[str], request: Mapping[str, object], *descriptors: int
    ) -> asyncio.subprocess.Process:
        python = await asyncio.to_thread(python_of, self._settings)
        process = await asyncio.create_subprocess_exec(
            python,
            "-m",
            *module,
            stdin=asyncio.subprocess.PIPE,
            env=_environment(),
            pass_fds=descriptors,
        )
        assert process.stdin is not None
        # Everybody can read a process's arguments and environment, and settings hold a password.
        settings = {"settings": _settings_json(self._settings)}
        process.stdin.write(json.dumps({**request, **settings}).encode() + b"\n")
        return process

    async def _wait(self, process: asyncio.subprocess.Process, training_id: str) -> None:
        status = await process.wait()
        if process.stdin is not None:
            process.stdin.close()
        record = self._records.get(training_id)
        if record.finished is None:
            began = bool(record.stages)
            error = INTERRUPTED if began else f"its process ended with status {status}"
            changes = {"status": "failed", "finished": datetime.now(UTC), "error": error}
            record = record.model_copy(update=changes)
            self._records.save(record)
        log = telemetry.log.info if record.status == "succeeded" else telemetry.log.error
        log("training is over", training=training_id, status=record.status, error=record.error)


def python_of(settings: Settings) -> str:
    """Return the Python that trains: the configured one if it is usable, else this process's."""
    configured = settings.trainer_python
    if not configured:
        return sys.executable
    path = Path(configured).absolute()  # a virtual environment's Python is a link: not resolved
    try:
        probe = subprocess.run([path, "-c", _PROBE], capture_output=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        ready = False
    else:
        ready = probe.returncode == 0
    if not ready:
        telemetry.log.info("training without torch", reason=f"{configured} is not ready")
    return str(path) if ready else sys.executable


def _settings_json(settings: Settings) -> dict[str, object]:
    secrets = {
        name: value.get_secret_value() for name, value in settings if isinstance(value, SecretStr)
    }
    return settings.model_dump(mode="json") | secrets


def _environment() -> dict[str, str]:
    """Return this environment without settings: the child gets those by its standard input."""
    return {name: v for name, v in os.environ.items() if not name.startswith("MARQUEE_")}
