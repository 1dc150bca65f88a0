"""Choice of the setting of diversity that is best by NDCG and by popularity-weighted recall."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainer.report.model import SliceReport, TradeOff

TOLERANCE = 0.003
"""NDCG@10 that a setting may lie below the best one."""


@dataclass(frozen=True)
class SettingQuality:
    """Both qualities of lists at a setting of diversity, as means over slices."""

    setting: float
    ndcg_at_10: float
    weighted_recall_at_20: float


def best_by_both(points: Sequence[TradeOff | SettingQuality]) -> float | None:
    """Return the setting of the largest weighted recall whose NDCG@10 is within .003 of the best.

    Of equal ones the smallest; None without points.
    """
    if not points:
        return None
    best = max(point.ndcg_at_10 for point in points)
    eligible = [point for point in points if point.ndcg_at_10 >= best - TOLERANCE]
    return max(eligible, key=lambda point: (point.weighted_recall_at_20, -point.setting)).setting


def mean_qualities(slices: Sequence[SliceReport]) -> list[SettingQuality]:
    """Return the means over slices of each setting that was measured on all that have any."""
    measured = [row.trade_off for row in slices if row.trade_off]
    settings = [{point.setting: point for point in points} for points in measured]
    common = set.intersection(*map(set, settings)) if settings else set()
    return [
        SettingQuality(
            setting,
            float(np.mean([points[setting].ndcg_at_10 for points in settings])),
            float(np.mean([points[setting].weighted_recall_at_20 for points in settings])),
        )
        for setting in sorted(common)
    ]
