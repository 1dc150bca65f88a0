"""Retention: removal of old versions, records, work folders and caches; compaction of the history.

Called after each training that succeeded, and by `marquee tidy`. Nothing that is removed serves:
killed at any moment it leaves the serving versions as they were, and the next call goes on.
"""

import shutil
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from marquee import telemetry
from marquee.domain.models import MODEL_NAMES
from marquee.errors import MarqueeError
from marquee.registry.registry import Registry
from marquee.settings import Settings
from trainer.history.history import History
from trainer.models.versions import serving_versions, version_before
from trainer.runs.records import TrainingRecords
from trainer.tracking.cleanup import forget_versions

RECORDS = 200
"""Number of the newest records of trainings that stay."""
WORK_DAYS = 7.0
"""Age limit of work folders of trainings by Airflow, which may be cleared and go on."""
CACHE_DAYS = 30.0
"""Age limit of cached results of evaluations."""
_DAY_S = 24 * 3600.0


@dataclass
class TidyResult:
    """Removed versions by model, files, tracked versions; whether the history was `compacted`."""

    versions: dict[str, list[str]] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    tracked: list[str] = field(default_factory=list)
    compacted: bool = False

    def lines(self) -> list[str]:
        """Return one line for each removal."""
        lines = [f"version   {name} {v}" for name, gone in self.versions.items() for v in gone]
        lines += [f"file      {name}" for name in self.files]
        lines += [f"tracked   {name}" for name in self.tracked]
        return [*lines, *(["history   compacted"] if self.compacted else [])]


ServingVersions = Callable[[Settings, Sequence[str]], Mapping[str, str]]
"""Returns the serving version of each model for which it is known."""


def tidy(settings: Settings, serving: ServingVersions = serving_versions) -> TidyResult:
    """Remove what has expired; errors are logged.

    Args:
        settings: Settings of the system; the caller holds its lock of trainings.
        serving: Returns the serving versions.

    Returns:
        What was removed.
    """
    result = TidyResult()
    steps: Mapping[str, Callable[[], None]] = {
        "versions": lambda: _expire_versions(settings, serving, result),
        "files": lambda: _expire_files(settings, result),
        "history": lambda: _compact(settings, result),
    }
    for name, step in steps.items():
        try:
            step()
        except (MarqueeError, OSError) as error:
            telemetry.log.warning("not tidied", step=name, detail=str(error))
    return result


def versions_to_keep(
    versions: Sequence[str], newest: int, serving: str, announced: Collection[str] = ()
) -> set[str]:
    """Return the versions of a model that stay.

    They are the newest ones, the serving one, the one before it (for a rollback), and those that
    were announced last.
    """
    ordered = sorted(versions)
    named = {serving, version_before(ordered, serving), *announced}
    return {version for version in ordered if version in named or version in ordered[-newest:]}


def _expire_versions(settings: Settings, serving: ServingVersions, result: TidyResult) -> None:
    """Remove versions of the models whose serving version is known."""
    registry = Registry(settings.registry)
    keep: dict[str, set[str]] = {}
    if not settings.registry.is_dir():
        return
    registry.sweep()
    with registry.locked():
        for name, version in serving(settings, MODEL_NAMES).items():
            versions, announced = registry.versions(name), registry.announced(name)
            keep[name] = versions_to_keep(versions, settings.keep_versions, version, announced)
            for old in sorted(set(versions) - keep[name]):
                registry.remove(name, old)
                result.versions.setdefault(name, []).append(old)
    result.tracked += forget_versions(settings, keep, settings.keep_versions)
    if result.versions:
        telemetry.log.info("versions expired", **_counts(result.versions))


def _expire_files(settings: Settings, result: TidyResult) -> None:
    state = settings.state
    result.files += [f"trainings/{name}" for name in TrainingRecords(state).expire(RECORDS)]
    for folder, days in (("airflow", WORK_DAYS), ("evaluation/cache", CACHE_DAYS)):
        for path in _older(state / folder, days * _DAY_S):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()
            result.files.append(str(path.relative_to(state)))


def _older(folder: Path, seconds: float) -> list[Path]:
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if time.time() - path.stat().st_mtime > seconds]


def _compact(settings: Settings, result: TidyResult) -> None:
    history = History(settings.history, settings.partitions)
    if history.wants_compaction():
        started = time.perf_counter()
        number = history.compact().manifest.number
        result.compacted = True
        seconds = round(time.perf_counter() - started, 3)
        telemetry.log.info("history compacted", snapshot=number, seconds=seconds)


def _counts(versions: Mapping[str, Sequence[str]]) -> dict[str, int]:
    return {name.replace("-", "_"): len(gone) for name, gone in versions.items()}
