"""The tables of a report, and how they look on the terminal."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from trainer.report.beyond_accuracy_tables import beyond_accuracy_tables
from trainer.report.extra_tables import extra_tables
from trainer.report.model import OURS, POPULARITY, TWO_CHANNEL_EASE, Report, SliceReport
from trainer.report.table import TextTable

RECOMMENDERS = (POPULARITY, "ItemKNN", "ALS", "EASE", TWO_CHANNEL_EASE, OURS)


def print_report(report: Report, console: Console) -> None:
    """Print all tables and the verdict."""
    console.print(heading(report), style="bold")
    for found in tables(report):
        table = Table(*found.columns, title=found.title, title_justify="left")
        for row in found.rows:
            table.add_row(*row)
        console.print(table)
    for note in report.notes:
        console.print(note, style="dim")
    console.print(report.verdict, style="bold red" if report.below else "bold green")


def heading(report: Report) -> str:
    """Return what the figures were measured on, and how long it took."""
    return (
        f"{report.users} tested users, {report.films} films, {', '.join(report.splits)}, "
        f"seed {report.seed}, {report.seconds:.0f} s"
    )


def tables(report: Report) -> Iterator[TextTable]:
    """Yield the tables that a report has rows for."""
    if report.slices:
        yield _figures(report)
        yield _differences(report)
        yield from beyond_accuracy_tables(report)
    if report.rating_errors:
        yield TextTable(
            "Predicted ratings, a random tenth held out, in stars",
            ("predictor", "RMSE", "MAE"),
            [(one.name, f"{one.rmse:.4f}", f"{one.mae:.4f}") for one in report.rating_errors],
        )
    if report.by_ratings:
        yield TextTable(
            "NDCG@10 by how many ratings of a viewer are known",
            ("ratings", "users", OURS, POPULARITY),
            [
                (str(p.ratings), str(p.users), f"{p.ours:.3f}", f"{p.popularity:.3f}")
                for p in report.by_ratings
            ],
        )
    if report.rating_trials:
        yield _rating_trials(report)
    if report.reliability:
        yield TextTable(
            "Confidence, and the share of predictions at most half a star off",
            ("said", "found", "ratings"),
            [(f"{r.said:.3f}", f"{r.found:.3f}", str(r.ratings)) for r in report.reliability],
        )
    yield from extra_tables(report)


def tuned_settings_table(report: Report) -> TextTable:
    """Return what validation chose for the baselines."""
    rows = [
        (one.name, figures.name, figures.words)
        for one in report.slices
        for figures in one.figures
        if figures.words
    ]
    columns = ("given", "baseline", "settings in each split")
    return TextTable("What validation chose for the baselines", columns, rows)


def _figures(report: Report) -> TextTable:
    rows = [
        (
            one.name,
            str(one.users) if one.figures else one.note,
            *(_cell(one, name) for name in RECOMMENDERS),
        )
        for one in report.slices
    ]
    return TextTable("recall@20 / NDCG@10 / NDCG@100", ("given", "users", *RECOMMENDERS), rows)


def _differences(report: Report) -> TextTable:
    rows = [
        (
            one.name,
            _answered_by(one),
            str(one.over_popularity),
            str(one.over_best),
            one.best,
            "" if one.over_second is None else str(one.over_second),
            {True: "yes", False: "NO", None: ""}[one.holds],
        )
        for one in report.slices
        if one.figures
    ]
    columns = ("given", "answered by", "- popularity", "- bar", "bar", "- second bar",
               "≥ popularity")  # fmt: skip
    return TextTable(f"NDCG@10 of {OURS}, paired by user, with 95 % intervals", columns, rows)


def _rating_trials(report: Report) -> TextTable:
    rows = [
        (one.trial, one.name, f"{one.rmse:.4f}", " ".join(f"{rmse:.3f}" for rmse in one.rmses),
         str(one.below_biases or ""), f"{one.mae:.4f}",
         "" if one.ndcg_at_10 is None else f"{one.ndcg_at_10:.3f}")
        for one in report.rating_trials
    ]  # fmt: skip
    columns = (
        "trial",
        "predictor",
        "RMSE",
        "each split",
        "below biases",
        "MAE",
        "NDCG@10 of asked",
    )
    return TextTable("Predicted ratings by kind of trial, in stars", columns, rows)


def _cell(one: SliceReport, name: str) -> str:
    """Return recall@20/NDCG@10/NDCG@100 of a recommender on a slice."""
    found = one.of(name)
    if found is None:
        return ""
    figures = (found.recall_at_20, found.ndcg_at_10, found.ndcg_at_100)
    return "/".join(f"{figure:.3f}".removeprefix("0") for figure in figures)


def _answered_by(one: SliceReport) -> str:
    """Return the routes, with the share of cases where there are several, and what was left out."""
    shares = [f"{route} {share:.0%}" for route, share in one.answered.items()]
    routes = ", ".join(shares) if len(shares) > 1 else next(iter(one.answered), "")
    return f"{routes} ({one.note})" if one.note else routes
