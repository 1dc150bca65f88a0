"""An evaluation of one small model and two baselines on a checkerboard of ratings."""

from pathlib import Path

from marquee.domain.recommendation import Route
from marquee.domain.routing import Thresholds
from marquee_testing.datasets import checkerboard
from marquee_testing.small_fits import SMALL_TASTE
from trainer.evaluation.baselines.families import EASE, EASE_OF_BOTH
from trainer.evaluation.cache import EvaluationCache
from trainer.evaluation.parallel import EvaluationJob
from trainer.evaluation.plan import EvaluationPlan
from trainer.evaluation.protocols.slices import Slice
from trainer.models.parameters import TrainingParameters

SLICES = (Slice("3 viewed", Route.SIMILAR, given=3, viewed=True),)
SMALL = {
    "content": {"dimensions": 6, "clusters": 4, "taste": SMALL_TASTE.model_dump()}
}  # fmt: skip
PLAN = EvaluationPlan(
    (8, 9),
    SLICES,
    ("content",),
    (EASE, EASE_OF_BOTH),
    diversities=(0.5,),
)


def work(folder: Path | None, plan: EvaluationPlan = PLAN) -> EvaluationJob:
    """Return the job of a plan, whose measurements a folder keeps."""
    cache = EvaluationCache(folder)
    return EvaluationJob(
        checkerboard(120, 40), plan, TrainingParameters(1, SMALL), Thresholds(), cache
    )
