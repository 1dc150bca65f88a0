"""What an evaluation found, as a value; `report_pages` and `report_tables` show it."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

OURS = "Marquee"
POPULARITY = "popularity"


class Part(BaseModel):
    """A part of a report: it never changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Interval(Part):
    """A mean difference with its 95 % interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


class Figures(Part):
    """What one recommender reaches on a slice: means over users.

    `coverage`: the share of the catalogue that is in any list of ten.
    """

    name: str
    recall_at_20: float
    ndcg_at_10: float
    ndcg_at_100: float
    coverage: float
    words: str = ""


class SliceReport(Part):
    """A slice: who answered, how all recommenders did, and how ours differs in NDCG@10.

    `figures` are those of users whose cases could be answered; `note` says why a slice has none.
    """

    name: str
    route: str
    answered: dict[str, float] = {}
    users: int = 0
    cases: int = 0
    figures: tuple[Figures, ...] = ()
    over_popularity: Interval | None = None
    over_best: Interval | None = None
    best: str = ""
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

    def of(self, name: str) -> Figures | None:
        """Return the figures of one recommender."""
        return next((figures for figures in self.figures if figures.name == name), None)


class RatingErrors(Part):
    """Errors of predicted ratings on held-out ones, in stars."""

    name: str
    rmse: float
    mae: float


class RatingTrials(Part):
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


class Reliability(Part):
    """Predictions of like confidence: the mean that was said, and the share within half a star."""

    said: float
    found: float
    ratings: int


class ColdFilms(Part):
    """How lists of ten films that nobody had rated do, cold films alone being candidates."""

    route: str
    name: str
    hit_rate_at_10: float
    ndcg_at_10: float
    cases: int


class Point(Part):
    """NDCG@10 of ours and of popularity when so many ratings are known of a viewer."""

    ratings: int
    users: int
    ours: float
    popularity: float


class Report(Part):
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
    cold_films: tuple[ColdFilms, ...] = ()
    by_ratings: tuple[Point, ...] = ()
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
