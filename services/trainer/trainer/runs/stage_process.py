"""One stage of a training as a process of its own: what it reads and leaves lies in a work folder.

So a tool that runs commands in the order of their files can run a training: DVC, Airflow, make.
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
from trainer.datasets.movielens import read_movielens
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
        """State folder whose history is the data of this training, which no event changes."""
        return self.root / "data"

    @property
    def models(self) -> Path:
        """Sealed bundles as fitted."""
        return self.root / "models"

    @property
    def evaluated(self) -> Path:
        """The same bundles with the figures of the evaluation in their manifests."""
        return self.root / "evaluated"

    def metrics(self, name: str) -> Path:
        return self.root / "metrics" / f"{name}.json"

    def curve(self, name: str) -> Path:
        return self.root / "curves" / f"{name}.csv"

    @property
    def quality(self) -> Path:
        """NDCG@10 of each slice of users, by how many ratings are known of them."""
        return self.root / "plots" / "quality.csv"

    def bundles(self, folder: Path) -> dict[str, Path]:
        """Return the bundles of a folder by model."""
        return {path.name: path for path in sorted(folder.glob("[!.]*")) if path.is_dir()}


@dataclass(frozen=True)
class StageRun:
    """How one stage shall run: a release at `source` is the data in place of the history."""

    settings: Settings
    parameters: TrainingParameters
    work: StageWork
    source: Path | None = None
    tracked: bool = False

    def run(self, name: str, stages: Sequence[Stage]) -> str:
        """Run a stage; return a few words on its result, and what it took.

        InvalidInput: there is no such stage, or it cannot run here. DataError: the stage `data` has
        not run in this folder. What the stage left before is replaced.
        """
        stage = _stage(name, stages)
        training = self._training(name)
        stage.check(training)
        if self.tracked:
            names = [each.name for each in stages]
            training.tracking = open_tracking(self.settings, training.training_id, names)
        started = time.perf_counter()
        try:
            words = self._run(stage, training, stages)
        except BaseException as error:
            training.tracking.end(str(error) or type(error).__name__)
            raise
        seconds, peak = time.perf_counter() - started, peak_mb()
        training.tracked_stage(name, seconds, peak)
        if name == stages[-1].name:
            training.tracking.end(None)
        return f"{words} ({seconds:.1f} s, {peak:,.0f} MiB)"

    def _training(self, name: str) -> TrainingContext:
        frozen = self.settings.model_copy(update={"state": self.work.state})
        return TrainingContext(
            self.work.root.resolve().name,
            self.settings if name == "publish" else frozen,
            self.parameters,
            self.work.models,
            code_version=code_version(),
        )

    def _run(self, stage: Stage, training: TrainingContext, stages: Sequence[Stage]) -> str:
        if stage.name == "data":
            return self._data(stage, training)
        if stage.name == "publish":
            training.bundles = self._fitted(self.work.evaluated)
            return stage.run(training)
        if not training.settings.history.exists():
            raise DataError(f"{self.work.root}: run the stage data first")
        _stage("data", stages).run(training)
        if stage.name == "evaluate":
            return self._evaluate(stage, training)
        return self._fit(stage, training)

    def _data(self, stage: Stage, training: TrainingContext) -> str:
        """Copy the data to where nothing changes it, and read it from there as all stages do."""
        settings = self.settings
        shutil.rmtree(self.work.state, ignore_errors=True)
        frozen = training.settings.history
        if self.source is not None:
            dataset, _ = read_movielens(self.source)
            History(frozen, settings.partitions).import_dataset(dataset)
        else:
            dataset, cut = History(settings.history, settings.partitions).dataset()
            facts = Facts.of(dataset)
            write_snapshot(frozen, 0, facts, settings.partitions, cut, dataset.version)
        words = stage.run(training)
        counts = {"ratings": len(training.dataset), "films": len(training.dataset.movies)}
        _write_json(self.work.metrics("data"), counts)
        return words

    def _fit(self, stage: Stage, training: TrainingContext) -> str:
        for leftover in (self.work.models / stage.name, self.work.models / f".{stage.name}.part"):
            shutil.rmtree(leftover, ignore_errors=True)
        words = stage.run(training)
        manifest = read_manifest(self.work.models / stage.name)
        _write_json(self.work.metrics(stage.name), manifest.metrics)
        _write_csv(self.work.curve(stage.name), _curve(training.curves.get(stage.name, ())))
        return words

    def _evaluate(self, stage: Stage, training: TrainingContext) -> str:
        """Measure copies of the bundles: those of the stages before stay as they are."""
        fitted = self._fitted(self.work.models)
        shutil.rmtree(self.work.evaluated, ignore_errors=True)
        shutil.copytree(self.work.models, self.work.evaluated, copy_function=os.link)
        training.bundles = {name: self.work.evaluated / name for name in fitted}
        words = stage.run(training)
        found = {
            name: {
                key: value
                for key, value in read_manifest(bundle).metrics.items()
                if key not in read_manifest(fitted[name]).metrics
            }
            for name, bundle in training.bundles.items()
        }
        _write_json(self.work.metrics("evaluate"), found)
        _write_csv(self.work.quality, _quality(training))
        if training.report is not None:
            write_report(training.report, self.work.root / "report")
        return words

    def _fitted(self, folder: Path) -> dict[str, Path]:
        bundles = self.work.bundles(folder)
        if not bundles:
            raise DataError(f"{folder}: no models; run the stages before first")
        return bundles


def _stage(name: str, stages: Sequence[Stage]) -> Stage:
    """Return a stage by name. InvalidInput: there is none, or it cannot run here."""
    select(stages, [name], publish=name == "publish")
    return next(stage for stage in stages if stage.name == name)


def _curve(epochs: Sequence[Mapping[str, float]]) -> list[dict[str, Any]]:
    return [{"epoch": number, **metrics} for number, metrics in enumerate(epochs)] or [{"epoch": 0}]


def _quality(training: TrainingContext) -> list[dict[str, Any]]:
    """Return a row a slice; a CSV needs one at least."""
    rows = [
        {"slice": one.name, **{found.name: found.ndcg_at_10 for found in one.figures}}
        for one in (training.report.slices if training.report else ())
        if one.figures
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
