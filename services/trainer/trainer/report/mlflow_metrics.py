"""A report as numbers with names, for a tracking server."""

import re

from trainer.report.model import Report, SliceReport


def metrics_of(report: Report) -> dict[str, float]:
    """Return the figures of a report by names of letters, digits, `_`, `.` and `/`."""
    found: dict[str, float] = {}
    for one in report.slices:
        found |= _of_slice(one)
    for error in report.rating_errors:
        found |= {f"ratings/{error.name}/rmse": error.rmse, f"ratings/{error.name}/mae": error.mae}
    for cold in report.cold_films:
        key = f"cold/{cold.content}/{cold.route}/{cold.name}/hit_rate_at_10"
        found[key] = cold.hit_rate_at_10.mean
    for place in report.cold_places:
        key = f"cold/{place.content}/{place.route}"
        found |= {
            f"{key}/share_of_places": place.share_of_places,
            f"{key}/cost": place.cost.mean,
        }
    for part in report.ablation:
        found[f"ablation/{part.model}/{part.signal}"] = part.over_whole.mean
    return {_clean(name): value for name, value in found.items()}


def _of_slice(one: SliceReport) -> dict[str, float]:
    found: dict[str, float] = {}
    for figures in one.figures:
        for name, value in figures.model_dump(exclude={"name", "words"}).items():
            found[f"slice/{one.name}/{figures.name}/{name}"] = value
    differences = {
        "popularity": one.over_popularity, "bar": one.over_best, "second_bar": one.over_second,
    }  # fmt: skip
    for name, interval in differences.items():
        if interval is not None:
            found[f"slice/{one.name}/over_{name}"] = interval.mean
    for point in one.trade_off:
        values = point.model_dump(exclude={"setting", "over_best"})
        found |= {
            f"slice/{one.name}/diversity_{point.setting:g}/{name}": value
            for name, value in values.items()
        }
    return found


def _clean(name: str) -> str:
    return re.sub(r"[^\w./-]+", "_", name.replace("%", "percent").replace("+", "_and_more"))
