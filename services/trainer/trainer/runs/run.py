"""The run of a training: its stages in order, one training at a time, and its record."""

import contextlib
import difflib
import resource
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

from marquee import telemetry
from marquee.domain.models import MODEL_NAMES
from marquee.errors import InvalidInput, MarqueeError
from marquee.registry.registry import Registry
from marquee.settings import Settings
from trainer.models.code_version import code_version
from trainer.models.parameters import TrainingParameters
from trainer.runs.context import Progress, TrainingContext
from trainer.runs.options import TrainingOptions
from trainer.runs.records import StageRecord, TrainingRecord, TrainingRecords, new_training_id
from trainer.runs.retention import tidy
from trainer.runs.stages import Stage
from trainer.tracking.mlflow import open_tracking


def run(
    stages: Sequence[Stage],
    settings: Settings,
    options: TrainingOptions | None = None,
    parameters: TrainingParameters | None = None,
    progress: Progress = lambda _stage, _done, _words: None,
) -> TrainingRecord:
    """Run a training and save its record after every stage.

    Args:
        stages: The stages there are, in their order.
        settings: Settings of the system; the state folder is theirs.
        options: Which of the stages run; all that can if None.
        parameters: The seed and the models' hyperparameters; the defaults if None.
        progress: Called with a stage, the share of it that is done, and a few words.

    Returns:
        The record of the training, which succeeded.

    Raises:
        TrainingInProgress: Another training is under way.
        InvalidInput: A stage of `options.only` does not exist, or cannot run here.
        MarqueeError: A stage failed. Whatever a stage raises is raised once it is in the record.
    """
    options = options or TrainingOptions()
    training_id = options.training_id or new_training_id()
    records = TrainingRecords(settings.state)
    context = TrainingContext(
        training_id,
        settings,
        parameters or TrainingParameters(),
        records.work(training_id),
        progress,
    )
    return _Run(records, context, options).run(stages)


def select(
    stages: Sequence[Stage], only: Sequence[str], publish: bool
) -> tuple[list[Stage], dict[str, str]]:
    """Return the stages to run, in their order, and those left out with what they lack.

    Raises:
        InvalidInput: A named stage does not exist, or cannot run here.
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
    """Return the stages with `publish` before `evaluate`.

    So the first versions of all serve at once: there is nothing to compare them with. Their metrics
    are added later.
    """
    evaluation = [stage for stage in stages if stage.name == "evaluate"]
    return [stage for stage in stages if stage.name != "evaluate"] + evaluation


def _known(name: str, names: list[str]) -> None:
    if name not in names:
        near = difflib.get_close_matches(name, names, 1, 0.0)[0]
        raise InvalidInput(f"no stage {name}; did you mean {near}?", "only")


class _Run:
    """One run of a training, whose record is the one on disk."""

    def __init__(
        self, records: TrainingRecords, context: TrainingContext, options: TrainingOptions
    ) -> None:
        self._records = records
        self._context = context
        self._options = options
        self._record = TrainingRecord(
            training_id=context.training_id,
            status="starting",
            reason=options.reason,
            started=datetime.now(UTC),
        )

    def run(self, stages: Sequence[Stage]) -> TrainingRecord:
        with self._failure_recorded():
            chosen, skipped = self._select(stages)
            with self._lock(), self._failure_recorded():
                self._begin(chosen, skipped)
                self._run_all(chosen)
                self._context.data = None  # its memory is wanted for the history
                tidy(self._context.settings)
        return self._record

    def _select(self, stages: Sequence[Stage]) -> tuple[list[Stage], dict[str, str]]:
        """Return the stages to run, checked, and those left out with what they lack."""
        context = self._context
        chosen, skipped = select(stages, self._options.only, self._options.publish)
        if not any(map(Registry(context.settings.registry).versions, MODEL_NAMES)):
            chosen = publishing_first(chosen)
        for stage in chosen:
            stage.check(context)
        return chosen, skipped

    def _lock(self) -> AbstractContextManager[int]:
        return self._records.locked(self._context.training_id, inherited=self._options.lock)

    @contextlib.contextmanager
    def _failure_recorded(self) -> Iterator[None]:
        """Write an error into the record, and raise it.

        A training that was refused at once leaves no record, unless a caller already knows its id.
        """
        try:
            yield
        except BaseException as error:
            is_known = self._record.status == "running" or self._options.training_id
            if is_known and not self._record.is_over:
                self._end("failed", error)
            raise

    def _begin(self, chosen: Sequence[Stage], skipped: dict[str, str]) -> None:
        self._context.work.mkdir(parents=True)
        self._context.code_version = code_version()
        for name, reason in skipped.items():
            telemetry.log.info("stage left out", stage=name, reason=reason)
        records = [StageRecord(name=stage.name) for stage in chosen]
        left_out = [StageRecord(name=n, status="skipped", detail=r) for n, r in skipped.items()]
        self._update(
            status="running",
            stages=(*records, *left_out),
            code_version=self._context.code_version,
        )

    def _run_all(self, chosen: Sequence[Stage]) -> None:
        context = self._context
        names = [stage.name for stage in chosen]
        context.tracking = open_tracking(context.settings, context.training_id, names)
        try:
            for stage in chosen:
                self._run_one(stage)
        except BaseException as error:
            context.tracking.end(str(error) or type(error).__name__)
            raise
        context.tracking.end(None)
        self._end("succeeded")

    def _run_one(self, stage: Stage) -> None:
        self._stage(StageRecord(name=stage.name, status="running"))
        self._context.progress(stage.name, 0.0, "")
        _forget_peak()
        started = time.perf_counter()
        try:
            words = stage.run(self._context)
        except BaseException as error:
            self._finish_stage(stage.name, "failed", started, _one_line(error))
            raise
        self._finish_stage(stage.name, "succeeded", started, words)
        self._context.progress(stage.name, 1.0, words)

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
        self._context.tracked_stage(name, seconds, peak)
        telemetry.log.info(
            "stage done", stage=name, status=status, seconds=record.seconds, peak_mb=record.peak_mb
        )

    def _stage(self, changed: StageRecord) -> None:
        stages = tuple(changed if s.name == changed.name else s for s in self._record.stages)
        context = self._context
        self._update(
            stages=stages,
            cut=context.cut,
            curves=context.curves,
            data_version=context.data.version if context.data is not None else "",
            versions=context.versions,
            refused=context.refused,
        )

    def _end(self, status: str, error: BaseException | None = None) -> None:
        """Record the end of the training; bundles stay only if they were not to be published."""
        context = self._context
        keeps_bundles = status == "succeeded" and not self._options.publish
        bundles = context.bundles if keeps_bundles else {}
        if not keeps_bundles:
            shutil.rmtree(context.work, ignore_errors=True)
        self._update(
            status=status,
            finished=datetime.now(UTC),
            error=None if error is None else _one_line(error),
            bundles={name: str(path) for name, path in bundles.items()},
        )

    def _update(self, **changes: object) -> None:
        self._record = self._record.model_copy(update=changes)
        self._records.save(self._record)


def peak_mb() -> float:
    """Return the peak memory of this process since `_forget_peak`, in MiB."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _forget_peak() -> None:
    """Reset the kernel's peak; where it cannot be reset, peaks count from the start."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _one_line(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "stopped by hand"
    text = " ".join(str(error).split())
    return text if isinstance(error, MarqueeError) else f"{type(error).__name__}: {text}"
