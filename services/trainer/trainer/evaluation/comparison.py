"""Comparison of recommenders on the cases of all splits, slice by slice."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from marquee.arrays import Ints, Mask, Reals
from marquee.domain.models import MODEL_BY_ROUTE
from marquee.domain.routing import Thresholds
from marquee.training.ranking_metrics import average_precision_at_k
from trainer.evaluation.beyond_accuracy import (
    CatalogueStatistics,
    head_share,
    most_shown_share,
)
from trainer.evaluation.measurements import (
    KEPT_PLACES,
    LIST_SIZE,
    METRICS,
    PRIMARY_METRIC,
    Measurement,
    mean_by_user,
    paired_difference,
)
from trainer.evaluation.protocols.cases import EvaluationCase, route_of
from trainer.evaluation.protocols.slices import Slice
from trainer.report.model import (
    OURS,
    POPULARITY,
    RECENT_POPULARITY,
    Interval,
    RecommenderMetrics,
    SliceReport,
    TradeOff,
)


@dataclass
class SliceMeasurements:
    """The cases of a slice over all splits, and the measurements of all recommenders on them.

    `rivals`: a measurement a split, by baseline. `models`: a measurement a split, by model, on the
    cases that are routed to it, at the setting `diversity`. `by_diversity`: those of the models at
    other settings.
    """

    cases: list[EvaluationCase] = field(default_factory=list)
    rivals: dict[str, list[Measurement]] = field(default_factory=dict)
    models: dict[str, list[Measurement]] = field(default_factory=dict)
    diversity: float = 0.0
    by_diversity: dict[float, dict[str, list[Measurement]]] = field(default_factory=dict)


def compare(
    user_slice: Slice,
    measured: SliceMeasurements,
    thresholds: Thresholds,
    catalogue: CatalogueStatistics,
    missing: Mapping[str, str],
) -> SliceReport:
    """Return the report of a slice; `missing` maps models that were not measured to the reason."""
    reason = missing.get(MODEL_BY_ROUTE[user_slice.route], "")
    if reason or not measured.cases:
        return SliceReport(
            name=user_slice.name,
            route=str(user_slice.route),
            protocol=user_slice.protocol,
            note=reason or "no user has such ratings",
        )
    models = np.array([MODEL_BY_ROUTE[route_of(case, thresholds)] for case in measured.cases])
    answered = ~np.isin(models, list(missing))
    outcomes = {
        name: _rows(concatenated(parts), answered) for name, parts in measured.rivals.items()
    }
    outcomes[OURS] = _rows(_merged(measured.models, models), answered)
    cases = [case for case, has_answer in zip(measured.cases, answered, strict=True) if has_answer]
    slice_report = _SliceComparison(user_slice, outcomes, cases, catalogue).report(thresholds)
    diverse = {
        setting: _rows(_merged(by_model, models), answered)
        for setting, by_model in measured.by_diversity.items()
    }
    if diverse:
        diverse[measured.diversity] = outcomes[OURS]
    return slice_report.model_copy(
        update={
            "note": _left_out(answered),
            "trade_off": _trade_off(outcomes, slice_report.best, diverse, cases, catalogue),
        }
    )


def model_metrics(
    model: str, own: Sequence[SliceMeasurements], thresholds: Thresholds
) -> dict[str, float]:
    """Return the mean metrics of a model over its slices, on the cases that are routed to it.

    `gain_ndcg@10` is NDCG@10 less that of popularity. Empty if no case is routed to the model.
    """
    rows = []
    for measured in own:
        chosen = np.array(
            [MODEL_BY_ROUTE[route_of(case, thresholds)] == model for case in measured.cases]
        )
        if chosen.any():
            ours = concatenated(measured.models[model]).values.mean(axis=0)
            floor = concatenated(measured.rivals[POPULARITY]).values[chosen].mean(axis=0)
            rows.append([*ours, ours[PRIMARY_METRIC] - floor[PRIMARY_METRIC]])
    if not rows:
        return {}
    means = np.mean(rows, axis=0).tolist()
    return dict(zip((*METRICS, "gain_ndcg@10"), means, strict=True))


@dataclass(frozen=True)
class _SliceComparison:
    """Measurements of all recommenders on the same cases."""

    slice: Slice
    outcomes: Mapping[str, Measurement]
    cases: Sequence[EvaluationCase]
    catalogue: CatalogueStatistics

    def report(self, thresholds: Thresholds) -> SliceReport:
        """Return the report without the trade-off of diversity."""
        figures = tuple(self._metrics(name, measured) for name, measured in self.outcomes.items())
        rivals = [row for row in figures if row.name != OURS]
        best = max(rivals, key=lambda row: row.ndcg_at_10).name
        counts = Counter(str(route_of(case, thresholds)) for case in self.cases)
        return SliceReport(
            name=self.slice.name,
            route=str(self.slice.route),
            protocol=self.slice.protocol,
            answered={route: n / len(self.cases) for route, n in counts.most_common()},
            users=len(np.unique(self._users)),
            cases=len(self.cases),
            figures=figures,
            over_popularity=self._over(POPULARITY),
            over_recent=self._over(RECENT_POPULARITY)
            if RECENT_POPULARITY in self.outcomes
            else None,
            over_best=self._over(best),
            best=best,
            genres=self._genres(best),
        )

    @property
    def _users(self) -> Ints:
        return users_of(self.cases)

    def _over(self, name: str) -> Interval:
        return ndcg_difference(self.outcomes[OURS], self.outcomes[name], self._users)

    def _genres(self, best: str) -> dict[str, tuple[float, float]]:
        ours, theirs = (
            self.catalogue.coverage_by_genre(self.outcomes[name].first_page)
            for name in (OURS, best)
        )
        return {genre: (share, theirs[genre]) for genre, share in ours.items()}

    def _metrics(self, name: str, measurement: Measurement) -> RecommenderMetrics:
        recall, at_10, at_100 = _mean(measurement.values, self._users)
        precisions = [
            average_precision_at_k(shown, case.targets.tolist(), LIST_SIZE)
            for shown, case in zip(measurement.first_page, self.cases, strict=True)
        ]
        return RecommenderMetrics(
            name=name,
            recall_at_20=recall,
            ndcg_at_10=at_10,
            ndcg_at_100=at_100,
            map_at_10=_mean(np.array(precisions), self._users)[0],
            words=measurement.words,
            **_beyond_accuracy(measurement, self.cases, self.catalogue),
        )


def users_of(cases: Sequence[EvaluationCase]) -> Ints:
    """Return the user of each of n cases."""
    return np.array([case.user_id for case in cases], np.int64)


def ndcg_difference(ours: Measurement, theirs: Measurement, users: Ints) -> Interval:
    """Return the mean difference of two NDCG@10, paired by user."""
    gap = paired_difference(ours.values[:, PRIMARY_METRIC], theirs.values[:, PRIMARY_METRIC], users)
    return Interval(mean=gap.mean, low=gap.low, high=gap.high)


def _trade_off(
    outcomes: Mapping[str, Measurement],
    best: str,
    diverse: Mapping[float, Measurement],
    cases: Sequence[EvaluationCase],
    catalogue: CatalogueStatistics,
) -> tuple[TradeOff, ...]:
    users = users_of(cases)
    return tuple(
        TradeOff(
            setting=setting,
            ndcg_at_10=_mean(measurement.values, users)[PRIMARY_METRIC],
            over_best=ndcg_difference(measurement, outcomes[best], users),
            **_beyond_accuracy(measurement, cases, catalogue),
        )
        for setting, measurement in sorted(diverse.items(), key=lambda pair: pair[0])
    )


def _beyond_accuracy(
    measurement: Measurement, cases: Sequence[EvaluationCase], catalogue: CatalogueStatistics
) -> dict[str, float]:
    users, shown = users_of(cases), measurement.first_page
    targets = [case.targets for case in cases]
    weighted = catalogue.weighted_recall(measurement.shown, targets, KEPT_PLACES)
    divergences = catalogue.calibration(shown, [case.liked for case in cases])
    known = ~np.isnan(divergences)
    return {
        "weighted_recall_at_20": _mean(weighted, users)[0],
        "most_shown": most_shown_share(shown),
        "ten_most_shown": head_share(shown),
        "calibration": _mean(divergences[known], users[known])[0] if known.any() else 0.0,
        "coverage": catalogue.coverage(shown),
        "novelty": _mean(catalogue.novelty(shown), users)[0],
        "diversity": _mean(catalogue.diversity(shown), users)[0],
    }


def _mean(values: Reals, users: Ints) -> list[float]:
    """Return the means over users of n values, or of each of m columns of n × m."""
    by_user = mean_by_user(values, users)
    means: list[float] = np.atleast_1d(by_user.mean(axis=0)).tolist()
    return means


def concatenated(parts: Sequence[Measurement]) -> Measurement:
    """Return one measurement of the cases of several splits."""
    words = " | ".join(dict.fromkeys(part.words for part in parts if part.words))
    return Measurement(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.shown for part in parts]),
        words,
    )


def _merged(
    by_model: Mapping[str, Sequence[Measurement]], models: npt.NDArray[np.str_]
) -> Measurement:
    """Return one measurement of all cases from those of the models that answer them."""
    of_model = {name: concatenated(parts) for name, parts in by_model.items()}
    values = np.zeros((len(models), len(METRICS)))
    shown = np.full((len(models), KEPT_PLACES), -1, np.int64)
    for name, measurement in of_model.items():
        values[models == name] = measurement.values
        shown[models == name] = measurement.shown
    return Measurement(values, shown)


def _rows(measurement: Measurement, chosen: Mask) -> Measurement:
    values, shown = measurement.values[chosen], measurement.shown[chosen]
    return Measurement(values, shown, measurement.words)


def _left_out(answered: Mask) -> str:
    left_out = int((~answered).sum())
    return (
        f"{left_out} of {len(answered)} cases left out: their model is missing" if left_out else ""
    )
