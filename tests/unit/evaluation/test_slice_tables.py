"""Tables, plots and verdict of a report with slices of all protocols: time leads."""

import pytest

from trainer.report.model import (
    OURS,
    POPULARITY,
    RECENT_POPULARITY,
    Interval,
    Protocol,
    RatingCountPoint,
    RecommenderMetrics,
    Report,
    SliceReport,
)
from trainer.report.plots import plots
from trainer.report.quality_doc import quality_document
from trainer.report.tables.slices import slice_tables
from trainer.report.verdict import verdict
from trainer.report.writers import html, markdown

NDCG = {POPULARITY: 0.30, RECENT_POPULARITY: 0.31, "EASE": 0.36, "SLIM": 0.37, OURS: 0.33}


def gap(mean: float) -> Interval:
    return Interval(mean=mean, low=mean - 0.01, high=mean + 0.01)


def slice_of(name: str, protocol: Protocol, recent: float = 0.02) -> SliceReport:
    figures = tuple(
        RecommenderMetrics(
            name=recommender, recall_at_20=0.25, ndcg_at_10=ndcg, ndcg_at_100=0.4, coverage=0.1
        )
        for recommender, ndcg in NDCG.items()
    )
    return SliceReport(
        name=name,
        route="hybrid",
        protocol=protocol,
        answered={"hybrid": 1.0},
        users=60,
        cases=60,
        figures=figures,
        over_popularity=gap(0.03),
        over_recent=gap(recent),
        over_best=gap(-0.04 if protocol is Protocol.FIRST else 0.01),
        best="SLIM",
    )


def report(*slices: SliceReport, **parts: object) -> Report:
    values: dict[str, object] = {
        "data_version": "d" * 64,
        "code_version": "c0de",
        "users": 61,
        "films": 100,
        "splits": ("fold 0", "a cut at 80%"),
        "seed": 1,
        "slices": slices,
    }
    return Report.model_validate(values | parts)


FIRST = slice_of("first 3", Protocol.FIRST)
CUT = slice_of("returning", Protocol.CUT)
RANDOM = slice_of("3", Protocol.RANDOM)
WHOLE = report(FIRST, CUT, RANDOM)


def test_each_protocol_has_two_tables_and_those_in_time_lead() -> None:
    titles = [table.title for table in slice_tables(report(RANDOM, CUT, FIRST))]
    assert len(titles) == 6
    assert all("order of time" in title for title in titles[:4])
    assert all("Random" in title for title in titles[4:])
    assert len(list(slice_tables(report(RANDOM)))) == 2


def test_the_tables_name_every_rival_that_was_measured_and_the_best() -> None:
    ndcg, differences = list(slice_tables(report(FIRST)))
    assert ndcg.columns == ("given", "users", *NDCG)
    assert ndcg.rows == [("first 3", "60", *(f"{value:.3f}" for value in NDCG.values()))]
    [row] = differences.rows
    assert row[2:4] == ("-0.040 [-0.050, -0.030]", "SLIM")
    assert row[-1] == "yes"


def test_a_slice_below_the_popularity_of_the_last_weeks_does_not_hold() -> None:
    below = slice_of("returning", Protocol.CUT, recent=-0.01)
    assert below.holds is False
    assert verdict(report(below)).startswith("Below popularity in NDCG@10 on: returning.")


def test_the_verdict_names_slices_below_the_best_rival() -> None:
    words = verdict(WHOLE)
    assert "No route falls below popularity" in words
    assert words.endswith("Below the best rival, in the mean, on: first 3 (-0.040).")


def test_a_report_without_usable_times_says_why() -> None:
    plain = report(RANDOM, unusable_times="all ratings have one time")
    for page in (markdown(plain), html(plain), quality_document(plain)):
        assert "give no order (all ratings have one time): random fold-ins alone" in page
    assert [row.name for row in plain.leading] == ["3"]


@pytest.mark.parametrize("render", [markdown, html, quality_document])
def test_pages_lead_with_time(render) -> None:
    page = render(WHOLE)
    order = ["the first ratings of new viewers", "what was before a cut", "Random ratings of new"]
    places = [page.index(words) for words in order]
    assert places == sorted(places)
    assert page.index("recall@20 / NDCG@100") > places[-1]


def test_the_plot_has_a_panel_for_each_order() -> None:
    points = [
        RatingCountPoint(
            ratings=n, users=60, ours=0.4, popularity=0.3, best=0.35, protocol=protocol
        )
        for protocol in (Protocol.FIRST, Protocol.RANDOM)
        for n in (1, 5, 50)
    ]
    [svg] = plots(report(by_ratings=points)).values()
    for words in ("first ratings in time", "random ratings", "best rival"):
        assert words in svg
    [alone] = plots(report(by_ratings=points[3:])).values()
    assert "first ratings in time" not in alone
