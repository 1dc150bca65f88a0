"""The stages of a training: data → each model → evaluate → publish. This list is their definition.

Nothing that serves is touched before `publish`: models are made in the training's own folder.
"""

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from marquee import telemetry
from marquee.domain.models import MODEL_SPECS
from marquee.errors import DataError
from marquee.registry.bundle import add_metrics, seal, verify
from marquee.registry.registry import Registry
from trainer.history.history import History
from trainer.models.fits import FITS, Fit, Fitted
from trainer.runs.context import TrainingContext
from trainer.runs.evaluation_stage import evaluate_training, worse
from trainer.runs.publishing import ModelPublisher
from trainer.segments.preferences import with_preferences
from trainer.segments.tracking import track_segments


@dataclass(frozen=True)
class Stage:
    """A step of a training. `run` returns a few words on its result.

    `needs` are stages that always run before it; `lacks` says what is missing here to run it;
    `check` raises, before the first stage runs, what would make this one fail for sure.
    """

    name: str
    run: Callable[[TrainingContext], str]
    needs: tuple[str, ...] = ()
    lacks: Callable[[], str | None] = lambda: None
    check: Callable[[TrainingContext], None] = lambda _training: None


def data_stage() -> Stage:
    """Return the stage that reads the history."""

    def run(training: TrainingContext) -> str:
        settings = training.settings
        training.data, training.cut = History(settings.history, settings.partitions).dataset()
        ratings, movies = len(training.data), len(training.data.movies)
        if not ratings or not movies:
            raise DataError("there is nothing to train on: run `marquee data import` first")
        return f"{ratings:,} ratings of {movies:,} films"

    return Stage("data", run)


def model_stage(
    name: str, load: Callable[[], Fit], lacks: Callable[[], str | None] = lambda: None
) -> Stage:
    """Return the stage that fits a model, saves it and seals the bundle."""

    def run(training: TrainingContext) -> str:
        fit = load()
        config = training.parameters.config(name, fit.config)
        if MODEL_SPECS[name].has_segments:
            config = with_preferences(config, training.settings.state)
        values = config.model_dump(mode="json") | {"seed": training.parameters.seed}
        training.tracking.start_model(name, values)
        model, metrics = _fitted(training, name, fit, config)
        bundle = _save(training, name, model, values, metrics)
        training.bundles[name] = bundle
        manifest = verify(bundle)
        training.tracking.finish_model(name, bundle, manifest)
        track_segments(training.tracking, name, bundle, training.work)
        figures = ", ".join(f"{key} {value:.4g}" for key, value in manifest.metrics.items())
        return figures or f"{len(manifest.files)} artifacts"

    def check(training: TrainingContext) -> None:
        training.parameters.config(name, load().config)

    return Stage(name, run, ("data",), lacks, check)


def evaluate_stage() -> Stage:
    """Return the stage that measures the new models; its figures go into their manifests."""

    def run(training: TrainingContext) -> str:
        found: Mapping[str, Mapping[str, float]] = evaluate_training(training)
        registry = Registry(training.settings.registry)
        for name, metrics in found.items():
            if name in training.bundles:
                add_metrics(training.bundles[name], metrics)
                training.tracking.add_metrics(name, metrics)
            if name in training.versions:  # the first of all is published before it is measured
                registry.add_metrics(name, training.versions[name], metrics)
        if training.report is not None:
            training.tracking.report(training.report)
        return f"{sum(map(len, found.values()))} figures"

    return Stage("evaluate", run, needs=("data",))


def publish_stage(publisher: ModelPublisher | None = None) -> Stage:
    """Return the stage that puts bundles into the registry and announces them on the bus."""

    def run(training: TrainingContext) -> str:
        outcome = (publisher or ModelPublisher(gate=worse)).publish(
            training.settings, training.bundles
        )
        training.versions, training.refused = outcome.versions, outcome.refused
        for name, version in outcome.versions.items():
            training.tracking.published(name, version)
        for name, reason in outcome.refused.items():
            telemetry.log.warning("version refused", model=name, reason=reason)
        return ", ".join(outcome.versions) or "nothing"

    def check(training: TrainingContext) -> None:
        (publisher or ModelPublisher()).check(training.settings)

    return Stage("publish", run, check=check)


def _lacks_torch() -> str | None:
    if importlib.util.find_spec("torch"):
        return None
    return "torch is not installed here; train it with the Python of .venv-trainer"


STAGES: tuple[Stage, ...] = (
    data_stage(),
    *(
        model_stage(name, FITS[name], _lacks_torch if spec.needs_torch else lambda: None)
        for name, spec in MODEL_SPECS.items()
    ),
    evaluate_stage(),
    publish_stage(),
)
"""In the order in which they run."""


def _fitted(
    training: TrainingContext, name: str, fit: Fit, config: BaseModel
) -> tuple[Fitted, Mapping[str, float]]:
    """Return the model and the figures of its best epoch on validation, where it has epochs."""
    seed = training.parameters.seed
    if fit.epochs is None:
        return fit.fit(training.dataset, config, seed), {}
    most, told = fit.epochs(config), training.curves.setdefault(name, [])

    def on_epoch(epoch: int, metrics: Mapping[str, float]) -> None:
        told.append(metrics)
        training.tracking.epoch(name, epoch, metrics)
        words = ", ".join(f"{key} {value:.4f}" for key, value in metrics.items())
        training.progress(name, min(0.99, (epoch + 1) / most), words)

    model = fit.fit(training.dataset, config, seed, on_epoch=on_epoch)
    best = min(told, key=lambda metrics: metrics.get("rmse", 0.0), default={})
    figures = {f"validation_{key}": value for key, value in best.items()}
    return model, figures


def _save(
    training: TrainingContext,
    name: str,
    model: Fitted,
    values: Mapping[str, Any],
    metrics: Mapping[str, float],
) -> Path:
    """Return the sealed bundle; it is there whole or not at all."""
    part, bundle = training.work / f".{name}.part", training.work / name
    part.mkdir(parents=True)
    model.save(part)
    seal(
        part,
        name,
        data_version=training.dataset.version,
        code_version=training.code_version,
        parameters=values,
        metrics=metrics,
        cut=training.cut,
    )
    part.rename(bundle)
    return bundle
