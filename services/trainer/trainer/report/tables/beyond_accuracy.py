"""Tables of the second quality of lists beside NDCG, and of the setting that trades them."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from trainer.report.diversity_choice import SettingQuality, best_by_both, mean_qualities
from trainer.report.model import OURS, POPULARITY, Report, SliceReport, TradeOff
from trainer.report.tables.text_table import TextTable


def beyond_accuracy_tables(report: Report) -> Iterator[TextTable]:
    """Yield the tables that a report has rows for."""
    measured = [row for row in report.slices if row.figures]
    if not measured:
        return
    yield _second_quality(measured)
    yield _lists(measured)
    yield _genres(report.leading)
    if any(row.trade_off for row in measured):
        yield _choices(measured)
        yield _by_setting(
            measured,
            "The setting of diversity: NDCG@10 / popularity-weighted recall@20",
            lambda point: f"{point.ndcg_at_10:.3f} / {point.weighted_recall_at_20:.3f}",
        )
        yield _by_setting(
            measured,
            "The setting of diversity: most shown film in / ten most shown films' places",
            lambda point: f"{point.most_shown:.0%} / {point.ten_most_shown:.0%}",
        )
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


def _second_quality(slices: Sequence[SliceReport]) -> TextTable:
    """Return a row a slice and recommender."""
    rows = [
        (
            row.name,
            metrics.name,
            f"{metrics.weighted_recall_at_20:.3f}",
            f"{metrics.most_shown:.0%}",
            f"{metrics.ten_most_shown:.0%}",
            f"{metrics.coverage:.1%}",
            f"{metrics.calibration:.2f}",
        )
        for row in slices
        for metrics in row.figures
    ]
    columns = (
        "given",
        "recommender",
        "weighted recall@20",
        "most shown film in",
        "ten most shown films' places",
        "coverage",
        "genres off by, nats",
    )
    return TextTable("Not the same for everybody: the second quality of lists", columns, rows)


def _choices(slices: Sequence[SliceReport]) -> TextTable:
    """Return the setting that is best by both qualities, by slice and over all."""
    rows = [
        (row.name, *_choice_cells({p.setting: p for p in row.trade_off}, row.trade_off))
        for row in slices
        if row.trade_off
    ]
    means = mean_qualities(slices)
    if means:
        rows.append(("all", *_choice_cells({p.setting: p for p in means}, means)))
    columns = ("given", "setting", "NDCG@10", "at the least", "weighted recall@20", "at the least")
    return TextTable("The setting of diversity that is best by both qualities", columns, rows)


def _choice_cells(
    by_setting: Mapping[float, TradeOff | SettingQuality],
    points: Sequence[TradeOff | SettingQuality],
) -> tuple[str, ...]:
    least = min(by_setting)
    chosen, none = by_setting[best_by_both(points) or least], by_setting[least]
    return (
        f"{chosen.setting:g}",
        f"{chosen.ndcg_at_10:.3f}",
        f"{none.ndcg_at_10:.3f}",
        f"{chosen.weighted_recall_at_20:.3f}",
        f"{none.weighted_recall_at_20:.3f}",
    )


def _lists(slices: Sequence[SliceReport]) -> TextTable:
    rows = []
    for row in slices:
        for name in dict.fromkeys((POPULARITY, row.best, OURS)):
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
