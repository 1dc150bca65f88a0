"""Tracking of trainings in MLflow: a run per training, with a child run per model.

Versions live in the registry; MLflow mirrors by an alias which of them serves. Tracking never stops
a training: errors of MLflow are logged.
"""

import importlib.util
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from marquee import telemetry
from marquee.registry.bundle import MANIFEST, Manifest
from marquee.settings import Settings
from trainer.models.diff import flat
from trainer.report.mlflow_metrics import metrics_of
from trainer.report.model import Report
from trainer.report.writers import write_report
from trainer.tracking.client import errors, log_data, open_client, registered_name

EXPERIMENT = "marquee"
CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
"""Aliases of the serving version, the newest other version, and the one that served before."""
_LARGEST = 50 * 2**20
"""Bytes of the largest file that is logged; larger ones are only in the registry."""
_AT_ONCE = 1000
"""Metrics that a server accepts in one call."""

KIND = "mlflow.experimentKind"
"""Tag of an experiment that selects MLflow's pages for models, not for language models."""
PARENT, NOTE = "mlflow.parentRunId", "mlflow.note.content"
"""Tags of a run: its parent, and its description."""
_TRAINING = """\
A training: the run of each model is below this one. `seconds/…` and `peak_mib/…` tell what each
stage took; the artifact `report/report.html` is the evaluation."""
_MODEL = """\
`bundle/` is the version as it is published. Curves: the step of `loss`, `rmse` and `mae` (in stars,
on held-out ratings) is the epoch; that of `movies_k/…` and `users_k/…` the number of segments."""


class Tracking(Protocol):
    """Receiver of the progress of a training; calls come in this order for each model."""

    def start_model(self, name: str, parameters: Mapping[str, Any]) -> None:
        """Begin the run of a model before its fit."""
        ...

    def epoch(self, name: str, epoch: int, metrics: Mapping[str, float]) -> None:
        """Log the metrics of an epoch."""
        ...

    def finish_model(self, name: str, bundle: Path, manifest: Manifest) -> None:
        """Log a sealed bundle and end the run of its model."""
        ...

    def add_metrics(self, name: str, metrics: Mapping[str, float]) -> None:
        """Log metrics of the evaluation."""
        ...

    def report(self, report: Report) -> None:
        """Log the report of the evaluation."""
        ...

    def add_file(self, name: str, path: Path) -> None:
        """Log a file on a model that is not in its bundle."""
        ...

    def published(self, name: str, version: str) -> None:
        """Move the aliases to a version that serves from now on."""
        ...

    def stage(self, name: str, figures: Mapping[str, float], tags: Mapping[str, str]) -> None:
        """Log the costs of a finished stage, and tags of the training."""
        ...

    def end(self, error: str | None) -> None:
        """End all runs, as failed if there is an error."""
        ...


class NoTracking:
    """Tracking that is off."""

    def start_model(self, name: str, parameters: Mapping[str, Any]) -> None:
        """Do nothing."""

    def epoch(self, name: str, epoch: int, metrics: Mapping[str, float]) -> None:
        """Do nothing."""

    def finish_model(self, name: str, bundle: Path, manifest: Manifest) -> None:
        """Do nothing."""

    def add_metrics(self, name: str, metrics: Mapping[str, float]) -> None:
        """Do nothing."""

    def report(self, report: Report) -> None:
        """Do nothing."""

    def add_file(self, name: str, path: Path) -> None:
        """Do nothing."""

    def published(self, name: str, version: str) -> None:
        """Do nothing."""

    def stage(self, name: str, figures: Mapping[str, float], tags: Mapping[str, str]) -> None:
        """Do nothing."""

    def end(self, error: str | None) -> None:
        """Do nothing."""


def open_tracking(settings: Settings, training_id: str, stages: Sequence[str]) -> Tracking:
    """Return tracking by MLflow; tracking that is off if it is not installed or unavailable."""
    if importlib.util.find_spec("mlflow") is None:
        telemetry.log.info("tracking is off", reason="mlflow is not installed here")
        return NoTracking()
    try:
        return MlflowTracking(open_client(settings), settings, training_id, stages)
    except errors() as error:
        telemetry.log.warning("tracking is off", reason=str(error))
        return NoTracking()


def mirror(client: Any, name: str, version: str) -> None:
    """Point the alias `champion` to a version, and `previous` to the champion before it."""
    model = registered_name(name)
    versions = client.search_model_versions(f"name='{model}'")
    target = next(v for v in versions if v.tags["marquee"] == version)
    aliases = client.get_registered_model(model).aliases
    before = aliases.get(CHAMPION)
    if before is not None and str(before) != str(target.version):
        client.set_registered_model_alias(model, PREVIOUS, before)
    if str(aliases.get(CHALLENGER)) == str(target.version):
        client.delete_registered_model_alias(model, CHALLENGER)
    client.set_registered_model_alias(model, CHAMPION, target.version)


def mirror_rollback(settings: Settings, name: str, version: str) -> None:
    """Point the alias to a version that serves again, if trainings are tracked."""
    tracked = settings.mlflow_uri or (settings.state / "mlflow" / "mlflow.db").exists()
    if not tracked or importlib.util.find_spec("mlflow") is None:
        return
    try:
        mirror(open_client(settings), name, version)
    except errors() as error:
        telemetry.log.warning("the alias was not moved", model=name, reason=str(error))


