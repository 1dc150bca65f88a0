"""Runs the stages of a training, one training at a time, and keeps the record of how it went."""

import contextlib
import difflib
import resource
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from marquee import telemetry
from marquee.domain.models import MODEL_NAMES
from marquee.errors import InvalidInput, MarqueeError
from marquee.registry.registry import Registry
from marquee.settings import Settings
from trainer.models.code_version import code_version
from trainer.models.parameters import Parameters
from trainer.runs.context import Progress, Training
from trainer.runs.records import StageRecord, TrainingRecord, Trainings, new_training_id
from trainer.runs.retention import tidy
from trainer.runs.stages import Stage
from trainer.tracking.mlflow import open_tracking


@dataclass(frozen=True)
class Order:
    """What shall be trained: stages by name (none: all that can run here), and whether to publish.

    What a named stage needs runs too, and so does `publish`, if it shall.
    """

    only: tuple[str, ...] = ()
    publish: bool = True
    reason: str = "by hand"
    training_id: str | None = None


def run(
    stages: Sequence[Stage],
    settings: Settings,
    order: Order | None = None,
    parameters: Parameters | None = None,
    progress: Progress = lambda _stage, _done, _words: None,
) -> TrainingRecord:
    """Run a training; return its record, which is saved after every stage.

    TrainingRuns: another is under way. Whatever a stage raises is raised, once it is in the record.
    """
    order = order or Order()
    training_id = order.training_id or new_training_id()
    trainings = Trainings(settings.state)
    training = Training(
        training_id, settings, parameters or Parameters(), trainings.work(training_id), progress
    )
    return _Run(trainings, training, order).run(stages)


def select(
    stages: Sequence[Stage], only: Sequence[str], publish: bool
) -> tuple[list[Stage], dict[str, str]]:
    """Return the stages to run, in their order, and those left out with what they lack.

    InvalidInput: a named stage does not exist, or cannot run here.
    """
    by_name = {stage.name: stage for stage in stages}
    for name in only:
        _known(name, list(by_name))
    wanted = set(only or by_name)
    for stage in reversed(stages):
        if stage.name in wanted:
            wanted.update(stage.needs)
    wanted.discard("publish")
    if publish:
        wanted.add("publish")
    missing = {stage.name: stage.lacks() for stage in stages if stage.name in wanted}
    skipped = {name: reason for name, reason in missing.items() if reason}
    for name in only:
        if name in skipped:
            raise InvalidInput(f"{name} cannot run: {skipped[name]}", "only")
    return [s for s in stages if s.name in wanted and s.name not in skipped], skipped


def publishing_first(stages: Sequence[Stage]) -> list[Stage]:
    """Return the stages with `publish` before `evaluate`, for the first versions of all: there is
    nothing to compare them with, and answers are waited for. Their figures are added later."""
    evaluation = [stage for stage in stages if stage.name == "evaluate"]
    return [stage for stage in stages if stage.name != "evaluate"] + evaluation


def _known(name: str, names: list[str]) -> None:
    if name not in names:
        near = difflib.get_close_matches(name, names, 1, 0.0)[0]
        raise InvalidInput(f"no stage {name}; did you mean {near}?", "only")


class _Run:
    """One run: its record is what is on disk."""

    def __init__(self, trainings: Trainings, training: Training, order: Order) -> None:
        self._trainings = trainings
        self._training = training
        self._order = order
        self._record = TrainingRecord(
            training_id=training.training_id,
            status="starting",
            reason=order.reason,
            started=datetime.now(UTC),
        )

    def run(self, stages: Sequence[Stage]) -> TrainingRecord:
        training = self._training
        try:
            chosen, skipped = select(stages, self._order.only, self._order.publish)
            if not any(map(Registry(training.settings.registry).versions, MODEL_NAMES)):
                chosen = publishing_first(chosen)
            for stage in chosen:
                stage.check(training)
            with self._trainings.locked(training.training_id):
                self._begin(chosen, skipped)
                self._run_all(chosen)
                training.data = None  # its memory is wanted for the history
                tidy(training.settings)
        except BaseException as error:
            # What was refused at once leaves no record, unless somebody has its id already.
            if self._record.status == "running" or self._order.training_id:
                self._end("failed", error)
            raise
        return self._record

    def _begin(self, chosen: Sequence[Stage], skipped: dict[str, str]) -> None:
        self._training.work.mkdir(parents=True)
        self._training.code_version = code_version()
        for name, reason in skipped.items():
            telemetry.log.info("stage left out", stage=name, reason=reason)
        records = [StageRecord(name=stage.name) for stage in chosen]
        left_out = [StageRecord(name=n, status="skipped", detail=r) for n, r in skipped.items()]
        self._update(
            status="running",
            stages=(*records, *left_out),
            code_version=self._training.code_version,
        )

    def _run_all(self, chosen: Sequence[Stage]) -> None:
        training = self._training
        names = [stage.name for stage in chosen]
        training.tracking = open_tracking(training.settings, training.training_id, names)
        try:
            for stage in chosen:
                self._run_one(stage)
        except BaseException as error:
            training.tracking.end(str(error) or type(error).__name__)
            raise
        training.tracking.end(None)
        self._end("succeeded")

    def _run_one(self, stage: Stage) -> None:
        self._stage(StageRecord(name=stage.name, status="running"))
        self._training.progress(stage.name, 0.0, "")
        _forget_peak()
        started = time.perf_counter()
        try:
            words = stage.run(self._training)
        except BaseException as error:
            self._finish_stage(stage.name, "failed", started, _one_line(error))
            raise
        self._finish_stage(stage.name, "succeeded", started, words)
        self._training.progress(stage.name, 1.0, words)

    def _finish_stage(self, name: str, status: str, started: float, detail: str) -> None:
        seconds, peak = time.perf_counter() - started, peak_mb()
        record = StageRecord.model_validate(
            {
                "name": name,
                "status": status,
                "seconds": round(seconds, 3),
                "peak_mb": round(peak, 1),
                "detail": detail,
            }
        )
        self._stage(record)
        self._training.tracked_stage(name, seconds, peak)
        telemetry.log.info(
            "stage done", stage=name, status=status, seconds=record.seconds, peak_mb=record.peak_mb
        )

    def _stage(self, changed: StageRecord) -> None:
        stages = tuple(changed if s.name == changed.name else s for s in self._record.stages)
        training = self._training
        self._update(
            stages=stages,
            cut=training.cut,
            curves=training.curves,
            data_version=training.data.version if training.data is not None else "",
            versions=training.versions,
            refused=training.refused,
        )

    def _end(self, status: str, error: BaseException | None = None) -> None:
        """Say how the training ended; its bundles stay only where nothing was published."""
        training = self._training
        kept = status == "succeeded" and not self._order.publish
        if not kept:
            shutil.rmtree(training.work, ignore_errors=True)
        self._update(
            status=status,
            finished=datetime.now(UTC),
            error=None if error is None else _one_line(error),
            bundles={name: str(path) for name, path in training.bundles.items()} if kept else {},
        )

    def _update(self, **changes: object) -> None:
        self._record = self._record.model_copy(update=changes)
        self._trainings.save(self._record)


def peak_mb() -> float:
    """Return the most memory of this process, in MiB, since `_forget_peak`."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _forget_peak() -> None:
    """Let the kernel count the peak anew; where it cannot, peaks are those since the start."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _one_line(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "stopped by hand"
    text = " ".join(str(error).split())
    return text if isinstance(error, MarqueeError) else f"{type(error).__name__}: {text}"
