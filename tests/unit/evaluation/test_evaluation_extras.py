"""What an evaluation measures beside the slices, as tasks that can be done apart."""

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import BaseModel

from content.fit import ContentConfig
from content.model import Content
from marquee.errors import InvalidInput
from marquee_testing import checkerboard
from marquee_testing.trainings.small_evaluation import PLAN, work
from trainer.evaluation.ablation import AblationRun, parts_of
from trainer.evaluation.evaluate import evaluate
from trainer.evaluation.parallel import fill_cache, tasks_of
from trainer.evaluation.plan import EvaluationPlan
from trainer.models.fitting import ModelFit
from trainer.report.model import TWO_CHANNEL_EASE, Protocol

EXTRAS = replace(PLAN, folds=(8,), extras=True)


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
    assert report.slices[0].of(TWO_CHANNEL_EASE) is not None


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
    assert EvaluationPlan.of(2, quick=False).extra_folds == (0, 1)
    with pytest.raises(InvalidInput):
        EvaluationPlan.of(11, quick=False)


def test_a_plan_of_some_protocols_measures_their_slices_alone() -> None:
    first = EvaluationPlan.of(2, quick=False, protocols=(Protocol.FIRST,))
    assert {row.protocol for row in first.slices} == {Protocol.FIRST}
    assert not first.extras
    assert first.cut_slices == ()
    cut = EvaluationPlan.of(2, quick=True, protocols=(Protocol.CUT,))
    assert cut.fold_slices == ()
    assert len(cut.cuts) == 1
    assert {row.protocol for row in EvaluationPlan.of(1, quick=True).slices} == {
        Protocol.FIRST,
        Protocol.RANDOM,
    }


def test_without_usable_times_random_fold_ins_are_measured_and_the_reason_is_told() -> None:
    rows = checkerboard(40, 24)  # rated movie by movie
    plan, reason = EvaluationPlan().usable(rows)
    assert "one order" in reason
    assert {row.protocol for row in plan.slices} == {Protocol.RANDOM}
    assert plan.usable(rows) == (plan, "")
    only_time = EvaluationPlan.of(1, quick=True, protocols=(Protocol.FIRST,))
    assert {row.protocol for row in only_time.usable(rows)[0].slices} == {Protocol.RANDOM}
