"""A training: the order of its stages, what a failure leaves, the lock, and what it publishes."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from marquee.errors import DataError, InvalidInput, SettingsError
from marquee.features.dataset import Dataset
from marquee.registry.registry import Registry
from marquee.settings import Settings
from marquee_testing.fakes.bus import MemoryBus
from marquee_testing.trainings.toy_model import (
    TOY_FIT,
    Toy,
    ToyConfig,
    failing_stage,
    publish_to,
    published,
    toy_settings,
    toy_stage,
)
from trainer.models.fitting import ModelFit
from trainer.models.parameters import TrainingParameters, read_parameters
from trainer.runs.context import TrainingContext
from trainer.runs.options import TrainingOptions
from trainer.runs.publishing import ModelPublisher
from trainer.runs.records import TrainingRecords
from trainer.runs.run import run, select
from trainer.runs.stages import STAGES, Stage, data_stage, model_stage, publish_stage
from trainer.runs.training_lock import TrainingInProgress


def noted_stage(ran: list[str]) -> Stage:
    """A stage `data` that notes that it ran."""

    def note(_training: TrainingContext) -> str:
        ran.append("data")
        return ""

    return Stage("data", note)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return toy_settings(tmp_path / "state")


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus()


@pytest.fixture
def publish(bus: MemoryBus) -> Stage:
    return publish_to(bus)


def test_stages_run_in_the_order_of_the_list(settings: Settings, publish: Stage) -> None:
    ran: list[str] = []
    stages = [data_stage(), toy_stage("content"), toy_stage("hybrid"), publish]
    record = run(stages, settings, progress=lambda name, done, _: ran.append(f"{name} {done:g}"))
    fits = [f"{name} {done:g}" for name in ("content", "hybrid") for done in (0, 0.99, 1)]
    assert ran == ["data 0", "data 1", *fits, "publish 0", "publish 1"]
    names = ["data", "content", "hybrid", "publish"]
    assert [(s.name, s.status) for s in record.stages] == [(n, "succeeded") for n in names]
    assert all(s.seconds is not None and s.peak_mb for s in record.stages)


def test_a_named_stage_brings_what_it_needs_and_nothing_else(publish: Stage) -> None:
    stages = [data_stage(), toy_stage("content"), toy_stage("hybrid"), publish]
    chosen, _ = select(stages, ["hybrid"], publish=True)
    assert [stage.name for stage in chosen] == ["data", "hybrid", "publish"]
    chosen, _ = select(stages, ["hybrid"], publish=False)
    assert [stage.name for stage in chosen] == ["data", "hybrid"]


def test_an_unknown_stage_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InvalidInput, match="did you mean hybrid"):
        select(STAGES, ["hybird"], publish=True)


def test_a_stage_that_cannot_run_here_is_left_out_unless_it_is_asked_for() -> None:
    stages = [
        data_stage(),
        model_stage("neural", lambda: TOY_FIT, lambda: "none"),
    ]
    chosen, skipped = select(stages, [], publish=False)
    assert [stage.name for stage in chosen] == ["data"]
    assert skipped == {"neural": "none"}
    with pytest.raises(InvalidInput, match="neural cannot run: none"):
        select(stages, ["neural"], publish=False)


def test_a_training_publishes_a_verified_bundle(
    settings: Settings, bus: MemoryBus, publish: Stage
) -> None:
    stages = [data_stage(), toy_stage("content"), publish]
    parameters = TrainingParameters(7, {"content": {"size": 5}})
    record = run(stages, settings, parameters=parameters)
    (event,) = published(bus)
    directory = Registry(settings.registry).open(event.data.address, event.data.sha256)
    assert (directory / "toy.txt").read_text() == "4 ratings, size 5, seed 7"
    manifest = Registry(settings.registry).manifest("content", record.versions["content"])
    assert manifest.parameters == {"size": 5, "seed": 7, "likes": "from-ratings"}
    assert manifest.metrics == {"validation_loss": 0.25}
    assert manifest.data_version == record.data_version
    assert event.data.cut == record.cut == manifest.cut
    assert set(record.cut) >= {"ratings:0", "movies:3"}
    assert not TrainingRecords(settings.state).work(record.training_id).exists()


def test_a_failure_leaves_the_registry_and_the_log_untouched(
    settings: Settings, bus: MemoryBus, publish: Stage
) -> None:
    stages = [data_stage(), toy_stage("content"), failing_stage("hybrid"), publish]
    with pytest.raises(DataError, match="too few ratings"):
        run(stages, settings)
    assert Registry(settings.registry).versions("content") == []
    assert published(bus) == []
    (record,) = TrainingRecords(settings.state).all()
    assert (record.status, record.error) == ("failed", "too few ratings")
    assert [s.status for s in record.stages] == ["succeeded", "succeeded", "failed", "waiting"]
    assert not TrainingRecords(settings.state).work(record.training_id).exists()


def test_a_version_that_the_gate_refuses_is_not_published(
    settings: Settings, bus: MemoryBus, publish: Stage
) -> None:
    first = run([data_stage(), toy_stage("content"), publish], settings)
    gate = ModelPublisher(
        lambda _: bus,
        lambda _settings, name: first.versions.get(name),
        lambda new, serving: (
            "worse"
            if new.metrics["validation_loss"] >= serving.metrics["validation_loss"]
            else None
        ),
    )
    stages = [data_stage(), toy_stage("content"), toy_stage("hybrid"), publish_stage(gate)]
    record = run(stages, settings, parameters=TrainingParameters(2))
    assert record.refused == {"content": "worse"}
    assert list(record.versions) == ["hybrid"]
    assert Registry(settings.registry).versions("content") == [first.versions["content"]]


def test_without_publishing_the_bundles_are_kept_for_a_look(
    settings: Settings, publish: Stage
) -> None:
    stages = [data_stage(), toy_stage("content"), publish]
    record = run(stages, settings, TrainingOptions(publish=False))
    assert (Path(record.bundles["content"]) / "toy.txt").exists()
    assert Registry(settings.registry).versions("content") == []


def test_only_one_training_runs_at_a_time(settings: Settings, publish: Stage) -> None:
    trainings = TrainingRecords(settings.state)
    with trainings.locked("first"):
        assert trainings.running() == "first"
        with pytest.raises(TrainingInProgress, match="first is under way"):
            run([data_stage(), publish], settings)
    assert trainings.running() is None
    assert run([data_stage(), publish], settings).status == "succeeded"


def test_an_empty_history_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="marquee data import"):
        run([data_stage()], Settings(state=tmp_path), TrainingOptions(publish=False))


KILLED = """
    import sys, time
    from pathlib import Path
    from marquee.settings import Settings
    from trainer.runs.options import TrainingOptions
    from trainer.runs.run import run
    from trainer.runs.stages import Stage, data_stage

    def hang(training):
        (training.work / "content").mkdir()
        print("hangs", flush=True)
        time.sleep(600)

    settings = Settings(state=Path(sys.argv[1]))
    run([data_stage(), Stage("content", hang)], settings, TrainingOptions(publish=False))
