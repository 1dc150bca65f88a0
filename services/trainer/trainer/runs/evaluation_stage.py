"""Evaluation of a training, and the gate of publication."""

import time

from marquee.domain.models import MODEL_NAMES
from marquee.domain.routing import Thresholds
from marquee.registry.bundle import Manifest
from trainer.datasets.rating_scale import rating_warnings
from trainer.evaluation.beyond_accuracy import CatalogueStatistics
from trainer.evaluation.cache import EvaluationCache
from trainer.evaluation.evaluate import curves_of
from trainer.evaluation.plan import EvaluationPlan
from trainer.evaluation.protocols.slices import QUICK
from trainer.evaluation.protocols.splits import SEED
from trainer.evaluation.run import GAIN, TIME_LEAD, EvaluationRun, rating_count_points
from trainer.evaluation.sampling import sample_of
from trainer.report.model import Report
from trainer.runs.context import TrainingContext
from trainer.segments.maps import MODEL, maps_of

MARGIN = 0.02
"""Tolerated loss in NDCG@10 over popularity against the serving version; noise is smaller."""


def evaluate_training(context: TrainingContext) -> dict[str, dict[str, float]]:
    """Measure the models of a training, fitted again without the users of one fold.

    The same fits are asked with random parts of the users' histories and with their beginnings,
    where the times of the data are usable. Of a large data set a sample of its users is fitted and
    measured. The report is left in the context.

    Returns:
        Metrics by model.
    """
    models = tuple(name for name in MODEL_NAMES if name in context.bundles)
    sample = sample_of(context.dataset)
    plan, reason = (
        EvaluationPlan((0,), QUICK, models, families=())
        .at(context.settings.diversity)
        .usable(sample)
    )
    done = iter(range(1, len(models) + 1))

    def say(words: str) -> None:
        context.progress("evaluate", next(done, len(models)) / (len(models) + 1), words)

    thresholds = Thresholds.of(context.settings)
    run = EvaluationRun(plan, context.parameters, thresholds, EvaluationCache(None), say)
    started = time.perf_counter()
    splits = run.add_all(sample)
    catalogue = CatalogueStatistics.of(context.dataset)
    slices = run.reports(catalogue)
    context.report = Report(
        data_version=context.dataset.version,
        code_version=context.code_version,
        users=run.users,
        films=len(catalogue),
        splits=tuple(splits),
        unusable_times=reason,
        seed=SEED,
        slices=tuple(slices),
        by_ratings=tuple(rating_count_points(slices)),
        curves=curves_of(context.curves),
        segments=maps_of(context.bundles[MODEL]) if MODEL in context.bundles else (),
        notes=(
            *rating_warnings(context.dataset),
            *(f"{name}: {reason}" for name, reason in run.missing.items()),
        ),
        seconds=round(time.perf_counter() - started, 1),
    )
    return {name: figures for name in models if (figures := run.figures(name))}


def worse(new: Manifest, serving: Manifest) -> str | None:
    """Return why a new version shall not serve: its gain over popularity is smaller.

    What is compared is the gain in the order of time; where a version has none, which was made
    before it was measured or of data without usable times, the gain of random fold-ins. None if
    either version was not evaluated, or the loss is within `MARGIN`.
    """
    for key, order in ((f"{TIME_LEAD}{GAIN}", " in the order of time"), (GAIN, "")):
        if key in new.metrics and key in serving.metrics:
            return _loss(new.metrics[key], serving.metrics[key], order)
    return None


def _loss(now: float, before: float, order: str) -> str | None:
    if now >= before - MARGIN:
        return None
    return (
        f"its NDCG@10 over popularity{order} is {now:+.3f}, that of the serving version "
        f"{before:+.3f}: more than {MARGIN} behind"
    )
