"""Evaluation of a training, and the gate of publication."""

import time

from marquee.domain.models import MODEL_NAMES
from marquee.domain.routing import Thresholds
from marquee.registry.bundle import Manifest
from trainer.evaluation.beyond_accuracy import CatalogueStatistics
from trainer.evaluation.cache import EvaluationCache
from trainer.evaluation.evaluate import curves_of
from trainer.evaluation.plan import EvaluationPlan
from trainer.evaluation.run import EvaluationRun
from trainer.evaluation.sampling import sample_of
from trainer.evaluation.slices import QUICK
from trainer.evaluation.splits import SEED
from trainer.report.model import Report
from trainer.runs.context import TrainingContext
from trainer.segments.maps import MODEL, maps_of

MARGIN = 0.02
"""Tolerated loss in NDCG@10 over popularity against the serving version; noise is smaller."""


_GAIN = "gain_ndcg@10"


def evaluate_training(context: TrainingContext) -> dict[str, dict[str, float]]:
    """Measure the models of a training, fitted again without the users of one fold.

    Of a large data set a sample of its users is fitted and measured. The report is left in the
    context.

    Returns:
        Metrics by model.
    """
    models = tuple(name for name in MODEL_NAMES if name in context.bundles)
    plan = EvaluationPlan((0,), QUICK, models, families=(), by_time=False)
    done = iter(range(1, len(models) + 1))

    def say(words: str) -> None:
        context.progress("evaluate", next(done, len(models)) / (len(models) + 1), words)

    thresholds = Thresholds.of(context.settings)
    run = EvaluationRun(plan, context.parameters, thresholds, EvaluationCache(None), say)
    started = time.perf_counter()
    splits = run.add_all(sample_of(context.dataset))
    catalogue = CatalogueStatistics.of(context.dataset)
    context.report = Report(
        data_version=context.dataset.version,
        code_version=context.code_version,
        users=run.users,
        films=len(catalogue),
        splits=tuple(splits),
        seed=SEED,
        slices=tuple(run.reports(catalogue)),
        by_ratings=tuple(run.by_ratings(catalogue)),
        curves=curves_of(context.curves),
        segments=maps_of(context.bundles[MODEL]) if MODEL in context.bundles else (),
        notes=tuple(f"{name}: {reason}" for name, reason in run.missing.items()),
        seconds=round(time.perf_counter() - started, 1),
    )
    return {name: figures for name in models if (figures := run.figures(name))}


def worse(new: Manifest, serving: Manifest) -> str | None:
    """Return why a new version shall not serve: its gain over popularity is smaller.

    None if either version was not evaluated, or the loss is within `MARGIN`.
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
