"""What an evaluation found, as a value; `report_pages` and `report_tables` show it."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

OURS = "Marquee"
POPULARITY = "popularity"
BY_TIME = "earlier ones"
"""The slice that is split in the order of time, not by user."""
TWO_CHANNEL_EASE = "EASE of likes and dislikes"
"""The rival that sees low ratings as well; no part of the bar."""


class ReportPart(BaseModel):
    """A part of a report: it never changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Interval(ReportPart):
    """A mean difference with its 95 % interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


class RecommenderMetrics(ReportPart):
    """What one recommender reaches on a slice: means over users.

    Of the lists of ten: `coverage`, the share of the catalogue that is in any; `novelty` in bits;
    `diversity`, the mean of 1 - cosine over the pairs of a list.
    """

    name: str
    recall_at_20: float
    ndcg_at_10: float
    ndcg_at_100: float
    coverage: float
    map_at_10: float = 0.0
    novelty: float = 0.0
    diversity: float = 0.0
    words: str = ""


class TradeOff(ReportPart):
    """What lists are at one setting of diversity; `over_best` is NDCG@10 less that of the bar."""

    setting: float
    ndcg_at_10: float
    over_best: Interval
    coverage: float
    novelty: float
    diversity: float


class SliceReport(ReportPart):
    """A slice: who answered, how all recommenders did, and how ours differs in NDCG@10.

    `figures` are those of users whose cases could be answered; `note` says why a slice has none.
    """

    name: str
    route: str
    answered: dict[str, float] = {}
    users: int = 0
    cases: int = 0
    figures: tuple[RecommenderMetrics, ...] = ()
    over_popularity: Interval | None = None
    over_best: Interval | None = None
    best: str = ""
    over_second: Interval | None = None
    """Ours less the second bar."""
    genres: dict[str, tuple[float, float]] = {}
    """The shares of each genre's movies that ours and the best show."""
    trade_off: tuple[TradeOff, ...] = ()
    note: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether ours is not below popularity; None where it was not measured."""
        if self.over_popularity is None:
            return None
        return self.over_popularity.mean >= 0

    @property
    def answered_by(self) -> str:
        """The routes with the share of cases that each answered."""
        if len(self.answered) == 1:
            return next(iter(self.answered))
        return ", ".join(f"{route} {share:.0%}" for route, share in self.answered.items())

    @property
    def at_the_bar(self) -> TradeOff | None:
        """The broadest lists whose mean NDCG@10 is that of the best baseline at least."""
        reached = [one for one in self.trade_off if one.over_best.mean >= 0]
        return max(reached, key=lambda one: one.coverage, default=None)

    def of(self, name: str) -> RecommenderMetrics | None:
        """Return the figures of one recommender."""
        return next((figures for figures in self.figures if figures.name == name), None)


class RatingErrors(ReportPart):
    """Errors of predicted ratings on held-out ones, in stars."""

    name: str
    rmse: float
    mae: float


class RatingTrials(ReportPart):
    """Means over splits of one kind: errors in stars, and NDCG@10 (gain 2^stars - 1) over the
    ratings asked of users with five and more; None where there is no such user.

    `below_biases`: RMSE of the damped biases less this one, paired by split; `rmses`: each split's.
    """

    trial: str
    name: str
    rmse: float
    mae: float
    ndcg_at_10: float | None
    splits: int
    rmses: tuple[float, ...] = ()
    below_biases: Interval | None = None


class Reliability(ReportPart):
    """Predictions of like confidence: the mean that was said, and the share within half a star."""

    said: float
    found: float
    ratings: int


class MeanInterval(ReportPart):
    """A mean over users with its 95 % interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


class ColdStartQuality(ReportPart):
    """How lists of ten movies that nobody had rated do, cold movies alone being candidates.

    `content`: what is known of the movies.
    """

    content: str
    route: str
    name: str
    hit_rate_at_10: MeanInterval
    ndcg_at_10: float
    cases: int
    over_content: Interval | None = None
    """Ours: its hit rate less that of content cosine and predicted popularity."""


class ColdStartExposure(ReportPart):
    """Cold movies where all movies are candidates: their share of the places of lists of ten, of the
    positive ratings, and what it costs the rated movies in NDCG@10 (below 0: a loss)."""

    content: str
    route: str
    share_of_places: float
    share_of_ratings: float
    cost: Interval
    cases: int


class Ablation(ReportPart):
    """A model without a signal of its mix, less the whole model, in NDCG@10 on its own cases."""

    model: str
    signal: str
    ndcg_at_10: float
    over_whole: Interval
    cases: int


class ValidationComparison(ReportPart):
    """NDCG@10 on validation users, who are none of the tested ones, and on tested users."""

    name: str
    best: str
    ours: float
    of_best: float
    ours_tested: float
    of_best_tested: float
    users: int


class MapMarker(ReportPart):
    """Members of a segment on a map: their places, and the segment's name and size."""

    name: str
    size: int
    places: tuple[tuple[float, float], ...]


class SegmentMap(ReportPart):
    """Segments of a kind: how their number was chosen, and where their members lie."""

    kind: str
    choice: dict[str, Any]
    markers: tuple[MapMarker, ...]


class RatingCountPoint(ReportPart):
    """NDCG@10 of ours and of popularity when so many ratings are known of a user."""

    ratings: int
    users: int
    ours: float
    popularity: float


class Report(ReportPart):
    """All that an evaluation found."""

    data_version: str
    code_version: str
    users: int
    films: int
    splits: tuple[str, ...]
    seed: int
    slices: tuple[SliceReport, ...]
    rating_errors: tuple[RatingErrors, ...] = ()
    rating_trials: tuple[RatingTrials, ...] = ()
    reliability: tuple[Reliability, ...] = ()
    cold_films: tuple[ColdStartQuality, ...] = ()
    cold_places: tuple[ColdStartExposure, ...] = ()
    ablation: tuple[Ablation, ...] = ()
    on_validation: tuple[ValidationComparison, ...] = ()
    segments: tuple[SegmentMap, ...] = ()
    by_ratings: tuple[RatingCountPoint, ...] = ()
    curves: dict[str, tuple[dict[str, float], ...]] = {}
    """What each epoch of the newest training told, by model."""
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def below(self) -> Sequence[str]:
        """The slices on which ours is below popularity."""
        return [one.name for one in self.slices if one.holds is False]

    @property
    def verdict(self) -> str:
        """One line: whether a route falls below popularity on its slice."""
        if self.below:
            return f"Below popularity in NDCG@10 on: {', '.join(self.below)}."
        silent = [one.name for one in self.slices if one.holds is None]
        if len(silent) == len(self.slices):
            return "No slice was measured."
        rest = f" Not measured: {', '.join(silent)}." if silent else ""
        return f"No route falls below popularity on its slice.{rest}"
