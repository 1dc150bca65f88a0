"""The setting of diversity that is best by both qualities."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.report.diversity_choice import (
    TOLERANCE,
    SettingQuality,
    best_by_both,
    mean_qualities,
)
from trainer.report.model import Interval, RecommenderMetrics, Report, SliceReport, TradeOff
from trainer.report.tables.beyond_accuracy import beyond_accuracy_tables


def quality(setting: float, ndcg: float, weighted: float) -> SettingQuality:
    return SettingQuality(setting, ndcg, weighted)


def test_the_largest_weighted_recall_near_the_best_ndcg_is_chosen() -> None:
    points = [quality(0, 0.3, 0.1), quality(0.1, 0.298, 0.12), quality(0.2, 0.29, 0.2)]
    assert best_by_both(points) == 0.1


def test_nothing_is_given_up_for_nothing() -> None:
    assert best_by_both([quality(0, 0.3, 0.1), quality(0.1, 0.3, 0.1)]) == 0
    assert best_by_both([]) is None


def test_a_setting_may_be_best_by_ndcg_too() -> None:
    assert best_by_both([quality(0, 0.3, 0.2), quality(0.1, 0.31, 0.1)]) == 0.1


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=8))
def test_no_eligible_setting_beats_the_choice(figures: list[tuple[float, float]]) -> None:
    points = [quality(i / 10, *pair) for i, pair in enumerate(figures)]
    chosen = next(point for point in points if point.setting == best_by_both(points))
    best = max(point.ndcg_at_10 for point in points)
    assert chosen.ndcg_at_10 >= best - TOLERANCE
    for point in points:
        if point.ndcg_at_10 >= best - TOLERANCE:
            assert point.weighted_recall_at_20 <= chosen.weighted_recall_at_20


def slice_of(name: str, *figures: tuple[float, float, float]) -> SliceReport:
    none = Interval(mean=0, low=0, high=0)
    points = tuple(
        TradeOff(
            setting=setting,
            ndcg_at_10=ndcg,
            over_best=none,
            coverage=0,
            novelty=0,
            diversity=0,
            weighted_recall_at_20=weighted,
        )
        for setting, ndcg, weighted in figures
    )
    metrics = RecommenderMetrics(
        name="Marquee", recall_at_20=0, ndcg_at_10=0, ndcg_at_100=0, coverage=0, most_shown=0.82
    )
    return SliceReport(name=name, route="hybrid", figures=(metrics,), trade_off=points)


def test_the_choice_over_all_is_that_of_the_means() -> None:
    slices = [
        slice_of("1", (0, 0.2, 0.1), (0.1, 0.199, 0.2), (0.5, 0.1, 0.9)),
        slice_of("3", (0, 0.4, 0.1), (0.1, 0.396, 0.2)),
        slice_of("5"),
    ]
    means = mean_qualities(slices)
    assert [point.setting for point in means] == [0, 0.1]
    assert means[0].ndcg_at_10 == pytest.approx(0.3)
    assert best_by_both(means) == 0.1
    report = Report(
        data_version="d", code_version="c", users=1, films=1, splits=(), seed=1, slices=slices
    )
    tables = {table.title: table for table in beyond_accuracy_tables(report)}
    choices = tables["The setting of diversity that is best by both qualities"]
    assert [row[:2] for row in choices.rows] == [("1", "0.1"), ("3", "0"), ("all", "0.1")]
    second = tables["Not the same for everybody: the second quality of lists"]
    assert second.rows[0][:4] == ("1", "Marquee", "0.000", "82%")
