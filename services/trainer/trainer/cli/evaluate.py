"""The command `marquee evaluate`: evaluate, print, write and track a report."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from marquee.domain.routing import Thresholds
from marquee.errors import DataError
from marquee.features.dataset import Dataset
from marquee.settings import Settings
from trainer.datasets.movielens import read_movielens
from trainer.evaluation.cache import EvaluationCache
from trainer.evaluation.evaluate import curves_of, evaluate
from trainer.evaluation.parallel import EvaluationJob, fill_cache
from trainer.evaluation.plan import EvaluationPlan
from trainer.history.history import History
from trainer.models.parameters import TrainingParameters, read_parameters
from trainer.report.model import Report
from trainer.report.quality_doc import quality_document
from trainer.report.tables import print_report
from trainer.report.writers import write_report
from trainer.runs.records import TrainingRecords
from trainer.segments.maps import maps_of_record
from trainer.tracking.mlflow import open_tracking


@dataclass(frozen=True)
class EvaluationOptions:
    """What `marquee evaluate` is asked for: the plan, and how many processes share it."""

    plan: EvaluationPlan
    jobs: int = 1

    @property
    def quick(self) -> bool:
        """Whether it is for a look alone, which is not tracked."""
        return not self.plan.extras


def main(
    settings: Settings,
    order: EvaluationOptions,
    parameters: TrainingParameters | None = None,
    data: Path | None = None,
    docs: Path | None = None,
    as_json: bool = False,
) -> Report:
    """Evaluate on the history, or on a MovieLens release at `data`; print and write the report.

    The files are in STATE/evaluation; `docs` is written for readers of the repository. DataError:
    there is nothing to evaluate on.
    """
    plan, dataset = order.plan, read_data(settings, data)
    folder = settings.state / "evaluation"
    work = EvaluationJob(
        dataset,
        plan,
        parameters or read_parameters(),
        Thresholds.of(settings),
        EvaluationCache(folder / "cache"),
    )
    with Console(stderr=True).status("evaluation") as status:
        fill_cache(work, order.jobs, status.update)
        report = evaluate(
            dataset, work.parameters, work.thresholds, plan, work.cache, say=status.update
        )
    report = with_training(report, settings)
    write_report(report, folder)
    if not order.quick:
        track(report, settings)
    if docs is not None:
        docs.write_text(quality_document(report))
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = 200
    if as_json:
        console.file.write(report.model_dump_json(indent=1) + "\n")
    else:
        print_report(report, console)
    return report


def track(report: Report, settings: Settings) -> None:
    """Tell MLflow of a report, where it is installed: its figures, tables and plots."""
    name = f"evaluation-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    tracking = open_tracking(settings, name, ("evaluate",))
    tracking.report(report)
    tracking.end(None)


def with_training(report: Report, settings: Settings) -> Report:
    """Return the report with the learning curves and segments of the newest training."""
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
    """Return the release at `data`, else the history; DataError: there are no ratings."""
    if data is not None:
        dataset, _ = read_movielens(data)
    else:
        dataset, _ = History(settings.history, settings.partitions).dataset()
    if not len(dataset):
        raise DataError("there is nothing to evaluate on: run `marquee data import` first")
    return dataset