class MlflowTracking:
    """Tracking by MLflow; after an error the rest of the training is not tracked."""

    def __init__(
        self, client: Any, settings: Settings, training_id: str, stages: Sequence[str]
    ) -> None:
        self._client = client
        self._experiment = _experiment(client, settings)
        self._training_id = training_id
        parent, self._runs = self._known()
        self._parent = parent or self._start(
            training_id, {NOTE: _TRAINING, "stages": ", ".join(stages)}
        )
        self._on = True

    def start_model(self, name: str, parameters: Mapping[str, Any]) -> None:
        def start() -> None:
            run_id = self._start(name, {PARENT: self._parent, NOTE: _MODEL, "model": name})
            self._runs[name] = run_id
            self._client.log_batch(run_id, params=_params(parameters))

        self._guard(start)

    def epoch(self, name: str, epoch: int, metrics: Mapping[str, float]) -> None:
        self._guard(lambda: self._log(name, metrics, epoch))

    def finish_model(self, name: str, bundle: Path, manifest: Manifest) -> None:
        def finish() -> None:
            run_id = self._runs[name]
            for key in ("version", "data_version", "code_version"):
                self._client.set_tag(run_id, key, getattr(manifest, key))
            log_data(self._client, run_id, manifest.data_version)
            self._log(name, manifest.metrics, 0)
            for path in (bundle / file for file in (*manifest.files, MANIFEST)):
                if path.stat().st_size <= _LARGEST:
                    folder = path.relative_to(bundle).parent
                    self._client.log_artifact(run_id, str(path), str(Path("bundle") / folder))
            self._register(name, run_id, manifest)
            self._client.set_terminated(run_id)  # so that its duration is that of the fit

        self._guard(finish)

    def add_metrics(self, name: str, metrics: Mapping[str, float]) -> None:
        self._guard(lambda: self._log(name, metrics, 0))

    def report(self, report: Report) -> None:
        def log() -> None:
            for metrics in _metrics(report):
                self._client.log_batch(self._parent, metrics=metrics)
            with tempfile.TemporaryDirectory() as folder:
                write_report(report, Path(folder))
                self._client.log_artifacts(self._parent, folder, "report")

        self._guard(log)

    def add_file(self, name: str, path: Path) -> None:
        self._guard(lambda: self._client.log_artifact(self._runs[name], str(path)))

    def stage(self, name: str, figures: Mapping[str, float], tags: Mapping[str, str]) -> None:
        def log() -> None:
            for key, value in figures.items():  # a page groups what is before the slash
                self._client.log_metric(self._parent, f"{key}/{name}", value)
            for key, words in tags.items():
                self._client.set_tag(self._parent, key, words)
            if name == "data" and "data_version" in tags:
                log_data(self._client, self._parent, tags["data_version"])

        self._guard(log)

    def published(self, name: str, version: str) -> None:
        self._guard(lambda: mirror(self._client, name, version))

    def end(self, error: str | None) -> None:
        status = "FAILED" if error else "FINISHED"

        def end() -> None:
            if error:
                self._client.set_tag(self._parent, "error", error)
            for run_id in (*self._runs.values(), self._parent):
                if self._client.get_run(run_id).info.status == "RUNNING":
                    self._client.set_terminated(run_id, status)

        self._guard(end)

    def _known(self) -> tuple[str | None, dict[str, str]]:
        """Return the runs begun by stages in other processes: of the training, and by model."""
        condition = f"tags.training_id = '{self._training_id}'"
        runs = self._client.search_runs([self._experiment], condition, max_results=100)
        models = {run.data.tags.get("model"): str(run.info.run_id) for run in reversed(runs)}
        return models.pop(None, None), models

    def _start(self, name: str, tags: Mapping[str, str]) -> str:
        own = {"training_id": self._training_id, "mlflow.source.name": "marquee train", **tags}
        return str(self._client.create_run(self._experiment, tags=own, run_name=name).info.run_id)

    def _log(self, name: str, metrics: Mapping[str, float], step: int) -> None:
        for key, value in metrics.items():
            self._client.log_metric(self._runs[name], _metric_name(key), value, step=step)

    def _register(self, name: str, run_id: str, manifest: Manifest) -> None:
        model = registered_name(name)
        if not self._client.search_registered_models(f"name='{model}'"):
            self._client.create_registered_model(model)
        source = f"{self._client.get_run(run_id).info.artifact_uri}/bundle"
        created = self._client.create_model_version(
            model,
            source,
            run_id,
            tags={"marquee": manifest.version},
            description=f"data {manifest.data_version[:12]}, code {manifest.code_version}",
        )
        self._client.set_registered_model_alias(model, CHALLENGER, created.version)

    def _guard(self, call: Callable[[], None]) -> None:
        if not self._on:
            return
        try:
            call()
        except errors() as error:
            self._on = False
            telemetry.log.warning("tracking is off for this training", reason=str(error))


def _experiment(client: Any, settings: Settings) -> str:
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is not None:
        return str(experiment.experiment_id)
    artifacts = None
    if not settings.mlflow_uri:
        artifacts = (settings.state / "mlflow" / "artifacts").resolve().as_uri()
    return str(client.create_experiment(EXPERIMENT, artifacts, {KIND: "custom_model_development"}))


def _params(parameters: Mapping[str, Any]) -> list[Any]:
    from mlflow.entities import Param

    return [Param(key, str(value)[:500]) for key, value in flat(parameters).items()]


def _metrics(report: Report) -> list[list[Any]]:
    """Return the metrics of a report in batches that a server accepts."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    metrics = [Metric(name, value, now, 0) for name, value in metrics_of(report).items()]
    return [metrics[at : at + _AT_ONCE] for at in range(0, len(metrics), _AT_ONCE)]


def _metric_name(key: str) -> str:
    return key.replace("@", "_at_")
