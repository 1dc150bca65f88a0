"""Tables of how much of the catalogue lists show, and what showing more of it costs."""

from collections.abc import Iterator

from trainer.report import OURS, POPULARITY, SECOND, Report, SliceReport
from trainer.tabular import Tabular


def breadth_tables(report: Report) -> Iterator[Tabular]:
    """Yield the tables that a report has rows for."""
    measured = [one for one in report.slices if one.figures]
    if not measured:
        return
    yield _beyond(measured)
    yield _genres(measured)
    if any(one.trade_off for one in measured):
        yield _trade_off(measured)
        yield _at_the_bar(measured)


def _beyond(slices: list[SliceReport]) -> Tabular:
    rows = []
    for one in slices:
        for name in dict.fromkeys((POPULARITY, one.best, SECOND, OURS)):
            if (found := one.of(name)) is not None:
                rows.append((
                    one.name, name, f"{found.map_at_10:.3f}", f"{found.coverage:.1%}",
                    f"{found.novelty:.2f}", f"{found.diversity:.3f}",
                ))  # fmt: skip
    columns = ("given", "recommender", "MAP@10", "coverage", "novelty, bits", "diversity")
    return Tabular("Lists of ten beyond NDCG", columns, rows)


def _genres(slices: list[SliceReport]) -> Tabular:
    """Return a row a genre: the coverage of ours and the bar's at a few and at many ratings."""
    chosen = [one for one in slices if one.genres]
    names = dict.fromkeys(name for one in chosen for name in one.genres)
    rows = [
        (name, *("{:.1%} / {:.1%}".format(*one.genres.get(name, (0.0, 0.0))) for one in chosen))
        for name in names
    ]
    columns = ("genre", *(one.name for one in chosen))
    return Tabular(f"Coverage of each genre's films, {OURS} / bar", columns, rows)


def _trade_off(slices: list[SliceReport]) -> Tabular:
    rows = [
        (
            one.name, f"{point.setting:g}", f"{point.ndcg_at_10:.3f}", str(point.over_best),
            f"{point.coverage:.1%}", f"{point.diversity:.3f}", f"{point.novelty:.2f}",
        )
        for one in slices
        for point in one.trade_off
    ]  # fmt: skip
    columns = ("given", "setting", "NDCG@10", "- bar", "coverage", "diversity", "novelty, bits")
    return Tabular("The setting of diversity: what it brings and what it costs", columns, rows)


def _at_the_bar(slices: list[SliceReport]) -> Tabular:
    rows = []
    for one in slices:
        bar, broad = one.of(one.best), one.at_the_bar
        if bar is None or not one.trade_off:
            continue
        if broad is None:
            rows.append((one.name, one.best, f"{bar.coverage:.1%}", "", "", "below the bar"))
            continue
        times = broad.coverage / bar.coverage if bar.coverage else 0.0
        rows.append((
            one.name, one.best, f"{bar.coverage:.1%}", f"{broad.setting:g}",
            f"{broad.coverage:.1%}", f"{times:.1f} ×",
        ))  # fmt: skip
    columns = ("given", "bar", "its coverage", "setting", "ours", "times")
    return Tabular("Coverage at the NDCG@10 of the bar", columns, rows)
