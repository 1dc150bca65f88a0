"""Evaluation report as a value, stored as JSON; `writers` and `tables` render it."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

OURS = "Marquee"
POPULARITY = "popularity"
RECENT_POPULARITY = "popularity of the last weeks"
TWO_CHANNEL_EASE = "EASE of likes and dislikes"
"""The baseline that also sees low ratings."""


class Protocol(StrEnum):
    """What of a test user's history is known: its beginning, all before a cut, a random part."""

    FIRST = "first"
    CUT = "cut"
    RANDOM = "random"


class ReportPart(BaseModel):
    """A part of a report, immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Interval(ReportPart):
    """A mean difference with its 95 % interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


class RecommenderMetrics(ReportPart):
    """Metrics of one recommender on a slice, as means over users.

    `weighted_recall_at_20` weighs targets by popularity^-1/2. The others are of lists of ten.
    `coverage`: share of the catalogue that is in any. `novelty`: self-information in bits.
    `diversity`: mean of 1 - cosine over the pairs of a list. `most_shown`: share of lists with the
    most shown movie. `ten_most_shown`: share of places of the ten most shown movies. `calibration`:
    divergence of the genres from those of the known likes, in nats, 0 where none is known.
    """

    name: str
    recall_at_20: float
    ndcg_at_10: float
    ndcg_at_100: float
    coverage: float
    map_at_10: float = 0.0
    novelty: float = 0.0
    diversity: float = 0.0
    weighted_recall_at_20: float = 0.0
    most_shown: float = 0.0
    ten_most_shown: float = 0.0
    calibration: float = 0.0
    words: str = ""


class TradeOff(ReportPart):
    """Metrics of lists at one setting of diversity; `over_best` is NDCG@10 less that of the bar."""

    setting: float
    ndcg_at_10: float
    over_best: Interval
    coverage: float
    novelty: float
    diversity: float
    weighted_recall_at_20: float = 0.0
    most_shown: float = 0.0
    ten_most_shown: float = 0.0
    calibration: float = 0.0


class SliceReport(ReportPart):
    """A slice: routes, metrics of all recommenders, and differences of Marquee in NDCG@10.

    `figures` are of users whose cases could be answered; `note` gives the reason if there are none.
    """

    name: str
    route: str
    protocol: Protocol = Protocol.RANDOM
    answered: dict[str, float] = {}
    users: int = 0
    cases: int = 0
    figures: tuple[RecommenderMetrics, ...] = ()
    over_popularity: Interval | None = None
    over_recent: Interval | None = None
    """Ours less the popularity of the last weeks."""
    over_best: Interval | None = None
    best: str = ""
    """The rival of the largest NDCG@10: the bar."""
    genres: dict[str, tuple[float, float]] = {}
    """The share of each genre's movies in Marquee's lists, and in those of the best baseline."""
    trade_off: tuple[TradeOff, ...] = ()
    note: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether Marquee is not below any popularity; None if it was not measured."""
        if self.over_popularity is None:
            return None
        return all(gap.mean >= 0 for gap in (self.over_popularity, self.over_recent) if gap)

    @property
    def answered_by(self) -> str:
        """The routes with the share of cases that each answered."""
        if len(self.answered) == 1:
            return next(iter(self.answered))
        return ", ".join(f"{route} {share:.0%}" for route, share in self.answered.items())

    @property
    def at_the_bar(self) -> TradeOff | None:
        """The lists of largest coverage whose NDCG@10 is at least that of the best baseline."""
        eligible = [point for point in self.trade_off if point.over_best.mean >= 0]
        return max(eligible, key=lambda point: point.coverage, default=None)

    def of(self, name: str) -> RecommenderMetrics | None:
        """Return the metrics of one recommender; None if it was not measured."""
        return next((figures for figures in self.figures if figures.name == name), None)


class RatingErrors(ReportPart):
    """Errors of predicted ratings on held-out ones, in stars."""

    name: str
    rmse: float
    mae: float


class RatingTrials(ReportPart):
    """Means over splits of one kind of trial.

    Errors are in stars. NDCG@10 (gain 2^stars - 1) is over users with at least five targets; None
    if there are none. `rmses`: of each split. `below_biases`: RMSE of the damped biases less this
    one, paired by split.
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
    """A band of predictions by confidence: its mean, and the true share within half a star."""

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
    """Metrics of lists of ten among cold movies alone, which have no ratings.

    `content`: what is known of the movies.
    """

    content: str
    route: str
    name: str
    hit_rate_at_10: MeanInterval
    ndcg_at_10: float
    cases: int
    over_content: Interval | None = None
    """Hit rate of Marquee less that of content cosine and predicted popularity."""


class ColdStartExposure(ReportPart):
    """Exposure of cold movies where all movies are candidates.

    `share_of_places`: of the places of lists of ten. `share_of_ratings`: of the positive ratings.
    `cost`: change of the NDCG@10 of rated movies (below 0: a loss).
    """

    content: str
    route: str
    share_of_places: float
    share_of_ratings: float
    cost: Interval
    cases: int


class Ablation(ReportPart):
    """A model without one signal of its blend; `over_whole` is NDCG@10 less that of the whole."""

    model: str
    signal: str
    ndcg_at_10: float
    over_whole: Interval
    cases: int


class ValidationComparison(ReportPart):
    """NDCG@10 of Marquee and of the best baseline on validation users and on test users."""

    name: str
    best: str
    ours: float
    of_best: float
    ours_tested: float
    of_best_tested: float
    users: int


class MapMarker(ReportPart):
    """A segment on a map: name, size and the coordinates of members."""

    name: str
    size: int
    places: tuple[tuple[float, float], ...]


class SegmentMap(ReportPart):
    """Segments of a kind: the choice of their number, and a map of their members."""

    kind: str
    choice: dict[str, Any]
    markers: tuple[MapMarker, ...]


class RatingCountPoint(ReportPart):
    """NDCG@10 of Marquee, popularity and the best rival with a number of known ratings."""

    ratings: int
    users: int
    ours: float
    popularity: float
    best: float
    protocol: Protocol = Protocol.RANDOM


class Report(ReportPart):
    """All results of an evaluation."""

    data_version: str
    code_version: str
    users: int
    films: int
    splits: tuple[str, ...]
    unusable_times: str = ""
    """Why the times of the data order nothing; empty where they do."""
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
    """Metrics of each epoch of the newest training, by model."""
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def leading(self) -> Sequence[SliceReport]:
        """The slices of the first protocol, by which a reader judges."""
        return [row for row in self.slices if row.protocol is self.slices[0].protocol]

    @property
    def below(self) -> Sequence[str]:
        """The slices on which Marquee is below popularity."""
        return [row.name for row in self.slices if row.holds is False]
