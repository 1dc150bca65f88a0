"""One stage of a training as a process: its inputs and outputs are files of a work folder.

So tools that run commands by the order of their files can run a training: DVC, Airflow, make.
"""

import csv
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from marquee.arrays import save_json
from marquee.errors import DataError
from marquee.registry.bundle import read_manifest
from marquee.settings import Settings
from trainer.datasets.reader import read_dataset
from trainer.facts.fold import Facts
from trainer.history.history import History
from trainer.history.snapshots import write_snapshot
from trainer.models.code_version import code_version
from trainer.models.parameters import TrainingParameters
from trainer.report.writers import write_report
from trainer.runs.context import TrainingContext
from trainer.runs.run import peak_mb, select
from trainer.runs.stages import Stage
from trainer.tracking.mlflow import open_tracking


@dataclass(frozen=True)
class StageWork:
    """The folder that the stages of one training share; its name is the training's id."""

    root: Path

    @property
    def state(self) -> Path:
        """State folder whose history is the frozen data of this training."""
        return self.root / "data"

    @property
    def models(self) -> Path:
        """Folder of the sealed bundles as fitted."""
        return self.root / "models"

    @property
    def evaluated(self) -> Path:
        """Folder of the same bundles with the metrics of the evaluation in their manifests."""
        return self.root / "evaluated"

    def metrics(self, name: str) -> Path:
        """Return the path of a stage's metrics."""
        return self.root / "metrics" / f"{name}.json"

    def curve(self, name: str) -> Path:
        """Return the path of a model's learning curve."""
        return self.root / "curves" / f"{name}.csv"

    @property
    def quality(self) -> Path:
        """Path of the NDCG@10 of each slice of users, by the number of their known ratings."""
        return self.root / "plots" / "quality.csv"

    def bundles(self, folder: Path) -> dict[str, Path]:
        """Return the bundles of a folder by model."""
        return {path.name: path for path in sorted(folder.glob("[!.]*")) if path.is_dir()}


@dataclass(frozen=True)
class StageRun:
    """Runs one stage; the data are a release at `source`, or the history without one."""

    settings: Settings
    parameters: TrainingParameters
    work: StageWork
    source: Path | None = None
    tracked: bool = False

    def run(self, name: str, stages: Sequence[Stage]) -> str:
        """Run a stage; files of an earlier run of it are replaced.

        Args:
            name: Name of the stage.
            stages: The stages there are.

        Returns:
            A few words on the result, with time and peak memory.

        Raises:
            InvalidInput: There is no such stage, or it cannot run here.
            DataError: An earlier stage has not run in this folder.
        """
        stage = _stage(name, stages)
        context = self._context(name)
        stage.check(context)
        if self.tracked:
            names = [known.name for known in stages]
            context.tracking = open_tracking(self.settings, context.training_id, names)
        started = time.perf_counter()
        try:
            words = self._run(stage, context, stages)
        except BaseException as error:
            context.tracking.end(str(error) or type(error).__name__)
            raise
        seconds, peak = time.perf_counter() - started, peak_mb()
        context.tracked_stage(name, seconds, peak)
        if name == stages[-1].name:
            context.tracking.end(None)
        return f"{words} ({seconds:.1f} s, {peak:,.0f} MiB)"

    def _context(self, name: str) -> TrainingContext:
        frozen = self.settings.model_copy(update={"state": self.work.state})
        return TrainingContext(
            self.work.root.resolve().name,
            self.settings if name == "publish" else frozen,
            self.parameters,
            self.work.models,
            code_version=code_version(),
        )

    def _run(self, stage: Stage, context: TrainingContext, stages: Sequence[Stage]) -> str:
        if stage.name == "data":
            return self._data(stage, context)
        if stage.name == "publish":
            context.bundles = self._fitted(self.work.evaluated)
            return stage.run(context)
        if not context.settings.history.exists():
            raise DataError(f"{self.work.root}: run the stage data first")
        _stage("data", stages).run(context)
        if stage.name == "evaluate":
            return self._evaluate(stage, context)
        return self._fit(stage, context)

    def _data(self, stage: Stage, context: TrainingContext) -> str:
        """Copy the data into the work folder, and read it from there as all stages do."""
        settings = self.settings
        shutil.rmtree(self.work.state, ignore_errors=True)
        frozen = context.settings.history
        if self.source is not None:
            dataset, _ = read_dataset(self.source)
            History(frozen, settings.partitions).import_dataset(dataset)
        else:
            dataset, cut = History(settings.history, settings.partitions).dataset()
            facts = Facts.of(dataset)
            write_snapshot(frozen, 0, facts, settings.partitions, cut, dataset.version)
        words = stage.run(context)
        counts = {"ratings": len(context.dataset), "films": len(context.dataset.movies)}
        _write_json(self.work.metrics("data"), counts)
        return words

    def _fit(self, stage: Stage, context: TrainingContext) -> str:
        for leftover in (self.work.models / stage.name, self.work.models / f".{stage.name}.part"):
            shutil.rmtree(leftover, ignore_errors=True)
        words = stage.run(context)
        manifest = read_manifest(self.work.models / stage.name)
        _write_json(self.work.metrics(stage.name), manifest.metrics)
        _write_csv(self.work.curve(stage.name), _curve(context.curves.get(stage.name, ())))
        return words

    def _evaluate(self, stage: Stage, context: TrainingContext) -> str:
        """Measure copies of the bundles: those of the earlier stages do not change."""
        fitted = self._fitted(self.work.models)
        shutil.rmtree(self.work.evaluated, ignore_errors=True)
        shutil.copytree(self.work.models, self.work.evaluated, copy_function=os.link)
        context.bundles = {name: self.work.evaluated / name for name in fitted}
        words = stage.run(context)
        metrics = {
            name: {
                key: value
                for key, value in read_manifest(bundle).metrics.items()
                if key not in read_manifest(fitted[name]).metrics
            }
            for name, bundle in context.bundles.items()
        }
        _write_json(self.work.metrics("evaluate"), metrics)
        _write_csv(self.work.quality, _quality(context))
        if context.report is not None:
            write_report(context.report, self.work.root / "report")
        return words

    def _fitted(self, folder: Path) -> dict[str, Path]:
        bundles = self.work.bundles(folder)
        if not bundles:
            raise DataError(f"{folder}: no models; run the stages before first")
        return bundles


def _stage(name: str, stages: Sequence[Stage]) -> Stage:
    """Return a stage by name.

    Raises:
        InvalidInput: There is no such stage, or it cannot run here.
    """
    select(stages, [name], publish=name == "publish")
    return next(stage for stage in stages if stage.name == name)


def _curve(epochs: Sequence[Mapping[str, float]]) -> list[dict[str, Any]]:
    return [{"epoch": number, **metrics} for number, metrics in enumerate(epochs)] or [{"epoch": 0}]


def _quality(context: TrainingContext) -> list[dict[str, Any]]:
    """Return one row per slice, and at least one row, as a CSV file needs."""
    rows = [
        {"slice": part.name, **{figures.name: figures.ndcg_at_10 for figures in part.figures}}
        for part in (context.report.slices if context.report else ())
        if part.figures
    ]
    return rows or [{"slice": "none"}]


def _write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_json(path, value)


def _write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
