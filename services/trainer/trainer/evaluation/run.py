"""A run of the evaluation: what all recommenders did, split by split, joined by slice."""

from collections.abc import Iterator, Mapping

from marquee.domain.models import MODEL_BY_ROUTE
from marquee.domain.routing import Thresholds
from marquee.features.dataset import Dataset
from trainer.evaluation.baselines.popularity import measure_popularity
from trainer.evaluation.beyond_accuracy import CatalogueStatistics
from trainer.evaluation.cache import EvaluationCache
from trainer.evaluation.comparison import SliceMeasurements, compare, model_metrics
from trainer.evaluation.metrics import Measurement
from trainer.evaluation.plan import EvaluationPlan, Say
from trainer.evaluation.recommenders import Recommenders
from trainer.evaluation.served_models import key_at
from trainer.evaluation.slices import BY_TIME, CasesBySlice, Slice, draw
from trainer.evaluation.splits import Split, split_by_time, split_by_user
from trainer.models.parameters import TrainingParameters
from trainer.report.model import OURS, POPULARITY, RatingCountPoint, SliceReport


class EvaluationRun:
    """Outcomes as they come; `missing` says of models why they are not measured."""

    def __init__(
        self,
        plan: EvaluationPlan,
        parameters: TrainingParameters,
        thresholds: Thresholds,
        cache: EvaluationCache,
        say: Say,
    ) -> None:
        self._plan, self._thresholds = plan, thresholds
        self._recommenders = Recommenders(plan, parameters, thresholds, cache, say)
        self._slices: dict[str, Slice] = {}
        self._curve: dict[str, Slice] = {}
        self._measured: dict[str, SliceMeasurements] = {}
        self._users: set[int] = set()

    @property
    def missing(self) -> Mapping[str, str]:
        return self._recommenders.missing

    @property
    def users(self) -> int:
        """How many users were tested."""
        return len(self._users)

    def add_all(self, dataset: Dataset) -> list[str]:
        """Measure all splits of the plan; return their names."""
        names = []
        for split, slices, curve in splits_of(self._plan, dataset):
            self.add(split, slices, curve)
            names.append(split.name.replace("-", " ") if split.cut is None else "a cut by time")
        return names

    def add(self, split: Split, slices: tuple[Slice, ...], curve: tuple[Slice, ...] = ()) -> None:
        """Measure all recommenders on the cases of a split."""
        cases = draw(split, (*slices, *curve))
        self._slices |= {one.name: one for one in slices}
        self._curve |= {one.name: one for one in curve}
        for one in (*slices, *curve):
            self._measured.setdefault(one.name, SliceMeasurements()).cases += cases[one.name]
            self._users |= {case.user_id for case in cases[one.name]}
        self._add_parts(POPULARITY, measure_popularity(split, cases))
        for name, outcomes in self._recommenders.rivals(split, cases, slices).items():
            self._add_parts(name, outcomes)
        for name, outcomes in self._recommenders.models(split, cases).items():
            self._add_model(name, outcomes, cases)

    def reports(self, catalogue: CatalogueStatistics) -> list[SliceReport]:
        """Return the report of each slice."""
        return [
            compare(one, self._measured[name], self._thresholds, catalogue, self.missing)
            for name, one in self._slices.items()
        ]

    def by_ratings(self, catalogue: CatalogueStatistics) -> list[RatingCountPoint]:
        """Return ours and popularity by the number of ratings given, in rising order."""
        given = [one for one in (*self._slices.values(), *self._curve.values()) if _counts(one)]
        points = []
        for one in sorted(given, key=lambda one: one.given):
            measured = self._measured[one.name]
            found = compare(one, measured, self._thresholds, catalogue, self.missing)
            ours, popular = found.of(OURS), found.of(POPULARITY)
            if ours is not None and popular is not None:
                points.append(
                    RatingCountPoint(
                        ratings=one.given,
                        users=found.users,
                        ours=ours.ndcg_at_10,
                        popularity=popular.ndcg_at_10,
                    )
                )
        return points

    def figures(self, model: str) -> dict[str, float]:
        """Return the mean figures of a model over its slices, on the cases routed to it."""
        own = [
            self._measured[k]
            for k, one in self._slices.items()
            if MODEL_BY_ROUTE[one.route] == model
        ]
        return model_metrics(model, own, self._thresholds)

    def _add_parts(self, name: str, outcomes: Mapping[str, Measurement]) -> None:
        for key, outcome in outcomes.items():
            self._measured[key].parts.setdefault(name, []).append(outcome)

    def _add_model(
        self, name: str, outcomes: Mapping[str, Measurement], cases: CasesBySlice
    ) -> None:
        for key in cases:
            measured = self._measured[key]
            measured.models.setdefault(name, []).append(outcomes[key])
            for setting in self._plan.diversities:
                found = measured.diverse.setdefault(setting, {})
                found.setdefault(name, []).append(outcomes[key_at(key, setting)])


def splits_of(
    plan: EvaluationPlan, dataset: Dataset
) -> Iterator[tuple[Split, tuple[Slice, ...], tuple[Slice, ...]]]:
    """Yield the splits of a plan, each with its slices and those of the curve."""
    for fold in plan.folds:
        yield split_by_user(dataset, fold), plan.slices, plan.curve
    if plan.by_time:
        yield split_by_time(dataset), (BY_TIME,), ()


def _counts(one: Slice) -> bool:
    """Whether a slice is one of so many ratings, of any user."""
    return one.given > 0 and not one.viewed and one.name == str(one.given)
