"""Tables of predicted ratings: errors by split, errors by kind of trial, reliability."""

from collections.abc import Iterator

from trainer.report.model import RatingTrials, Report
from trainer.report.tables.text_table import TextTable


def rating_error_tables(report: Report) -> Iterator[TextTable]:
    """Yield the table of errors on held-out ratings, if a report has rows for it."""
    if report.rating_errors:
        yield _errors(report)


def rating_trial_tables(report: Report) -> Iterator[TextTable]:
    """Yield the tables of rating trials that a report has rows for."""
    if report.rating_trials:
        yield _trials(report)
    if report.reliability:
        yield _reliability(report)


def _errors(report: Report) -> TextTable:
    rows = [(row.name, f"{row.rmse:.4f}", f"{row.mae:.4f}") for row in report.rating_errors]
    title = "Predicted ratings, a random tenth held out, in stars"
    return TextTable(title, ("predictor", "RMSE", "MAE"), rows)


def _trials(report: Report) -> TextTable:
    columns = (
        "trial",
        "predictor",
        "RMSE",
        "each split",
        "below biases",
        "MAE",
        "NDCG@10 of asked",
    )
    rows = [_trial_row(row) for row in report.rating_trials]
    return TextTable("Predicted ratings by kind of trial, in stars", columns, rows)


def _trial_row(row: RatingTrials) -> tuple[str, ...]:
    return (
        row.trial,
        row.name,
        f"{row.rmse:.4f}",
        " ".join(f"{rmse:.3f}" for rmse in row.rmses),
        str(row.below_biases or ""),
        f"{row.mae:.4f}",
        "" if row.ndcg_at_10 is None else f"{row.ndcg_at_10:.3f}",
    )


def _reliability(report: Report) -> TextTable:
    rows = [
        (f"{band.said:.3f}", f"{band.found:.3f}", str(band.ratings)) for band in report.reliability
    ]
    title = "Confidence, and the share of predictions at most half a star off"
    return TextTable(title, ("said", "found", "ratings"), rows)
