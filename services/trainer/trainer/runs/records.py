"""Trainings on disk: `<state>/trainings/<id>.json` says how each went; a lock allows one at a time.

The lock is the kernel's: it is free as soon as its holder is dead, whatever killed it.
"""

import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from marquee.errors import Conflict, NotFound

Status = Literal["starting", "running", "succeeded", "failed"]
StageStatus = Literal["waiting", "running", "succeeded", "failed", "skipped"]

_START_SECONDS = 60.0
_INTERRUPTED = "interrupted: its process ended before the training did"


class StageRecord(BaseModel):
    """How one stage went; `peak_mb` is the most memory that the process had meanwhile."""

    model_config = ConfigDict(frozen=True)

    name: str
    status: StageStatus = "waiting"
    seconds: float | None = None
    peak_mb: float | None = None
    detail: str = ""


class TrainingRecord(BaseModel):
    """How a training went; `versions` are those that it published."""

    model_config = ConfigDict(frozen=True)

    training_id: str
    status: Status
    reason: str
    started: AwareDatetime
    finished: AwareDatetime | None = None
    stages: tuple[StageRecord, ...] = ()
    versions: dict[str, str] = {}
    refused: dict[str, str] = {}
    """Models that are worse than the serving version, with the reason."""
    bundles: dict[str, str] = {}
    """Where the bundles of a training lie that published nothing."""
    curves: dict[str, list[dict[str, float]]] = {}
    """What each epoch of a fit told, by model."""
    data_version: str = ""
    code_version: str = ""
    cut: dict[str, int] = {}
    error: str | None = None

    @property
    def is_over(self) -> bool:
        return self.status in ("succeeded", "failed")


class TrainingRuns(Conflict):
    """Another training is under way."""

    def __init__(self, training_id: str) -> None:
        super().__init__(f"training {training_id} is under way; one runs at a time")
        self.training_id = training_id


def new_training_id() -> str:
    """Return an id that sorts by time."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


class Trainings:
    """The records, the lock and the work folders of trainings under a state folder."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "trainings"
        self._lock = self._folder / "lock"

    def work(self, training_id: str) -> Path:
        """Return the folder in which a training makes its bundles."""
        return self._folder / training_id

    def save(self, record: TrainingRecord) -> None:
        """Write a record, whole or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        part = self._folder / f".{record.training_id}.{os.getpid()}.tmp"
        part.write_text(record.model_dump_json(indent=1) + "\n")
        part.replace(self._path(record.training_id))

    def get(self, training_id: str) -> TrainingRecord:
        """Return a training's record; NotFound when there is none."""
        path = self._path(training_id)
        if path.parent != self._folder or not path.is_file():
            raise NotFound(f"no training {training_id}")
        return self._seen(TrainingRecord.model_validate_json(path.read_text()))

    def all(self) -> list[TrainingRecord]:
        """Return the records of all trainings, newest first; an unreadable file is none."""
        return list(self._newest_first())

    def newest(self, succeeded: bool = False) -> TrainingRecord | None:
        """Return the newest training, or the newest that succeeded."""
        every = self._newest_first()
        return next((r for r in every if not succeeded or r.status == "succeeded"), None)

    def running(self) -> str | None:
        """Return the id of the training that holds the lock."""
        try:
            with self._lock.open("r") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return None
        except BlockingIOError:
            return self._lock.read_text().strip() or "unknown"
        return None

    @contextmanager
    def locked(self, training_id: str, clear: bool = True) -> Iterator[None]:
        """Hold the lock. TrainingRuns: another does. With `clear` what trainings before have left
        in their work folders is deleted."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._lock.open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise TrainingRuns(self._lock.read_text().strip() or "unknown") from None
            file.truncate(0)
            file.write(training_id)
            file.flush()
            if clear:
                self._clear(training_id)
            try:
                yield
            finally:
                file.truncate(0)

    def expire(self, newest: int) -> list[str]:
        """Delete all but the newest records and the newest of a training that succeeded, by which
        the schedule goes; return the names of their files."""
        last = self.newest(succeeded=True)
        kept = {path.name for path in self._paths()[:newest]}
        kept |= {self._path(last.training_id).name} if last else set()
        gone = [path for path in self._paths() if path.name not in kept]
        for path in gone:
            path.unlink(missing_ok=True)
        return [path.name for path in gone]

    def _clear(self, training_id: str) -> None:
        """Delete the work of trainings before, and say of those that were killed that they were."""
        for path in self._folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path.suffix == ".tmp" and time.time() - path.stat().st_mtime > _START_SECONDS:
                path.unlink(missing_ok=True)
        for record in self._newest_first():
            if record.training_id != training_id and record.error == _INTERRUPTED:
                self.save(record)

    def _newest_first(self) -> Iterator[TrainingRecord]:
        for path in self._paths():
            try:
                yield self._seen(TrainingRecord.model_validate_json(path.read_text()))
            except (OSError, ValidationError):
                continue

    def _paths(self) -> list[Path]:
        return sorted(self._folder.glob("[!.]*.json"), reverse=True)

    def _seen(self, record: TrainingRecord) -> TrainingRecord:
        """Return a record as it is now: one that is under way without the lock was killed."""
        if record.is_over or self.running() == record.training_id:
            return record
        age = datetime.now(UTC) - record.started
        if record.status == "starting" and age < timedelta(seconds=_START_SECONDS):
            return record
        return record.model_copy(update={"status": "failed", "error": _INTERRUPTED})

    def _path(self, training_id: str) -> Path:
        return self._folder / f"{training_id}.json"
