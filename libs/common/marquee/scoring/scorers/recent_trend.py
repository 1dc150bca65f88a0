"""The trend signal: recent popularity of movies beside that of all time, kept up by events."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from marquee.arrays import Vector, load_arrays, save_arrays
from marquee.features.popularity import Popularity
from marquee.features.shortlist import RowSelection

TREND = "trend"
"""Name of the signal."""

_FILE = "trend.npz"


@dataclass(frozen=True, eq=False)
class RecentTrend:
    """Trend of movies (`marquee.features.trend`).

    Attributes:
        half_life: of likes, in days.
        base: float32 n, the trend at the end of the training; the movies are the first rows of the
            table.
    """

    half_life: float
    base: Vector

    def signal(self, selection: RowSelection, current: Popularity | None) -> Vector:
        """Return the trend of m selected rows, present or, without it, as at the training."""
        if current is None or not current.has_trend:
            aligned: Vector = selection.align(self.base).astype(np.float32)
            return aligned
        present: Vector = current.trend[selection.rows].astype(np.float32)
        return present

    def save(self, directory: Path) -> None:
        """Write `trend.npz`."""
        save_arrays(directory / _FILE, half_life=np.array([self.half_life]), base=self.base)

    @classmethod
    def load(cls, directory: Path) -> "RecentTrend | None":
        """Read `trend.npz`; None where there is none: older bundles, data without usable times."""
        if not (directory / _FILE).exists():
            return None
        arrays = load_arrays(directory / _FILE)
        return cls(float(arrays["half_life"][0]), arrays["base"])


def trend_signals(
    trend: RecentTrend | None, selection: RowSelection, current: Popularity | None
) -> dict[str, Vector]:
    """Return the signal by its name; none where the model has no trend."""
    return {} if trend is None else {TREND: trend.signal(selection, current)}
