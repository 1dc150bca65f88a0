"""All tables of a report in their order, and their output on the terminal."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from trainer.report.model import Report
from trainer.report.tables.beyond_accuracy import beyond_accuracy_tables
from trainer.report.tables.extras import extra_tables
from trainer.report.tables.predicted_ratings import rating_error_tables, rating_trial_tables
from trainer.report.tables.slices import by_ratings_table, other_metrics_table, slice_tables
from trainer.report.tables.text_table import TextTable
from trainer.report.verdict import verdict


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
    console.print(verdict(report), style="bold red" if report.below else "bold green")


def heading(report: Report) -> str:
    """Return a line on the data that were measured and the time that it took."""
    return (
        f"{report.users} tested users, {report.films} films, {', '.join(report.splits)}, "
        f"seed {report.seed}, {report.seconds:.0f} s"
    )


def tables(report: Report) -> Iterator[TextTable]:
    """Yield the tables that a report has rows for."""
    if report.slices:
        yield from slice_tables(report)
        yield other_metrics_table(report)
        yield from beyond_accuracy_tables(report)
    yield from rating_error_tables(report)
    if report.by_ratings:
        yield by_ratings_table(report)
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
