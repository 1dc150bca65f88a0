"""All tables of a report in their order, and their output on the terminal."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from trainer.report.beyond_accuracy_tables import beyond_accuracy_tables
from trainer.report.extra_tables import extra_tables
from trainer.report.model import OURS, POPULARITY, TWO_CHANNEL_EASE, Report, SliceReport
from trainer.report.rating_tables import rating_error_tables, rating_trial_tables
from trainer.report.table import TextTable

RECOMMENDERS = (POPULARITY, "ItemKNN", "ALS", "EASE", TWO_CHANNEL_EASE, OURS)


def print_report(report: Report, console: Console) -> None:
    """Print all tables and the verdict."""
    console.print(heading(report), style="bold")
    for text_table in tables(report):
        table = Table(*text_table.columns, title=text_table.title, title_justify="left")
        for row in text_table.rows:
            table.add_row(*row)
        console.print(table)
    for note in report.notes:
        console.print(note, style="dim")
    console.print(report.verdict, style="bold red" if report.below else "bold green")


def heading(report: Report) -> str:
    """Return a line on the data that were measured and the time that it took."""
    return (
        f"{report.users} tested users, {report.films} films, {', '.join(report.splits)}, "
        f"seed {report.seed}, {report.seconds:.0f} s"
    )


def tables(report: Report) -> Iterator[TextTable]:
    """Yield the tables that a report has rows for."""
    if report.slices:
        yield _metrics(report)
        yield _differences(report)
        yield from beyond_accuracy_tables(report)
    yield from rating_error_tables(report)
    if report.by_ratings:
        yield _by_ratings(report)
    yield from rating_trial_tables(report)
    yield from extra_tables(report)


def tuned_settings_table(report: Report) -> TextTable:
    """Return the settings of the baselines that were chosen on validation users."""
    rows = [
        (row.name, metrics.name, metrics.words)
        for row in report.slices
        for metrics in row.figures
        if metrics.words
    ]
    columns = ("given", "baseline", "settings in each split")
    return TextTable("What validation chose for the baselines", columns, rows)


def _metrics(report: Report) -> TextTable:
    rows = [
        (
            row.name,
            str(row.users) if row.figures else row.note,
            *(_metrics_cell(row, name) for name in RECOMMENDERS),
        )
        for row in report.slices
    ]
    return TextTable("recall@20 / NDCG@10 / NDCG@100", ("given", "users", *RECOMMENDERS), rows)


def _metrics_cell(row: SliceReport, name: str) -> str:
    """Return recall@20/NDCG@10/NDCG@100 of a recommender on a slice."""
    metrics = row.of(name)
    if metrics is None:
        return ""
    values = (metrics.recall_at_20, metrics.ndcg_at_10, metrics.ndcg_at_100)
    return "/".join(f"{value:.3f}".removeprefix("0") for value in values)


def _differences(report: Report) -> TextTable:
    columns = (
        "given",
        "answered by",
        "- popularity",
        "- bar",
        "bar",
        "- second bar",
        "≥ popularity",
    )
    rows = [_difference_row(row) for row in report.slices if row.figures]
    return TextTable(f"NDCG@10 of {OURS}, paired by user, with 95 % intervals", columns, rows)


def _difference_row(row: SliceReport) -> tuple[str, ...]:
    return (
        row.name,
        _answered_by(row),
        str(row.over_popularity),
        str(row.over_best),
        row.best,
        "" if row.over_second is None else str(row.over_second),
        {True: "yes", False: "NO", None: ""}[row.holds],
    )


def _answered_by(row: SliceReport) -> str:
    """Return the routes, with the share of cases if there are several, and what was left out."""
    shares = [f"{route} {share:.0%}" for route, share in row.answered.items()]
    routes = ", ".join(shares) if len(shares) > 1 else next(iter(row.answered), "")
    return f"{routes} ({row.note})" if row.note else routes


def _by_ratings(report: Report) -> TextTable:
    rows = [
        (str(point.ratings), str(point.users), f"{point.ours:.3f}", f"{point.popularity:.3f}")
        for point in report.by_ratings
    ]
    columns = ("ratings", "users", OURS, POPULARITY)
    return TextTable("NDCG@10 by how many ratings of a viewer are known", columns, rows)
