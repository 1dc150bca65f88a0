"""Tables of slices, protocol by protocol: NDCG@10 of all recommenders, and our differences."""

from collections.abc import Iterator, Sequence

from trainer.report.model import (
    OURS,
    POPULARITY,
    RECENT_POPULARITY,
    TWO_CHANNEL_EASE,
    Protocol,
    Report,
    SliceReport,
)
from trainer.report.tables.text_table import TextTable

RECOMMENDERS = (
    POPULARITY,
    RECENT_POPULARITY,
    "ItemKNN",
    "ALS",
    "EASE",
    TWO_CHANNEL_EASE,
    "BPR",
    "SLIM",
    OURS,
)
TITLES = {
    Protocol.FIRST: "In the order of time, the first ratings of new viewers known",
    Protocol.CUT: "In the order of time, trained on what was before a cut",
    Protocol.RANDOM: "Random ratings of new viewers known",
}


def slice_tables(report: Report) -> Iterator[TextTable]:
    """Yield two tables a protocol that was measured, those in the order of time first."""
    for protocol, title in TITLES.items():
        rows = [row for row in report.slices if row.protocol is protocol]
        if rows:
            yield _ndcg(rows, title)
            yield _differences(rows, title)


def other_metrics_table(report: Report) -> TextTable:
    """Return recall@20 and NDCG@100 of all recommenders on all slices."""
    names = _measured(report.slices)
    rows = [(row.name, *(_other_cell(row, name) for name in names)) for row in report.slices]
    return TextTable("recall@20 / NDCG@100", ("given", *names), rows)


def by_ratings_table(report: Report) -> TextTable:
    """Return NDCG@10 by the number of known ratings, in time and at random."""
    rows = [
        (
            "at random" if point.protocol is Protocol.RANDOM else "in time",
            str(point.ratings),
            str(point.users),
            f"{point.ours:.3f}",
            f"{point.best:.3f}",
            f"{point.popularity:.3f}",
        )
        for point in report.by_ratings
    ]
    columns = ("known", "ratings", "users", OURS, "best rival", POPULARITY)
    return TextTable("NDCG@10 by how many ratings of a viewer are known", columns, rows)


def _measured(rows: Sequence[SliceReport]) -> list[str]:
    """Return the recommenders that any of the slices has; others than the known ones last."""
    measured = dict.fromkeys(metrics.name for row in rows for metrics in row.figures)
    known = [name for name in RECOMMENDERS if name in measured]
    return [*(name for name in measured if name not in RECOMMENDERS), *known]


def _ndcg(rows: Sequence[SliceReport], title: str) -> TextTable:
    names = _measured(rows)
    cells = [
        (
            row.name,
            str(row.users) if row.figures else row.note,
            *(_ndcg_cell(row, name) for name in names),
        )
        for row in rows
    ]
    return TextTable(f"{title}: NDCG@10", ("given", "users", *names), cells)


def _ndcg_cell(row: SliceReport, name: str) -> str:
    metrics = row.of(name)
    return "" if metrics is None else f"{metrics.ndcg_at_10:.3f}"


def _other_cell(row: SliceReport, name: str) -> str:
    metrics = row.of(name)
    if metrics is None:
        return ""
    values = (metrics.recall_at_20, metrics.ndcg_at_100)
    return "/".join(f"{value:.3f}".removeprefix("0") for value in values)


def _differences(rows: Sequence[SliceReport], title: str) -> TextTable:
    columns = (
        "given",
        "answered by",
        "- best rival",
        "best rival",
        f"- {POPULARITY}",
        f"- {RECENT_POPULARITY}",
        "≥ popularity",
    )
    cells = [_difference_row(row) for row in rows if row.figures]
    return TextTable(f"{title}: NDCG@10 of {OURS} less that of rivals", columns, cells)


def _difference_row(row: SliceReport) -> tuple[str, ...]:
    return (
        row.name,
        _answered_by(row),
        str(row.over_best),
        row.best,
        str(row.over_popularity),
        "" if row.over_recent is None else str(row.over_recent),
        {True: "yes", False: "NO", None: ""}[row.holds],
    )


def _answered_by(row: SliceReport) -> str:
    """Return the routes, with the share of cases if there are several, and what was left out."""
    return f"{row.answered_by} ({row.note})" if row.note else row.answered_by
