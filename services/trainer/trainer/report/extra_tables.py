"""Tables of what is measured beside the slices: cold movies, the ablation, validation users."""

from collections.abc import Iterator

from trainer.report.model import OURS, ColdStartQuality, Report
from trainer.report.table import TextTable


def extra_tables(report: Report) -> Iterator[TextTable]:
    """Yield the tables that a report has rows for."""
    if report.cold_films:
        yield _cold_movies(report)
    if report.cold_places:
        yield _cold_places(report)
    if report.ablation:
        yield _ablation(report)
    if report.on_validation:
        yield _on_validation(report)


def _cold_movies(report: Report) -> TextTable:
    rows = [
        (one.content, one.route, one.name, str(one.hit_rate_at_10), _times(one),
         f"{one.ndcg_at_10:.3f}", str(one.cases))
        for one in report.cold_films
    ]  # fmt: skip
    columns = ("known of films", "route", "recommender", "hit rate@10",
               "- cosine + popularity", "NDCG@10", "cases")  # fmt: skip
    return TextTable("Films that nobody rated, among such films alone", columns, rows)


def _times(one: ColdStartQuality) -> str:
    """Return by how much ours is better than content alone, and how many times as good."""
    if one.over_content is None:
        return ""
    theirs = one.hit_rate_at_10.mean - one.over_content.mean
    times = f", {one.hit_rate_at_10.mean / theirs:.2f} ×" if theirs > 0 else ""
    return f"{one.over_content}{times}"


def _cold_places(report: Report) -> TextTable:
    rows = [
        (one.content, one.route, f"{one.share_of_places:.1%}", f"{one.share_of_ratings:.1%}",
         str(one.cost), str(one.cases))
        for one in report.cold_places
    ]  # fmt: skip
    columns = ("known of films", "route", "of places", "of positive ratings",
               "NDCG@10 of rated films", "cases")  # fmt: skip
    return TextTable(
        "Films that nobody rated, among all films: their shares and cost", columns, rows
    )


def _ablation(report: Report) -> TextTable:
    rows = [
        (one.model, one.signal, f"{one.ndcg_at_10:.3f}", str(one.over_whole), str(one.cases))
        for one in report.ablation
    ]
    columns = ("model", "without", "NDCG@10", "- whole model", "cases")
    return TextTable("Ablation: each model without a part, weights learned anew", columns, rows)


def _on_validation(report: Report) -> TextTable:
    rows = [
        (one.name, str(one.users), f"{one.ours:.3f}", f"{one.of_best:.3f} ({one.best})",
         f"{one.ours - one.of_best:+.3f}", f"{one.ours_tested:.3f}", f"{one.of_best_tested:.3f}",
         f"{one.ours_tested - one.of_best_tested:+.3f}")
        for one in report.on_validation
    ]  # fmt: skip
    columns = ("given", "users", f"{OURS}, validation", "bar, validation", "difference",
               f"{OURS}, test", "bar, test", "difference")  # fmt: skip
    return TextTable("NDCG@10 on validation and on test users", columns, rows)
