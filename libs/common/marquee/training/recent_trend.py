"""Trend of recent popularity in trainings: as it was when a user was asked, with the half-life.

A service knows the popularity of the present. Fold-ins lie in the past: each gets the trend of the
period in which it is asked for, so that weights are learned on what a service would have known.
"""

from dataclasses import dataclass, field

import numpy as np

from marquee.arrays import Ints, Vector
from marquee.features.interactions import RatingRows
from marquee.features.trend import trend
from marquee.scoring.scorers.recent_trend import RecentTrend
from marquee.training.recent_likes import RecentLikes

HALF_LIVES = (365.0, 30.0, 90.0, 1000.0)
"""Half-lives in days: the default, and those that replace it where they gain beyond noise.

Fold-ins of the past tell too little of it: their models know what became popular later.
"""


@dataclass(frozen=True, eq=False)
class PastTrends:
    """Trends of n movies as of periods of the past, for one half-life.

    Attributes:
        recent: likes of the training by period.
        likes: int64 n, likes of all time.
        half_life: in days.
    """

    recent: RecentLikes
    likes: Ints
    half_life: float
    _by_period: dict[int, Vector] = field(default_factory=dict)

    def at(self, time: int) -> Vector:
        """Return the trend, float32 n, at a time in seconds since 1970; 0: at the end."""
        period = self.recent.period_at(time)
        if period not in self._by_period:
            decayed = self.recent.decayed(self.half_life, period)
            self._by_period[period] = trend(decayed, self.likes).astype(np.float32)
        return self._by_period[period]

    def served(self) -> RecentTrend:
        """Return the trend that a model is served with."""
        return RecentTrend(self.half_life, self.at(0))


def past_trends(rows: RatingRows, n_movies: int) -> list[PastTrends]:
    """Return the trends of users' ratings for each half-life; none where times are not known."""
    recent = RecentLikes.of(rows, n_movies)
    if recent is None:
        return []
    likes = rows.sums(n_movies)[:, 1]
    return [PastTrends(recent, likes, half_life) for half_life in HALF_LIVES]


def served_trend(learned: PastTrends | None, rows: RatingRows, n_movies: int) -> RecentTrend | None:
    """Return the trend of all ratings with the half-life that was learned on some."""
    recent = RecentLikes.of(rows, n_movies)
    if learned is None or recent is None:
        return None
    return PastTrends(recent, rows.sums(n_movies)[:, 1], learned.half_life).served()
