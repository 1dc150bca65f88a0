"""Tracking in a real MLflow: runs, the curve, the files, the registered version and its aliases."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from marquee.domain.movies import Movie
from marquee.errors import DataError
from marquee.features.dataset import Dataset, make_dataset
from marquee.registry.registry import Registry
from marquee.settings import Settings
from marquee_testing.fakes.bus import MemoryBus
from trainer.cli.evaluate import track
from trainer.history.history import History
from trainer.models.fitting import ModelFit
from trainer.models.parameters import TrainingParameters
from trainer.report.model import RecommenderMetrics, Report, SliceReport
from trainer.runs.options import TrainingOptions
from trainer.runs.publishing import ModelPublisher
from trainer.runs.records import TrainingRecord
from trainer.runs.retention import tidy
from trainer.runs.run import run
from trainer.runs.stages import Stage, data_stage, model_stage, publish_stage
from trainer.tracking.client import open_client
from trainer.tracking.mlflow import EXPERIMENT, mirror_rollback, open_tracking

pytestmark = [pytest.mark.trainer, pytest.mark.filterwarnings("default")]


class ToyConfig(BaseModel):
    size: int = 3
    epochs: int = 3


class Toy:
    def __init__(self, seed: int) -> None:
        self.seed = seed

    def save(self, directory: Path) -> None:
        (directory / "toy.txt").write_text(f"weights {self.seed}")


def fit(_dataset: Dataset, config: ToyConfig, seed: int, on_epoch: Callable[..., None]) -> Toy:
    for epoch in range(config.epochs):
        on_epoch(epoch, {"loss": 1 / (epoch + 1)})
    return Toy(seed)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(state=tmp_path)
    ids = np.array([1, 2])
    movies = [Movie(movie_id=1, title="One"), Movie(movie_id=2, title="Two")]
    dataset = make_dataset(ids, ids, np.array([8, 4], np.uint8), ids, movies)
    History(settings.history, settings.partitions).import_dataset(dataset)
    return settings


@pytest.fixture
def client(settings: Settings) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return open_client(settings)


def stages() -> list[Stage]:
    bus = MemoryBus()
    neural = model_stage(
        "neural", lambda: ModelFit(ToyConfig, fit, lambda config: int(config.epochs))
    )
    return [data_stage(), neural, publish_stage(ModelPublisher(lambda _: bus, lambda *_: None))]


def train_twice(settings: Settings) -> tuple[TrainingRecord, TrainingRecord]:
    """Run two trainings that differ by their seed."""
    first = run(stages(), settings, parameters=TrainingParameters(1))
    return first, run(stages(), settings, parameters=TrainingParameters(2))


def runs(client: Any, record: TrainingRecord) -> dict[str, Any]:
    """Return the runs of a training by name."""
    experiment = client.get_experiment_by_name(EXPERIMENT)
    found = client.search_runs(
        [experiment.experiment_id], f"tags.training_id = '{record.training_id}'"
    )
    return {run.info.run_name: run for run in found}


def test_a_training_is_tracked_with_parameters_curve_files_and_aliases(
    settings: Settings, client: Any
) -> None:
    first, second = train_twice(settings)
    found = runs(client, second)
    assert set(found) == {second.training_id, "neural"}
    model, parent = found["neural"], found[second.training_id]
    assert model.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert model.data.params == {
        "size": "3", "epochs": "3", "seed": "2", "likes": "from-ratings",
    }  # fmt: skip
    assert model.data.tags["data_version"] == second.data_version
    assert model.data.tags["code_version"] == second.code_version
    assert model.data.metrics["validation_loss"] == 1.0
    assert {"seconds/data", "seconds/neural", "peak_mib/publish"} <= set(parent.data.metrics)
    assert parent.data.tags["data_version"] == second.data_version
    assert parent.data.tags["code_version"] == second.code_version
    for run_ in (parent, model):
        (used,) = run_.inputs.dataset_inputs
        assert (used.dataset.name, used.dataset.digest) == ("history", second.data_version[:12])
    curve = client.get_metric_history(model.info.run_id, "loss")
    assert [(point.step, point.value) for point in curve] == [(0, 1), (1, 0.5), (2, 1 / 3)]
    files = {file.path for file in client.list_artifacts(model.info.run_id, "bundle")}
    assert files == {"bundle/toy.txt", "bundle/manifest.json"}
    assert {run.info.status for run in found.values()} == {"FINISHED"}

    champion = client.get_model_version_by_alias("marquee-neural", "champion")
    previous = client.get_model_version_by_alias("marquee-neural", "previous")
    assert champion.tags["marquee"] == second.versions["neural"]
    assert previous.tags["marquee"] == first.versions["neural"]
    assert champion.run_id == model.info.run_id
    assert "challenger" not in client.get_registered_model("marquee-neural").aliases
    assert list((settings.state / "mlflow" / "artifacts").iterdir())


def test_a_version_that_does_not_serve_is_the_challenger(settings: Settings, client: Any) -> None:
    first = run(stages(), settings, parameters=TrainingParameters(1))
    refused = stages()
    gate = ModelPublisher(
        lambda _: MemoryBus(),
        lambda _settings, name: first.versions[name],
        lambda _new, _serving: "worse",
    )
    refused[-1] = publish_stage(gate)
    second = run(refused, settings, parameters=TrainingParameters(2))
    challenger = client.get_model_version_by_alias("marquee-neural", "challenger")
    champion = client.get_model_version_by_alias("marquee-neural", "champion")
    assert champion.tags["marquee"] == first.versions["neural"]
    assert challenger.run_id == runs(client, second)["neural"].info.run_id


def test_stages_in_processes_of_their_own_share_the_runs_of_their_training(
    settings: Settings, client: Any
) -> None:
    first = open_tracking(settings, "shared", ["data", "neural"])
    first.start_model("neural", {"size": 3})
    second = open_tracking(settings, "shared", ["data", "neural"])
    second.add_metrics("neural", {"ndcg@10": 0.25})
    second.end(None)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    found = client.search_runs([experiment.experiment_id], "tags.training_id = 'shared'")
    assert {run.info.run_name: run.info.status for run in found} == {
        "shared": "FINISHED",
        "neural": "FINISHED",
    }
    (model,) = (run for run in found if run.info.run_name == "neural")
    assert model.data.metrics == {"ndcg_at_10": 0.25}


def test_a_failed_training_is_tracked_as_failed(settings: Settings, client: Any) -> None:
    def fail(_training: object) -> str:
        raise DataError("no luck")

    order = TrainingOptions(publish=False, training_id="failing")
    with pytest.raises(DataError):
        run([*stages()[:2], Stage("evaluate", fail)], settings, order)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    found = client.search_runs([experiment.experiment_id], "tags.error = 'no luck'")
    assert [run.info.status for run in found] == ["FAILED"]


def test_an_mlflow_that_is_away_stops_no_training(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    away = settings.model_copy(update={"mlflow_uri": f"sqlite:///{tmp_path}/file/mlflow.db"})
    assert run(stages(), away).status == "succeeded"


def test_an_alias_follows_a_rollback(settings: Settings, client: Any) -> None:
    first, second = train_twice(settings)
    mirror_rollback(settings, "neural", first.versions["neural"])
    champion = client.get_model_version_by_alias("marquee-neural", "champion")
    assert champion.tags["marquee"] == first.versions["neural"] != second.versions["neural"]


def test_versions_that_the_registry_holds_no_more_lose_their_files_but_not_their_runs(
    settings: Settings, client: Any
) -> None:
    bus, serving = MemoryBus(), dict[str, str]()
    few = settings.model_copy(update={"keep_versions": 1})
    neural = model_stage(
        "neural", lambda: ModelFit(ToyConfig, fit, lambda config: int(config.epochs))
    )
    stages = [data_stage(), neural, publish_stage(ModelPublisher(lambda _: bus, lambda *_: None))]
    records = [run(stages, few, parameters=TrainingParameters(seed)) for seed in (1, 2, 3, 4)]
    versions = [record.versions["neural"] for record in records]
    assert Registry(settings.registry).versions("neural") == versions  # no store says what serves
    serving["neural"] = versions[3]
    tidied = tidy(few, lambda *_: serving)
    assert tidied.versions == {"neural": versions[:2]}
    assert tidied.tracked == ["marquee-neural/2", "marquee-neural/1"]

    left = client.search_model_versions("name='marquee-neural'")
    assert {version.tags["marquee"] for version in left} == set(versions[2:])
    assert set(client.get_registered_model("marquee-neural").aliases) == {"champion", "previous"}
    for record, files in zip(records, (0, 0, 2, 2), strict=True):
        found = runs(client, record)["neural"]
        assert len(client.list_artifacts(found.info.run_id, "bundle")) == files
        assert found.data.metrics["validation_loss"] == 1.0
        assert found.data.tags.get("bundle") == (None if files else "expired")
    assert tidy(few, lambda *_: serving).tracked == []


def test_versions_that_were_never_published_expire_too(settings: Settings, client: Any) -> None:
    neural = model_stage(
        "neural", lambda: ModelFit(ToyConfig, fit, lambda config: int(config.epochs))
    )
    for seed in (1, 2, 3):
        run(
            [data_stage(), neural],
            settings,
            TrainingOptions(publish=False),
            TrainingParameters(seed),
        )
    few = settings.model_copy(update={"keep_versions": 1})
    Registry(settings.registry).sweep()
    settings.registry.mkdir()
    assert tidy(few, lambda *_: {"neural": "of another registry"}).tracked == [
        "marquee-neural/2",
        "marquee-neural/1",
    ]
    aliases = client.get_registered_model("marquee-neural").aliases
    assert {name: str(number) for name, number in aliases.items()} == {"challenger": "3"}


def test_an_evaluation_is_tracked_with_its_figures_and_report(settings: Settings) -> None:
    figures = RecommenderMetrics(
        name="EASE", recall_at_20=0.1, ndcg_at_10=0.25, ndcg_at_100=0.3, coverage=0.4
    )
    one = SliceReport(name="80 % of 20+", route="neural", figures=(figures,))
    report = Report(
        data_version="d", code_version="c", users=1, films=1, splits=(), seed=1, slices=(one,)
    )
    track(report, settings)
    client = open_client(settings)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    [run_of] = client.search_runs([experiment.experiment_id])
    assert run_of.info.status == "FINISHED"
    assert run_of.data.metrics["slice/80_percent_of_20_and_more/EASE/ndcg_at_10"] == 0.25
    files = {file.path for file in client.list_artifacts(run_of.info.run_id, "report")}
    assert files == {"report/report.html", "report/report.json", "report/report.md"}
