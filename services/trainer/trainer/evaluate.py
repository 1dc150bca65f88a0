"""The offline evaluation: every route on the viewers that it serves, against what it must beat."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from marquee.artifacts import Manifest
from marquee.dataset import Dataset
from marquee.errors import DataError
from marquee.registry import MODEL_NAMES
from marquee.settings import Settings
from trainer.cold_films import evaluate_cold_films
from trainer.evaluation_cache import EvaluationCache
from trainer.evaluation_run import Plan, Run, Say
from trainer.history import History
from trainer.movielens import read_movielens
from trainer.parameters import Parameters, read_parameters
from trainer.rating_comparison import comparisons
from trainer.rating_errors import evaluate_ratings
from trainer.rating_quality import measure_ratings
from trainer.report import ColdFilms, RatingErrors, RatingTrials, Reliability, Report
from trainer.report_document import document
from trainer.report_pages import write
from trainer.report_tables import show
from trainer.sample import sample_of
from trainer.slices import QUICK
from trainer.splits import SEED
from trainer.training import Training, code_version
from trainer.trainings import Trainings

MARGIN = 0.02
"""NDCG@10 over popularity that a new version may be behind the serving one; noise is smaller."""

_GAIN = "gain_ndcg@10"


def main(
    settings: Settings,
    as_json: bool = False,
    folds: int = 2,
    quick: bool = False,
    data: Path | None = None,
    parameters: Parameters | None = None,
    docs: Path | None = None,
    rating_splits: int = 0,
) -> Report:
    """Evaluate on the history, or on a MovieLens release at `data`; print and write the report.

    `rating_splits`: splits on which predicted ratings are measured at length (four fits each).

    The files are in STATE/evaluation; `docs` is written for readers of the repository. DataError:
    there is nothing to evaluate on.
    """
    plan, dataset = Plan.of(folds, quick, rating_splits), read_data(settings, data)
    folder = settings.state / "evaluation"
    cache = EvaluationCache(folder / "cache")
    with Console(stderr=True).status("evaluation") as status:
        report = evaluate(
            dataset, parameters or read_parameters(), settings, plan, cache, status.update
        )
    trained = Trainings(settings.state).newest(succeeded=True)
    if trained is not None:
        report = report.model_copy(update={"curves": curves_of(trained.curves)})
    write(report, folder)
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
    plan = plan or Plan()
    run = Run(plan, parameters, settings, cache or EvaluationCache(None), say)
    splits = run.add_all(dataset)
    rating_errors: tuple[RatingErrors, ...] = ()
    trials: tuple[RatingTrials, ...] = ()
    sure: tuple[Reliability, ...] = ()
    cold_films: tuple[ColdFilms, ...] = ()
    if plan.rating_splits and "neural" not in run.missing:
        trials, sure = measure_ratings(
            dataset, parameters, plan.rating_splits, say, others=comparisons()
        )
    if plan.extras:
        say("predicted ratings")
        rating_errors = evaluate_ratings(dataset, parameters, run.missing)
        say("cold films")
        cold_films = evaluate_cold_films(dataset, parameters)
    return Report(
        data_version=dataset.version,
        code_version=code_version(),
        users=run.users,
        films=len(dataset.films),
        splits=tuple(splits),
        seed=SEED,
        slices=tuple(run.reports(len(dataset.films))),
        rating_errors=rating_errors,
        rating_trials=trials,
        reliability=sure,
        cold_films=cold_films,
        by_ratings=tuple(run.by_ratings(len(dataset.films))),
        notes=tuple(f"{name}: {reason}" for name, reason in run.missing.items()),
        seconds=round(time.perf_counter() - started, 1),
    )


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
    sample, n_films = sample_of(training.dataset), len(training.dataset.films)
    splits = run.add_all(sample)
    training.report = Report(
        data_version=training.dataset.version,
        code_version=training.code_version,
        users=run.users,
        films=n_films,
        splits=tuple(splits),
        seed=SEED,
        slices=tuple(run.reports(n_films)),
        by_ratings=tuple(run.by_ratings(n_films)),
        curves=curves_of(training.curves),
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
