"""Offline evaluation: each route on held-out users that it serves, compared with baselines."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from marquee.domain.routing import Thresholds
from marquee.features.dataset import Dataset
from trainer.datasets.rating_scale import rating_warnings
from trainer.evaluation.ablation import AblationRun
from trainer.evaluation.beyond_accuracy import CatalogueStatistics
from trainer.evaluation.cache import EvaluationCache
from trainer.evaluation.cold_start.results import ColdStartRun
from trainer.evaluation.cold_start.trials import cold_start_trials
from trainer.evaluation.parallel import EvaluationJob
from trainer.evaluation.plan import EvaluationPlan, Say
from trainer.evaluation.protocols.splits import SEED
from trainer.evaluation.rating_prediction.errors import evaluate_ratings
from trainer.evaluation.rating_prediction.evaluate import measure_ratings
from trainer.evaluation.rating_prediction.myfm import comparisons
from trainer.evaluation.run import EvaluationRun, rating_count_points
from trainer.evaluation.validation import ValidationRun
from trainer.models.code_version import code_version
from trainer.models.parameters import TrainingParameters
from trainer.report.model import Report, SliceReport


def evaluate(
    dataset: Dataset,
    parameters: TrainingParameters,
    thresholds: Thresholds,
    plan: EvaluationPlan | None = None,
    cache: EvaluationCache | None = None,
    say: Say = lambda _words: None,
) -> Report:
    """Return the report of each route on its slices of held-out users, beside the baselines.

    Args:
        dataset: All ratings and movies.
        parameters: Seed and parameters of the models.
        thresholds: Those of the routing rule.
        plan: What is measured; two folds and three cuts by time by default. Random fold-ins alone
            where the times of the data order nothing.
        cache: Measurements that need not be computed again.
        say: Called with a description of each computation.
    """
    started = time.perf_counter()
    plan, reason = (plan or EvaluationPlan()).usable(dataset)
    cache = cache or EvaluationCache(None)
    run = EvaluationRun(plan, parameters, thresholds, cache, say)
    splits, catalogue = run.add_all(dataset), CatalogueStatistics.of(dataset)
    slices = run.reports(catalogue)
    sections: dict[str, Any] = {"slices": tuple(slices)}
    notes = rating_warnings(dataset)
    notes += [f"{name}: {reason}" for name, reason in run.missing.items()]
    if plan.rating_splits and "neural" not in run.missing:
        sections["rating_trials"], sections["reliability"] = measure_ratings(
            dataset, parameters, plan.rating_splits, say, others=comparisons()
        )
    if plan.extras:
        say("predicted ratings")
        sections["rating_errors"] = evaluate_ratings(dataset, parameters, run.missing)
        job = EvaluationJob(dataset, plan, parameters, thresholds, cache)
        extras, extra_notes = _extras(job, run, catalogue, slices, say)
        sections |= extras
        notes += extra_notes
    return Report(
        data_version=dataset.version,
        code_version=code_version(),
        users=run.users,
        films=len(dataset.movies),
        splits=tuple(splits),
        unusable_times=reason,
        seed=SEED,
        by_ratings=tuple(rating_count_points(slices)),
        notes=tuple(notes),
        seconds=round(time.perf_counter() - started, 1),
        **sections,
    )


def _extras(
    job: EvaluationJob,
    run: EvaluationRun,
    catalogue: CatalogueStatistics,
    slices: Sequence[SliceReport],
    say: Say,
) -> tuple[dict[str, Any], list[str]]:
    """Return the sections on cold movies, ablation and validation users, with notes."""
    cold_run = ColdStartRun(job.dataset, job.parameters, job.cache, say)
    movies, places = cold_run.reports(cold_start_trials(run.missing))
    ablation_run = AblationRun(job.dataset, job.plan, job.recommenders(say), job.thresholds)
    ablation, notes = ablation_run.run()
    validation = ValidationRun(job.dataset, job.plan, job.on_validation(say), job.thresholds)
    validated = validation.run(catalogue, {report.name: report for report in slices})
    return {
        "cold_films": tuple(movies),
        "cold_places": tuple(places),
        "ablation": tuple(ablation),
        "on_validation": tuple(validated),
    }, notes


def curves_of(
    curves: Mapping[str, Sequence[Mapping[str, float]]],
) -> dict[str, tuple[dict[str, float], ...]]:
    """Return the learning curves of a training in the form of a report, without empty ones."""
    return {name: tuple(map(dict, epochs)) for name, epochs in curves.items() if epochs}
