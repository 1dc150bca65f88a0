"""The offline evaluation: every route on the viewers that it serves, against what it must beat."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from marquee.domain.models import MODEL_NAMES
from marquee.errors import DataError
from marquee.features.dataset import Dataset
from marquee.registry.bundle import Manifest
from marquee.settings import Settings
from trainer.ablation import AblationRun
from trainer.breadth import Catalogue
from trainer.cold_films import trials
from trainer.cold_report import ColdRun
from trainer.evaluation_cache import EvaluationCache
from trainer.evaluation_plan import Plan, Say
from trainer.evaluation_run import Run
from trainer.history import History
from trainer.movielens import read_movielens
from trainer.parallel_run import Work, fill_cache
from trainer.parameters import Parameters, read_parameters
from trainer.rating_comparison import comparisons
from trainer.rating_errors import evaluate_ratings
from trainer.rating_quality import measure_ratings
from trainer.report import Report, SliceReport
from trainer.report_document import document
from trainer.report_pages import write
from trainer.report_tables import show
from trainer.sample import sample_of
from trainer.segment_maps import MODEL, maps_of, maps_of_record
from trainer.slices import QUICK
from trainer.splits import SEED
from trainer.tracking import open_tracking
from trainer.training import Training, code_version
from trainer.trainings import Trainings
from trainer.validation import ValidationRun

MARGIN = 0.02
"""NDCG@10 over popularity that a new version may be behind the serving one; noise is smaller."""

_GAIN = "gain_ndcg@10"


@dataclass(frozen=True)
class Order:
    """What `marquee evaluate` is asked for: the plan, and how many processes share it."""

    plan: Plan
    jobs: int = 1

    @property
    def quick(self) -> bool:
        """Whether it is for a look alone, which is not tracked."""
        return not self.plan.extras


def main(
    settings: Settings,
    order: Order,
    parameters: Parameters | None = None,
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
    work = Work(
        dataset,
        plan,
        parameters or read_parameters(),
        settings,
        EvaluationCache(folder / "cache"),
    )
    with Console(stderr=True).status("evaluation") as status:
        fill_cache(work, order.jobs, status.update)
        report = evaluate(dataset, work.parameters, settings, plan, work.cache, say=status.update)
    report = with_training(report, settings)
    write(report, folder)
    if not order.quick:
        track(report, settings)
    if docs is not None:
        docs.write_text(document(report))
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = 200
    if as_json:
        console.file.write(report.model_dump_json(indent=1) + "\n")
    else:
        show(report, console)
    return report


def track(report: Report, settings: Settings) -> None:
    """Tell MLflow of a report, where it is installed: its figures, tables and plots."""
    name = f"evaluation-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    tracking = open_tracking(settings, name, ("evaluate",))
    tracking.report(report)
    tracking.end(None)


def with_training(report: Report, settings: Settings) -> Report:
    """Return the report with the learning curves and segments of the newest training."""
    trained = Trainings(settings.state).newest(succeeded=True)
    if trained is None:
        notes = (*report.notes, "no training here yet: neither learning curves nor segments")
        return report.model_copy(update={"notes": notes})
    curves, segments = curves_of(trained.curves), maps_of_record(trained, settings)
    return report.model_copy(update={"curves": curves, "segments": segments})


def evaluate(
    dataset: Dataset,
    parameters: Parameters,
    settings: Settings,
    plan: Plan | None = None,
    cache: EvaluationCache | None = None,
    say: Say = lambda _words: None,
) -> Report:
    """Return how each route does on its slice of held-out users, beside the baselines.

    What is in `cache` is not computed again; `say` is called with what is being computed.
    """
    started = time.perf_counter()
    plan, cache = plan or Plan(), cache or EvaluationCache(None)
    run = Run(plan, parameters, settings, cache, say)
    splits, catalogue = run.add_all(dataset), Catalogue.of(dataset)
    found: dict[str, Any] = {"slices": tuple(run.reports(catalogue))}
    notes = [f"{name}: {reason}" for name, reason in run.missing.items()]
    if plan.rating_splits and "neural" not in run.missing:
        found["rating_trials"], found["reliability"] = measure_ratings(
            dataset, parameters, plan.rating_splits, say, others=comparisons()
        )
    if plan.extras:
        say("predicted ratings")
        found["rating_errors"] = evaluate_ratings(dataset, parameters, run.missing)
        work = Work(dataset, plan, parameters, settings, cache)
        more, said = _extras(work, run, catalogue, found["slices"], say)
        found |= more
        notes += said
    return Report(
        data_version=dataset.version,
        code_version=code_version(),
        users=run.users,
        films=len(dataset.films),
        splits=tuple(splits),
        seed=SEED,
        by_ratings=tuple(run.by_ratings(catalogue)),
        notes=tuple(notes),
        seconds=round(time.perf_counter() - started, 1),
        **found,
    )


def _extras(
    work: Work, run: Run, catalogue: Catalogue, slices: Sequence[SliceReport], say: Say
) -> tuple[dict[str, Any], list[str]]:
    """Return what is measured beside the slices: cold films, validation users, the ablation."""
    films, places = ColdRun(work.dataset, work.parameters, work.cache, say).reports(
        trials(run.missing)
    )
    ablation, notes = AblationRun(
        work.dataset, work.plan, work.recommenders(say), work.settings
    ).run()
    validated = ValidationRun(work.dataset, work.plan, work.on_validation(say), work.settings).run(
        catalogue, {one.name: one for one in slices}
    )
    return {
        "cold_films": tuple(films),
        "cold_places": tuple(places),
        "ablation": tuple(ablation),
        "on_validation": tuple(validated),
    }, notes


def evaluate_training(training: Training) -> dict[str, dict[str, float]]:
    """Return the figures of each model of a training, fitted anew without the users of one fold.

    Of a large data set a sample of its viewers is fitted and measured.
    """
    models = tuple(name for name in MODEL_NAMES if name in training.bundles)
    plan = Plan((0,), QUICK, models, families=(), by_time=False)
    done = iter(range(1, len(models) + 1))

    def say(words: str) -> None:
        training.progress("evaluate", next(done, len(models)) / (len(models) + 1), words)

    run = Run(plan, training.parameters, training.settings, EvaluationCache(None), say)
    started = time.perf_counter()
    splits = run.add_all(sample_of(training.dataset))
    catalogue = Catalogue.of(training.dataset)
    training.report = Report(
        data_version=training.dataset.version,
        code_version=training.code_version,
        users=run.users,
        films=len(catalogue),
        splits=tuple(splits),
        seed=SEED,
        slices=tuple(run.reports(catalogue)),
        by_ratings=tuple(run.by_ratings(catalogue)),
        curves=curves_of(training.curves),
        segments=maps_of(training.bundles[MODEL]) if MODEL in training.bundles else (),
        notes=tuple(f"{name}: {reason}" for name, reason in run.missing.items()),
        seconds=round(time.perf_counter() - started, 1),
    )
    return {name: figures for name in models if (figures := run.figures(name))}


def curves_of(
    curves: Mapping[str, Sequence[Mapping[str, float]]],
) -> dict[str, tuple[dict[str, float], ...]]:
    """Return the learning curves of a training as a report keeps them."""
    return {name: tuple(map(dict, epochs)) for name, epochs in curves.items() if epochs}


def worse(new: Manifest, serving: Manifest) -> str | None:
    """Return why a new version shall not serve: it gains less over popularity than the serving one.

    None where either was not evaluated, or the loss is within `MARGIN`.
    """
    if _GAIN not in new.metrics or _GAIN not in serving.metrics:
        return None
    before, now = serving.metrics[_GAIN], new.metrics[_GAIN]
    if now >= before - MARGIN:
        return None
    return (
        f"its NDCG@10 over popularity is {now:+.3f}, that of the serving version {before:+.3f}: "
        f"more than {MARGIN} behind"
    )


def read_data(settings: Settings, data: Path | None) -> Dataset:
    """Return the release at `data`, else the history; DataError: there are no ratings."""
    if data is not None:
        dataset, _ = read_movielens(data)
    else:
        dataset, _ = History(settings.history, settings.partitions).dataset()
    if not len(dataset):
        raise DataError("there is nothing to evaluate on: run `marquee data import` first")
    return dataset
