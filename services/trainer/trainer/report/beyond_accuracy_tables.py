"""Tables of coverage, novelty and diversity, and of their trade-off with NDCG."""

from collections.abc import Callable, Iterator, Sequence

from trainer.report.model import OURS, POPULARITY, TWO_CHANNEL_EASE, Report, SliceReport, TradeOff
from trainer.report.table import TextTable


def beyond_accuracy_tables(report: Report) -> Iterator[TextTable]:
    """Yield the tables that a report has rows for."""
    measured = [row for row in report.slices if row.figures]
    if not measured:
        return
    yield _lists(measured)
    yield _genres(measured)
    if any(row.trade_off for row in measured):
        yield _by_setting(
            measured,
            "The setting of diversity: NDCG@10 / coverage",
            lambda point: f"{point.ndcg_at_10:.3f} / {point.coverage:.1%}",
        )
        yield _by_setting(
            measured,
            "The setting of diversity: diversity within a list / novelty in bits",
            lambda point: f"{point.diversity:.3f} / {point.novelty:.2f}",
        )
        yield _at_the_bar(measured)


def _lists(slices: Sequence[SliceReport]) -> TextTable:
    rows = []
    for row in slices:
        for name in dict.fromkeys((POPULARITY, row.best, TWO_CHANNEL_EASE, OURS)):
            if (metrics := row.of(name)) is None:
                continue
            cells = (
                f"{metrics.map_at_10:.3f}",
                f"{metrics.coverage:.1%}",
                f"{metrics.novelty:.2f}",
                f"{metrics.diversity:.3f}",
            )
            rows.append((row.name, name, *cells))
    columns = ("given", "recommender", "MAP@10", "coverage", "novelty, bits", "diversity")
    return TextTable("Lists of ten beyond NDCG", columns, rows)


def _genres(slices: Sequence[SliceReport]) -> TextTable:
    """Return a row a genre and a column a slice."""
    measured = [row for row in slices if row.genres]
    names = dict.fromkeys(name for row in measured for name in row.genres)
    rows = [
        (name, *(_percents(*row.genres.get(name, (0.0, 0.0))) for row in measured))
        for name in names
    ]
    columns = ("genre", *(row.name for row in measured))
    return TextTable(f"Coverage of each genre's films in percent, {OURS} / bar", columns, rows)


def _percents(ours: float, theirs: float) -> str:
    return f"{100 * ours:.1f} / {100 * theirs:.1f}"


def _by_setting(
    slices: Sequence[SliceReport], title: str, cell: Callable[[TradeOff], str]
) -> TextTable:
    """Return a row a slice and a column a setting."""
    settings = list(dict.fromkeys(point.setting for row in slices for point in row.trade_off))
    rows = []
    for row in slices:
        cells = {point.setting: cell(point) for point in row.trade_off}
        rows.append((row.name, *(cells.get(setting, "") for setting in settings)))
    return TextTable(title, ("given", *(f"{setting:g}" for setting in settings)), rows)


def _at_the_bar(slices: Sequence[SliceReport]) -> TextTable:
    rows = [row for row in map(_at_the_bar_row, slices) if row is not None]
    columns = ("given", "bar", "its coverage", "setting", "NDCG@10 - bar", "coverage", "times")
    return TextTable("The broadest lists that are as good as the bar", columns, rows)


def _at_the_bar_row(row: SliceReport) -> tuple[str, ...] | None:
    bar, broadest = row.of(row.best), row.at_the_bar
    if bar is None or not row.trade_off:
        return None
    begin = (row.name, row.best, f"{bar.coverage:.1%}")
    if broadest is None:
        return (*begin, "", "below it", "", "")
    times = broadest.coverage / bar.coverage if bar.coverage else 0.0
    return (
        *begin,
        f"{broadest.setting:g}",
        str(broadest.over_best),
        f"{broadest.coverage:.1%}",
        f"{times:.1f} ×",
    )
