"""The first publication precedes the evaluation; what refuses a version; how a training ends."""

from pathlib import Path

import numpy as np
import pytest

from marquee.errors import DataError
from marquee.registry.bundle import add_metrics
from marquee.registry.registry import Registry
from marquee.settings import Settings
from marquee_testing.fakes.bus import MemoryBus
from marquee_testing.trainings.toy_model import (
    TOY_METRICS,
    Toy,
    ToyConfig,
    failing_stage,
    publish_to,
    published,
    toy_settings,
    toy_stage,
)
from trainer.history.history import History
from trainer.history.log_segments import RatingRow
from trainer.models.fitting import ModelFit
from trainer.models.parameters import TrainingParameters
from trainer.runs.context import TrainingContext
from trainer.runs.publishing import ModelPublisher
from trainer.runs.records import TrainingRecords
from trainer.runs.run import run
from trainer.runs.stages import Stage, data_stage, evaluate_stage, model_stage, publish_stage


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return toy_settings(tmp_path / "state")


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus()


@pytest.fixture
def publish(bus: MemoryBus) -> Stage:
    return publish_to(bus)


def measured_stage(seen: list[list[str]], registry: Registry) -> Stage:
    """A stage `evaluate` that notes what is published by then, and measures all alike."""

    def measure(training: TrainingContext) -> str:
        seen.append(list(training.versions))
        for name, bundle in training.bundles.items():
            add_metrics(bundle, {"ndcg@10": 0.5})
            if name in training.versions:
                registry.add_metrics(name, training.versions[name], {"ndcg@10": 0.5})
        return ""

    return Stage("evaluate", measure, ("data",))


def test_the_first_versions_are_published_before_they_are_measured_and_later_ones_after(
    settings: Settings, bus: MemoryBus, publish: Stage
) -> None:
    registry, seen = Registry(settings.registry), list[list[str]]()
    stages = [data_stage(), toy_stage("content"), measured_stage(seen, registry), publish]
    first = run(stages, settings)
    assert [stage.name for stage in first.stages] == ["data", "content", "publish", "evaluate"]
    second = run(stages, settings, parameters=TrainingParameters(2))
    assert [stage.name for stage in second.stages] == ["data", "content", "evaluate", "publish"]
    assert seen == [["content"], []]
    for event, record in zip(published(bus), (first, second), strict=True):
        manifest = registry.manifest("content", record.versions["content"])
        assert manifest.metrics == TOY_METRICS | {"ndcg@10": 0.5}
        assert manifest.digest == event.data.sha256
        registry.open(event.data.address, event.data.sha256)


def test_figures_of_the_first_evaluation_are_added_to_the_versions_that_serve(
    settings: Settings, bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {"content": {"ndcg@10": 0.5}}
    monkeypatch.setattr("trainer.runs.stages.evaluate_training", lambda _training: found)
    publish = publish_stage(ModelPublisher(lambda _: bus, lambda *_: None))
    record = run([data_stage(), toy_stage("content"), evaluate_stage(), publish], settings)
    manifest = Registry(settings.registry).manifest("content", record.versions["content"])
    assert manifest.metrics == TOY_METRICS | {"ndcg@10": 0.5}


def test_a_training_that_fails_in_its_first_evaluation_has_published_its_models(
    settings: Settings, bus: MemoryBus, publish: Stage
) -> None:
    def fail(_training: TrainingContext) -> str:
        raise DataError("no luck")

    stages = [data_stage(), toy_stage("content"), Stage("evaluate", fail, ("data",)), publish]
    with pytest.raises(DataError):
        run(stages, settings)
    (record,) = TrainingRecords(settings.state).all()
    assert (record.status, list(record.versions)) == ("failed", ["content"])
    assert len(published(bus)) == 1


def test_a_number_that_is_not_finite_refuses_that_version_alone(
    settings: Settings, bus: MemoryBus, publish: Stage
) -> None:
    class Ill(Toy):
        def save(self, directory: Path) -> None:
            np.savez(directory / "factors.npz", vectors=np.array([1.0, np.nan]))

    ill = model_stage("hybrid", lambda: ModelFit(ToyConfig, lambda *_: Ill("")))
    record = run([data_stage(), toy_stage("content"), ill, publish], settings)
    reason = "factors.npz: vectors has a value that is not a finite number"
    assert record.refused == {"hybrid": reason}
    assert list(record.versions) == ["content"]
    assert [event.data.name for event in published(bus)] == ["content"]
    assert Registry(settings.registry).versions("hybrid") == []


def test_a_training_ends_with_a_compaction_and_one_that_fails_does_not(
    settings: Settings, publish: Stage
) -> None:
    history = History(settings.history, settings.partitions)
    rows = [RatingRow(offset, "added", 7, offset + 1, 9, 0) for offset in range(2)]
    history.append("ratings", 0, 0, 2, rows)
    with pytest.raises(DataError):
        run([data_stage(), failing_stage("hybrid"), publish], settings)
    assert [path.name for path in settings.history.glob("snapshot-*")] == ["snapshot-000000"]
    before = history.dataset()
    record = run([data_stage(), toy_stage("content"), publish], settings)
    assert [path.name for path in settings.history.glob("snapshot-*")] == ["snapshot-000001"]
    after = history.dataset()
    assert (after[0].version, after[1]) == (before[0].version, before[1])
    assert (record.data_version, record.cut) == (before[0].version, before[1])
