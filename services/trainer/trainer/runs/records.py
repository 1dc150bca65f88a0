"""Records of trainings on disk: `<state>/trainings/<id>.json` holds the state of each.

A record is written as `starting` only under the lock of trainings, which the kernel frees when its
holders die: a training that is not over and does not hold the lock was killed, whatever its record
says, and every reader gets it as `failed`.
"""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from marquee.errors import NotFound
from marquee.files import delete_stale, replace_file
from trainer.runs.training_lock import TrainingLock

Status = Literal["starting", "running", "succeeded", "failed"]
StageStatus = Literal["waiting", "running", "succeeded", "failed", "skipped"]

INTERRUPTED = "interrupted: its process ended before the training did"


class StageRecord(BaseModel):
    """The state of one stage; `peak_mb` is the peak memory of the process meanwhile, in MiB."""

    model_config = ConfigDict(frozen=True)

    name: str
    status: StageStatus = "waiting"
    seconds: float | None = None
    peak_mb: float | None = None
    detail: str = ""


class TrainingRecord(BaseModel):
    """The state of a training; `versions` are those that it published."""

    model_config = ConfigDict(frozen=True)

    training_id: str
    status: Status
    reason: str
    started: AwareDatetime
    finished: AwareDatetime | None = None
    stages: tuple[StageRecord, ...] = ()
    versions: dict[str, str] = {}
    refused: dict[str, str] = {}
    """Models that were not published, with the reason."""
    bundles: dict[str, str] = {}
    """Paths of the bundles of a training that published nothing."""
    curves: dict[str, list[dict[str, float]]] = {}
    """Metrics of each epoch of a fit, by model."""
    data_version: str = ""
    code_version: str = ""
    cut: dict[str, int] = {}
    error: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether the training succeeded or failed."""
        return self.status in ("succeeded", "failed")


def new_training_id() -> str:
    """Return an id that sorts by time."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


class TrainingRecords:
    """The records, the lock and the work folders of trainings under a state folder."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "trainings"
        self._lock = TrainingLock(self._folder / "lock")

    def work(self, training_id: str) -> Path:
        """Return the folder for the bundles of a training."""
        return self._folder / training_id

    def save(self, record: TrainingRecord) -> None:
        """Write a record atomically."""
        replace_file(self._path(record.training_id), record.model_dump_json(indent=1) + "\n")

    def get(self, training_id: str) -> TrainingRecord:
        """Return the record of a training.

        Raises:
            NotFound: There is no training of this id.
        """
        path = self._path(training_id)
        if path.parent != self._folder or not path.is_file():
            raise NotFound(f"no training {training_id}")
        return self._current(path)

    def all(self) -> list[TrainingRecord]:
        """Return the records of all trainings, newest first; unreadable files are left out."""
        return list(self._newest_first())

    def newest(self, succeeded: bool = False) -> TrainingRecord | None:
        """Return the newest training, or the newest that succeeded."""
        records = self._newest_first()
        return next((r for r in records if not succeeded or r.status == "succeeded"), None)

    def running(self) -> str | None:
        """Return the id of the training that holds the lock."""
        return self._lock.holder()

    @contextmanager
    def locked(
        self, training_id: str, clear: bool = True, inherited: int | None = None
    ) -> Iterator[int]:
        """Hold the lock until the end of the context; yield its file descriptor.

        Args:
            training_id: The training that holds the lock.
            clear: Delete the work folders of earlier trainings, and record which were killed.
            inherited: The descriptor of a lock that the parent process took for this training.

        Raises:
            TrainingInProgress: Another training holds the lock.
        """
        with self._lock.hold(training_id, inherited) as descriptor:
            if clear:
                self._clear(training_id)
            yield descriptor

    def expire(self, newest: int) -> list[str]:
        """Delete all records but the newest ones; return the names of the deleted files.

        The newest training that succeeded stays too: the schedule depends on it.
        """
        last = self.newest(succeeded=True)
        names_to_keep = {path.name for path in self._paths()[:newest]}
        names_to_keep |= {self._path(last.training_id).name} if last else set()
        expired = [path for path in self._paths() if path.name not in names_to_keep]
        for path in expired:
            path.unlink(missing_ok=True)
        return [path.name for path in expired]

    def _clear(self, training_id: str) -> None:
        """Delete the work folders of earlier trainings, and record which of them were killed."""
        for path in self._folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
        delete_stale(self._folder)
        for record in self._newest_first():
            if record.training_id != training_id and record.error == INTERRUPTED:
                self.save(record)

    def _newest_first(self) -> Iterator[TrainingRecord]:
        for path in self._paths():
            try:
                yield self._current(path)
            except (OSError, ValidationError):
                continue

    def _paths(self) -> list[Path]:
        return sorted(self._folder.glob("[!.]*.json"), reverse=True)

    def _current(self, path: Path) -> TrainingRecord:
        """Return a record as of now: a training that is not over but has no lock was killed."""
        record = _read(path)
        if record.is_over or self.running() == record.training_id:
            return record
        record = _read(path)  # once more: it may have ended between the two looks
        if record.is_over:
            return record
        return record.model_copy(update={"status": "failed", "error": INTERRUPTED})

    def _path(self, training_id: str) -> Path:
        return self._folder / f"{training_id}.json"


def _read(path: Path) -> TrainingRecord:
    return TrainingRecord.model_validate_json(path.read_text())
