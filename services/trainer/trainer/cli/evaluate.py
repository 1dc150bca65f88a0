"""The command `marquee evaluate`: evaluate, print, write and track a report."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from marquee.domain.routing import Thresholds
from marquee.errors import DataError
from marquee.features.dataset import Dataset
from marquee.settings import Settings
from trainer.datasets.reader import read_dataset
from trainer.evaluation.cache import EvaluationCache
from trainer.evaluation.evaluate import curves_of, evaluate
from trainer.evaluation.parallel import EvaluationJob, fill_cache
from trainer.evaluation.plan import EvaluationPlan
from trainer.history.history import History
from trainer.models.parameters import TrainingParameters, read_parameters
from trainer.report.model import Report
from trainer.report.quality_doc import quality_document
from trainer.report.tables.all_tables import print_report
from trainer.report.writers import write_report
from trainer.runs.records import TrainingRecords
from trainer.segments.maps import maps_of_record
from trainer.tracking.mlflow import open_tracking


@dataclass(frozen=True)
class EvaluationOptions:
    """Options of `marquee evaluate`: the plan, and the number of processes that share it."""

    plan: EvaluationPlan
    jobs: int = 1

    @property
    def quick(self) -> bool:
        """Whether the evaluation is only a quick look, which is not tracked."""
        return not self.plan.extras


def main(
    settings: Settings,
    options: EvaluationOptions,
    parameters: TrainingParameters | None = None,
    data: Path | None = None,
    docs: Path | None = None,
    as_json: bool = False,
) -> Report:
    """Evaluate, print the report and write it to STATE/evaluation.

    Args:
        settings: Settings of the system.
        options: What to evaluate.
        parameters: Hyperparameters; None: those of the setting `params`.
        data: A MovieLens release; None: the history.
        docs: Markdown file to write for readers of the repository.
        as_json: Print JSON instead of tables.

    Returns:
        The report.

    Raises:
        DataError: There are no ratings.
    """
    dataset = read_data(settings, data)
    whole_plan = options.plan.at(settings.diversity)
    plan, _ = whole_plan.usable(dataset)
    folder = settings.state / "evaluation"
    work = EvaluationJob(
        dataset,
        plan,
        parameters or read_parameters(settings.params),
        Thresholds.of(settings),
        EvaluationCache(folder / "cache"),
    )
    with Console(stderr=True).status("evaluation") as status:
        fill_cache(work, options.jobs, status.update)
        report = evaluate(
            dataset, work.parameters, work.thresholds, whole_plan, work.cache, say=status.update
        )
    report = with_training(report, settings)
    write_report(report, folder)
    if not options.quick:
        track(report, settings)
    if docs is not None:
        docs.write_text(quality_document(report))
    _print(report, as_json)
    return report


def _print(report: Report, as_json: bool) -> None:
    """Print a report as tables, wide where the output is no terminal, or as JSON."""
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = 200
    if as_json:
        console.file.write(report.model_dump_json(indent=1) + "\n")
    else:
        print_report(report, console)


def track(report: Report, settings: Settings) -> None:
    """Track a report in MLflow, if it is installed: metrics, tables and plots."""
    name = f"evaluation-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    tracking = open_tracking(settings, name, ("evaluate",))
    tracking.report(report)
    tracking.end(None)


def with_training(report: Report, settings: Settings) -> Report:
    """Add the learning curves and segments of the newest training to a report."""
    trained = TrainingRecords(settings.state).newest(succeeded=True)
    if trained is None:
        notes = (*report.notes, "no training here yet: neither learning curves nor segments")
        return report.model_copy(update={"notes": notes})
    curves, segments = (
        curves_of(trained.curves),
        maps_of_record(trained.versions, trained.bundles, settings),
    )
    return report.model_copy(update={"curves": curves, "segments": segments})


def read_data(settings: Settings, data: Path | None) -> Dataset:
    """Return the release at `data`, or the history without one.

    Raises:
        DataError: There are no ratings.
    """
    if data is not None:
        dataset, _ = read_dataset(data)
    else:
        dataset, _ = History(settings.history, settings.partitions).dataset()
    if not len(dataset):
        raise DataError("there is nothing to evaluate on: run `marquee data import` first")
    return dataset
