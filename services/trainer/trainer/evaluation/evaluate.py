"""The offline evaluation: every route on the users that it serves, against what it must beat."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from marquee.domain.routing import Thresholds
from marquee.features.dataset import Dataset
from trainer.evaluation.ablation import AblationRun
from trainer.evaluation.beyond_accuracy import CatalogueStatistics
from trainer.evaluation.cache import EvaluationCache
from trainer.evaluation.cold_start.results import ColdStartRun
from trainer.evaluation.cold_start.trials import cold_start_trials
from trainer.evaluation.parallel import EvaluationJob
from trainer.evaluation.plan import EvaluationPlan, Say
from trainer.evaluation.rating_prediction.errors import evaluate_ratings
from trainer.evaluation.rating_prediction.evaluate import measure_ratings
from trainer.evaluation.rating_prediction.myfm import comparisons
from trainer.evaluation.run import EvaluationRun
from trainer.evaluation.splits import SEED
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
    """Return how each route does on its slice of held-out users, beside the baselines.

    What is in `cache` is not computed again; `say` is called with what is being computed.
    """
    started = time.perf_counter()
    plan, cache = plan or EvaluationPlan(), cache or EvaluationCache(None)
    run = EvaluationRun(plan, parameters, thresholds, cache, say)
    splits, catalogue = run.add_all(dataset), CatalogueStatistics.of(dataset)
    found: dict[str, Any] = {"slices": tuple(run.reports(catalogue))}
    notes = [f"{name}: {reason}" for name, reason in run.missing.items()]
    if plan.rating_splits and "neural" not in run.missing:
        found["rating_trials"], found["reliability"] = measure_ratings(
            dataset, parameters, plan.rating_splits, say, others=comparisons()
        )
    if plan.extras:
        say("predicted ratings")
        found["rating_errors"] = evaluate_ratings(dataset, parameters, run.missing)
        work = EvaluationJob(dataset, plan, parameters, thresholds, cache)
        more, said = _extras(work, run, catalogue, found["slices"], say)
        found |= more
        notes += said
    return Report(
        data_version=dataset.version,
        code_version=code_version(),
        users=run.users,
        films=len(dataset.movies),
        splits=tuple(splits),
        seed=SEED,
        by_ratings=tuple(run.by_ratings(catalogue)),
        notes=tuple(notes),
        seconds=round(time.perf_counter() - started, 1),
        **found,
    )


def _extras(
    work: EvaluationJob,
    run: EvaluationRun,
    catalogue: CatalogueStatistics,
    slices: Sequence[SliceReport],
    say: Say,
) -> tuple[dict[str, Any], list[str]]:
    """Return what is measured beside the slices: cold movies, validation users, the ablation."""
    movies, places = ColdStartRun(work.dataset, work.parameters, work.cache, say).reports(
        cold_start_trials(run.missing)
    )
    ablation, notes = AblationRun(
        work.dataset, work.plan, work.recommenders(say), work.thresholds
    ).run()
    validated = ValidationRun(
        work.dataset, work.plan, work.on_validation(say), work.thresholds
    ).run(catalogue, {one.name: one for one in slices})
    return {
        "cold_films": tuple(movies),
        "cold_places": tuple(places),
        "ablation": tuple(ablation),
        "on_validation": tuple(validated),
    }, notes


def curves_of(
    curves: Mapping[str, Sequence[Mapping[str, float]]],
) -> dict[str, tuple[dict[str, float], ...]]:
    """Return the learning curves of a training as a report keeps them."""
    return {name: tuple(map(dict, epochs)) for name, epochs in curves.items() if epochs}
