"""Tables of how much of the catalogue lists show, and what showing more of it costs."""

from collections.abc import Callable, Iterator

from trainer.report.model import OURS, POPULARITY, TWO_CHANNEL_EASE, Report, SliceReport, TradeOff
from trainer.report.table import TextTable


def beyond_accuracy_tables(report: Report) -> Iterator[TextTable]:
    """Yield the tables that a report has rows for."""
    measured = [one for one in report.slices if one.figures]
    if not measured:
        return
    yield _beyond(measured)
    yield _genres(measured)
    if any(one.trade_off for one in measured):
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


def _beyond(slices: list[SliceReport]) -> TextTable:
    rows = []
    for one in slices:
        for name in dict.fromkeys((POPULARITY, one.best, TWO_CHANNEL_EASE, OURS)):
            if (found := one.of(name)) is not None:
                rows.append((
                    one.name, name, f"{found.map_at_10:.3f}", f"{found.coverage:.1%}",
                    f"{found.novelty:.2f}", f"{found.diversity:.3f}",
                ))  # fmt: skip
    columns = ("given", "recommender", "MAP@10", "coverage", "novelty, bits", "diversity")
    return TextTable("Lists of ten beyond NDCG", columns, rows)


def _genres(slices: list[SliceReport]) -> TextTable:
    """Return a row a genre, a column a slice."""
    chosen = [one for one in slices if one.genres]
    names = dict.fromkeys(name for one in chosen for name in one.genres)
    rows = [
        (name, *(_percents(*one.genres.get(name, (0.0, 0.0))) for one in chosen)) for name in names
    ]
    columns = ("genre", *(one.name for one in chosen))
    return TextTable(f"Coverage of each genre's films in percent, {OURS} / bar", columns, rows)


def _percents(ours: float, theirs: float) -> str:
    return f"{100 * ours:.1f} / {100 * theirs:.1f}"


def _by_setting(
    slices: list[SliceReport], title: str, cell: Callable[[TradeOff], str]
) -> TextTable:
    """Return a row a slice and a column a setting."""
    settings = list(dict.fromkeys(point.setting for one in slices for point in one.trade_off))
    rows = []
    for one in slices:
        found = {point.setting: cell(point) for point in one.trade_off}
        rows.append((one.name, *(found.get(setting, "") for setting in settings)))
    return TextTable(title, ("given", *(f"{setting:g}" for setting in settings)), rows)


def _at_the_bar(slices: list[SliceReport]) -> TextTable:
    rows = []
    for one in slices:
        bar, broad = one.of(one.best), one.at_the_bar
        if bar is None or not one.trade_off:
            continue
        if broad is None:
            rows.append((one.name, one.best, f"{bar.coverage:.1%}", "", "below it", "", ""))
            continue
        times = broad.coverage / bar.coverage if bar.coverage else 0.0
        rows.append((
            one.name, one.best, f"{bar.coverage:.1%}", f"{broad.setting:g}",
            str(broad.over_best), f"{broad.coverage:.1%}", f"{times:.1f} ×",
        ))  # fmt: skip
    columns = ("given", "bar", "its coverage", "setting", "NDCG@10 - bar", "coverage", "times")
    return TextTable("The broadest lists that are as good as the bar", columns, rows)