"""


def test_a_killed_training_is_known_as_failed_and_can_be_run_again(
    settings: Settings, publish: Stage
) -> None:
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(settings.state)]
    trainings = TrainingRecords(settings.state)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        while child.stdout.readline() not in ("hangs\n", ""):
            pass
        (record,) = trainings.all()
        assert (record.status, trainings.running()) == ("running", record.training_id)
        os.kill(child.pid, signal.SIGKILL)
    (killed,) = trainings.all()
    assert killed.status == "failed"
    assert "interrupted" in str(killed.error)
    assert Registry(settings.registry).versions("content") == []
    again = run([data_stage(), toy_stage("content"), publish], settings)
    assert again.status == "succeeded"
    assert not trainings.work(killed.training_id).exists()


def test_epochs_of_a_fit_are_told_to_progress(settings: Settings) -> None:
    class EpochConfig(ToyConfig):
        epochs: int = 2

    def fit(
        _dataset: Dataset, config: EpochConfig, _seed: int, on_epoch: Callable[..., None]
    ) -> Toy:
        for epoch in range(config.epochs):
            on_epoch(epoch, {"loss": 1 / (epoch + 1)})
        return Toy("")

    told: list[tuple[float, str]] = []
    stage = model_stage(
        "neural", lambda: ModelFit(EpochConfig, fit, lambda config: int(config.epochs))
    )
    run(
        [data_stage(), stage],
        settings,
        TrainingOptions(publish=False),
        progress=lambda name, done, words: told.append((done, words)) if name == "neural" else None,
    )
    assert told[1:3] == [(0.5, "loss 1.0000"), (0.99, "loss 0.5000")]


def test_an_unknown_parameter_is_refused_before_any_stage_runs(settings: Settings) -> None:
    ran: list[str] = []
    with pytest.raises(SettingsError, match="unknown key sise; the nearest is size"):
        run(
            [noted_stage(ran), toy_stage("content")],
            settings,
            TrainingOptions(publish=False),
            TrainingParameters(1, {"content": {"sise": 4}}),
        )
    assert ran == []
    assert TrainingRecords(settings.state).all() == []


def test_an_unknown_section_of_the_file_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_text("seed: 3\nusermodel: {}\n")
    with pytest.raises(SettingsError, match="unknown key usermodel; the nearest is user-model"):
        read_parameters(file)


def test_the_parameters_of_the_repository_are_read() -> None:
    parameters = read_parameters(Path(__file__).resolve().parents[3] / "params.yaml")
    assert parameters.seed == 1


def test_the_stages_of_the_trainer_cover_every_model() -> None:
    names = [stage.name for stage in STAGES]
    assert names == ["data", "content", "hybrid", "user-model", "neural", "evaluate", "publish"]


def test_a_stage_knows_that_the_data_was_not_read(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="data has not run"):
        _ = TrainingContext("id", settings, TrainingParameters(), tmp_path).dataset


def test_a_bus_that_is_away_is_noticed_before_hours_of_work(
    settings: Settings, bus: MemoryBus, publish: Stage
) -> None:
    ran: list[str] = []
    bus.available = False
    with pytest.raises(Exception, match="the bus is down"):
        run([noted_stage(ran), publish], settings)
    assert ran == []
