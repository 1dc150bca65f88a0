"""What an evaluation measures beside the slices, as tasks that can be done apart."""

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import BaseModel

from content.fit import ContentConfig
from content.model import Content
from marquee.domain.recommendation import Route
from marquee.domain.routing import Thresholds
from marquee.errors import InvalidInput
from marquee_testing import checkerboard
from marquee_testing.small_fits import SMALL_TASTE
from trainer.evaluation.ablation import AblationRun, parts_of
from trainer.evaluation.baselines.models import FAMILIES
from trainer.evaluation.cache import EvaluationCache
from trainer.evaluation.evaluate import evaluate
from trainer.evaluation.parallel import EvaluationJob, fill_cache, tasks_of
from trainer.evaluation.plan import EvaluationPlan
from trainer.evaluation.slices import Slice
from trainer.models.fitting import ModelFit
from trainer.models.parameters import TrainingParameters

SLICES = (Slice("3 viewed", Route.SIMILAR, given=3, viewed=True),)
SMALL = {
    "content": {"dimensions": 6, "clusters": 4, "taste": SMALL_TASTE.model_dump()}
}  # fmt: skip
PLAN = EvaluationPlan(
    (8, 9),
    SLICES,
    ("content",),
    FAMILIES[2:],
    by_time=False,
    two_channel_ease=True,
    diversities=(0.5,),
)
EXTRAS = replace(PLAN, folds=(8,), extras=True)


def work(folder: Path | None, plan: EvaluationPlan = PLAN) -> EvaluationJob:
    cache = EvaluationCache(folder)
    return EvaluationJob(
        checkerboard(120, 40), plan, TrainingParameters(1, SMALL), Thresholds(), cache
    )


def test_one_process_or_no_place_to_keep_things_is_no_work_for_others(tmp_path: Path) -> None:
    fill_cache(work(tmp_path), 1, lambda _words: None)
    fill_cache(work(None), 2, lambda _words: None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.timeout(300)
def test_the_extras_are_tasks_of_their_own_and_in_the_report(tmp_path: Path) -> None:
    whole = work(tmp_path, EXTRAS)
    tasks = list(tasks_of(whole))
    assert len(tasks) == 1 + 6 + 2  # a split, cold movies by content alone, two trials of the fold
    names = [task(whole) for task in tasks]
    assert len(set(names)) == len(tasks)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    report = evaluate(whole.dataset, whole.parameters, whole.thresholds, EXTRAS, whole.cache)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
    assert [one.name for one in report.on_validation] == ["3 viewed"]
    assert {one.signal for one in report.ablation} == set(parts_of("content", EXTRAS))
    assert {one.name for one in report.cold_films} >= {"content cosine"}
    [point] = [p for p in report.slices[0].trade_off if p.setting == 0.5]
    assert point.coverage > 0
    assert report.slices[0].over_second is not None


def test_a_model_that_names_no_parts_is_told_of_and_not_ablated() -> None:
    class Mute(BaseModel):
        """A config without parts."""

    def fit(*_: object) -> Content:
        raise AssertionError("nothing is fitted")

    plan = replace(EXTRAS, fits={"content": lambda: ModelFit(Mute, fit)})
    whole = work(None, plan)
    found, notes = AblationRun(whole.dataset, plan, whole.recommenders(), whole.thresholds).run()
    assert found == []
    assert notes == ["content: no ablation, its config does not name its parts"]
    assert "popularity" in ContentConfig.signals


def test_folds_are_from_1_to_10() -> None:
    assert EvaluationPlan.of(10, quick=False).folds == tuple(range(10))
    assert EvaluationPlan.of(3, quick=True).extra_folds == ()
    with pytest.raises(InvalidInput):
        EvaluationPlan.of(11, quick=False)
