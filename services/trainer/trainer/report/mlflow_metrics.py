"""Metrics of a report by name, for MLflow."""

import re

from trainer.report.model import Report, SliceReport


def metrics_of(report: Report) -> dict[str, float]:
    """Return the metrics of a report by names of letters, digits, `_`, `.` and `/`."""
    metrics: dict[str, float] = {}
    for row in report.slices:
        metrics |= _of_slice(row)
    for error in report.rating_errors:
        metrics |= {
            f"ratings/{error.name}/rmse": error.rmse,
            f"ratings/{error.name}/mae": error.mae,
        }
    for cold in report.cold_films:
        key = f"cold/{cold.content}/{cold.route}/{cold.name}/hit_rate_at_10"
        metrics[key] = cold.hit_rate_at_10.mean
    for exposure in report.cold_places:
        key = f"cold/{exposure.content}/{exposure.route}"
        metrics |= {
            f"{key}/share_of_places": exposure.share_of_places,
            f"{key}/cost": exposure.cost.mean,
        }
    for part in report.ablation:
        metrics[f"ablation/{part.model}/{part.signal}"] = part.over_whole.mean
    return {_clean(name): value for name, value in metrics.items()}


def _of_slice(row: SliceReport) -> dict[str, float]:
    metrics: dict[str, float] = {}
    for recommender in row.figures:
        for name, value in recommender.model_dump(exclude={"name", "words"}).items():
            metrics[f"slice/{row.name}/{recommender.name}/{name}"] = value
    differences = {
        "popularity": row.over_popularity,
        "bar": row.over_best,
        "recent_popularity": row.over_recent,
    }
    for name, interval in differences.items():
        if interval is not None:
            metrics[f"slice/{row.name}/over_{name}"] = interval.mean
    for point in row.trade_off:
        values = point.model_dump(exclude={"setting", "over_best"})
        metrics |= {
            f"slice/{row.name}/diversity_{point.setting:g}/{name}": value
            for name, value in values.items()
        }
    return metrics


def _clean(name: str) -> str:
    return re.sub(r"[^\w./-]+", "_", name.replace("%", "percent").replace("+", "_and_more"))
