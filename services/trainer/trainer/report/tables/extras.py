"""Tables of cold movies, the ablation and validation users."""

from collections.abc import Iterator

from trainer.report.model import OURS, ColdStartQuality, Report
from trainer.report.tables.text_table import TextTable


def extra_tables(report: Report) -> Iterator[TextTable]:
    """Yield the tables that a report has rows for."""
    if report.cold_films:
        yield _cold_quality(report)
    if report.cold_places:
        yield _cold_exposure(report)
    if report.ablation:
        yield _ablation(report)
    if report.on_validation:
        yield _on_validation(report)


def _cold_quality(report: Report) -> TextTable:
    columns = (
        "known of films",
        "route",
        "recommender",
        "hit rate@10",
        "- cosine + popularity",
        "NDCG@10",
        "cases",
    )
    rows = [
        (
            row.content,
            row.route,
            row.name,
            str(row.hit_rate_at_10),
            _gain(row),
            f"{row.ndcg_at_10:.3f}",
            str(row.cases),
        )
        for row in report.cold_films
    ]
    return TextTable("Films that nobody rated, among such films alone", columns, rows)


def _gain(row: ColdStartQuality) -> str:
    """Return the difference of our hit rate to that of content alone, and their ratio."""
    if row.over_content is None:
        return ""
    theirs = row.hit_rate_at_10.mean - row.over_content.mean
    ratio = f", {row.hit_rate_at_10.mean / theirs:.2f} ×" if theirs > 0 else ""
    return f"{row.over_content}{ratio}"


def _cold_exposure(report: Report) -> TextTable:
    columns = (
        "known of films",
        "route",
        "of places",
        "of positive ratings",
        "NDCG@10 of rated films",
        "cases",
    )
    rows = [
        (
            row.content,
            row.route,
            f"{row.share_of_places:.1%}",
            f"{row.share_of_ratings:.1%}",
            str(row.cost),
            str(row.cases),
        )
        for row in report.cold_places
    ]
    title = "Films that nobody rated, among all films: their shares and cost"
    return TextTable(title, columns, rows)


def _ablation(report: Report) -> TextTable:
    rows = [
        (row.model, row.signal, f"{row.ndcg_at_10:.3f}", str(row.over_whole), str(row.cases))
        for row in report.ablation
    ]
    columns = ("model", "without", "NDCG@10", "- whole model", "cases")
    return TextTable("Ablation: each model without a part, weights learned anew", columns, rows)


def _on_validation(report: Report) -> TextTable:
    columns = (
        "given",
        "users",
        f"{OURS}, validation",
        "bar, validation",
        "difference",
        f"{OURS}, test",
        "bar, test",
        "difference",
    )
    rows = [
        (
            row.name,
            str(row.users),
            f"{row.ours:.3f}",
            f"{row.of_best:.3f} ({row.best})",
            f"{row.ours - row.of_best:+.3f}",
            f"{row.ours_tested:.3f}",
            f"{row.of_best_tested:.3f}",
            f"{row.ours_tested - row.of_best_tested:+.3f}",
        )
        for row in report.on_validation
    ]
    return TextTable("NDCG@10 on validation and on test users", columns, rows)
