"""Popularity of the training data as a service would have known it when a user was asked."""

from dataclasses import dataclass, field

from marquee.arrays import Ints
from marquee.features.dataset import Dataset
from marquee.features.interactions import RatingRows
from marquee.features.popularity import Popularity
from marquee.training.recent_likes import RecentLikes


@dataclass(frozen=True, eq=False)
class PastPopularity:
    """Popularity of n movies by the period in which it is asked for.

    Attributes:
        sums: int64 n × 3: ratings, positive ratings, half stars, of all time.
        recent: likes by period; None: the data have no usable times.
        half_life: of likes in the trend, in days; None: the model has no trend.
    """

    sums: Ints
    recent: RecentLikes | None
    half_life: float | None
    _by_period: dict[int, Popularity] = field(default_factory=dict)

    @classmethod
    def of(cls, train: Dataset, half_life: float | None) -> "PastPopularity":
        """Return the popularity of training data."""
        rows, n = RatingRows.of(train), len(train.movies)
        recent = None if half_life is None else RecentLikes.of(rows, n)
        return cls(rows.sums(n), recent, half_life)

    def at(self, time: int) -> Popularity:
        """Return the popularity at a time in seconds since 1970; 0: at the end of the training."""
        period = 0 if self.recent is None else self.recent.period_at(time)
        if period not in self._by_period:
            self._by_period[period] = self._of(period)
        return self._by_period[period]

    def _of(self, period: int) -> Popularity:
        if self.recent is None or self.half_life is None:
            return Popularity(self.sums)
        return Popularity(self.sums, self.recent.decayed(self.half_life, period))
