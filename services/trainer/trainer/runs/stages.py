"""Stages of a training: data → each model → evaluate → publish, defined by the list `STAGES`.

Nothing that serves is touched before `publish`: models are made in the training's own folder.
"""

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from marquee import telemetry
from marquee.counts import counted
from marquee.domain.likes import likes_rule
from marquee.domain.models import MODEL_SPECS
from marquee.errors import DataError
from marquee.registry.bundle import add_metrics, seal, verify
from marquee.registry.registry import Registry
from trainer.datasets.rating_scale import rating_warnings
from trainer.history.history import History
from trainer.models.fitting import MODEL_FITS, FittedModel, ModelFit
from trainer.runs.context import TrainingContext
from trainer.runs.evaluation_stage import evaluate_training, worse
from trainer.runs.publishing import ModelPublisher
from trainer.segments.mlflow_plots import track_segments
from trainer.segments.preferences import with_preferences


@dataclass(frozen=True)
class Stage:
    """A step of a training.

    Attributes:
        name: Name of the stage.
        run: Runs it; returns a few words on its result.
        needs: Stages that always run before it.
        lacks: Returns what is missing here to run it, or None.
        check: Raises, before the first stage runs, errors that would certainly make it fail.
    """

    name: str
    run: Callable[[TrainingContext], str]
    needs: tuple[str, ...] = ()
    lacks: Callable[[], str | None] = lambda: None
    check: Callable[[TrainingContext], None] = lambda _context: None


def data_stage() -> Stage:
    """Return the stage that reads the history."""

    def run(context: TrainingContext) -> str:
        settings = context.settings
        context.data, context.cut = History(settings.history, settings.partitions).dataset()
        ratings, movies = len(context.data), len(context.data.movies)
        if not ratings or not movies:
            raise DataError("there is nothing to train on: run `marquee data import` first")
        warnings = rating_warnings(context.data)
        for warning in warnings:
            telemetry.log.warning("ratings of little use", detail=warning)
        return "; ".join([f"{counted(ratings, 'rating')} of {counted(movies, 'film')}", *warnings])

    return Stage("data", run)


def model_stage(
    name: str, load: Callable[[], ModelFit], lacks: Callable[[], str | None] = lambda: None
) -> Stage:
    """Return the stage that fits a model, saves it and seals the bundle."""

    def run(context: TrainingContext) -> str:
        fit = load()
        config = context.parameters.config(name, fit.config)
        if MODEL_SPECS[name].has_segments:
            config = with_preferences(config, context.settings.state)
        values = config.model_dump(mode="json") | {
            "seed": context.parameters.seed,
            "likes": likes_rule(),
        }
        context.tracking.start_model(name, values)
        model, metrics = _fitted(context, name, fit, config)
        bundle = _save(context, name, model, values, metrics)
        context.bundles[name] = bundle
        manifest = verify(bundle)
        context.tracking.finish_model(name, bundle, manifest)
        track_segments(context.tracking, name, bundle, context.work)
        figures = ", ".join(f"{key} {value:.4g}" for key, value in manifest.metrics.items())
        return figures or counted(len(manifest.files), "artifact")

    def check(context: TrainingContext) -> None:
        context.parameters.config(name, load().config)

    return Stage(name, run, ("data",), lacks, check)


def evaluate_stage() -> Stage:
    """Return the stage that measures the new models; the metrics are added to their manifests."""

    def run(context: TrainingContext) -> str:
        metrics_by_model: Mapping[str, Mapping[str, float]] = evaluate_training(context)
        registry = Registry(context.settings.registry)
        for name, metrics in metrics_by_model.items():
            if name in context.bundles:
                add_metrics(context.bundles[name], metrics)
                context.tracking.add_metrics(name, metrics)
            # The first versions of all are published before they are measured.
            if name in context.versions:
                registry.add_metrics(name, context.versions[name], metrics)
        if context.report is not None:
            context.tracking.report(context.report)
        return counted(sum(map(len, metrics_by_model.values())), "figure")

    return Stage("evaluate", run, needs=("data",))


def publish_stage(publisher: ModelPublisher | None = None) -> Stage:
    """Return the stage that puts bundles into the registry and announces them on the bus."""

    def run(context: TrainingContext) -> str:
        result = (publisher or ModelPublisher(gate=worse)).publish(
            context.settings, context.bundles
        )
        context.versions, context.refused = result.versions, result.refused
        for name, version in result.versions.items():
            context.tracking.published(name, version)
        for name, reason in result.refused.items():
            telemetry.log.warning("version refused", model=name, reason=reason)
        return ", ".join(result.versions) or "nothing"

    def check(context: TrainingContext) -> None:
        (publisher or ModelPublisher()).check(context.settings)

    return Stage("publish", run, check=check)


def _lacks_torch() -> str | None:
    if importlib.util.find_spec("torch"):
        return None
    return "torch is not installed here; train it with the Python of .venv-trainer"


STAGES: tuple[Stage, ...] = (
    data_stage(),
    *(
        model_stage(name, MODEL_FITS[name], _lacks_torch if spec.needs_torch else lambda: None)
        for name, spec in MODEL_SPECS.items()
    ),
    evaluate_stage(),
    publish_stage(),
)
"""The stages in the order in which they run."""


def _fitted(
    context: TrainingContext, name: str, fit: ModelFit, config: BaseModel
) -> tuple[FittedModel, Mapping[str, float]]:
    """Return the model, and the metrics of its best epoch on validation if it has epochs."""
    seed = context.parameters.seed
    if fit.epochs is None:
        return fit.fit(context.dataset, config, seed), {}
    max_epochs, epochs = fit.epochs(config), context.curves.setdefault(name, [])

    def on_epoch(epoch: int, metrics: Mapping[str, float]) -> None:
        epochs.append(metrics)
        context.tracking.epoch(name, epoch, metrics)
        words = ", ".join(f"{key} {value:.4f}" for key, value in metrics.items())
        context.progress(name, min(0.99, (epoch + 1) / max_epochs), words)

    model = fit.fit(context.dataset, config, seed, on_epoch=on_epoch)
    best = min(epochs, key=lambda metrics: metrics.get("rmse", 0.0), default={})
    figures = {f"validation_{key}": value for key, value in best.items()}
    return model, figures


def _save(
    context: TrainingContext,
    name: str,
    model: FittedModel,
    values: Mapping[str, Any],
    metrics: Mapping[str, float],
) -> Path:
    """Save and seal a model; the bundle appears whole or not at all."""
    part, bundle = context.work / f".{name}.part", context.work / name
    part.mkdir(parents=True)
    model.save(part)
    seal(
        part,
        name,
        data_version=context.dataset.version,
        code_version=context.code_version,
        parameters=values,
        metrics=metrics,
        cut=context.cut,
    )
    part.rename(bundle)
    return bundle
