"""Run of an evaluation: all recommenders measured split by split, reported by slice."""

from collections.abc import Iterator, Mapping

from marquee.domain.models import MODEL_BY_ROUTE
from marquee.domain.routing import Thresholds
from marquee.features.dataset import Dataset
from trainer.evaluation.baselines.popularity import measure_popularity
from trainer.evaluation.beyond_accuracy import CatalogueStatistics
from trainer.evaluation.cache import EvaluationCache
from trainer.evaluation.comparison import SliceMeasurements, compare, model_metrics
from trainer.evaluation.measurements import MeasurementsBySlice
from trainer.evaluation.plan import EvaluationPlan, Say
from trainer.evaluation.recommenders import Recommenders
from trainer.evaluation.served_models import key_at
from trainer.evaluation.slices import BY_TIME, CasesBySlice, Slice, draw
from trainer.evaluation.splits import Split, split_by_time, split_by_user
from trainer.models.parameters import TrainingParameters
from trainer.report.model import OURS, POPULARITY, RatingCountPoint, SliceReport


class EvaluationRun:
    """Measurements of a plan, collected by slice; split after split is added."""

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
        """The models that are not measured, with the reason."""
        return self._recommenders.missing

    @property
    def users(self) -> int:
        """Number of users tested."""
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
        self._slices |= {user_slice.name: user_slice for user_slice in slices}
        self._curve |= {user_slice.name: user_slice for user_slice in curve}
        for name in (user_slice.name for user_slice in (*slices, *curve)):
            self._measured.setdefault(name, SliceMeasurements()).cases += cases[name]
            self._users |= {case.user_id for case in cases[name]}
        self._add_rival(POPULARITY, measure_popularity(split, cases))
        for name, measurements in self._recommenders.rivals(split, cases, slices).items():
            self._add_rival(name, measurements)
        for name, measurements in self._recommenders.models(split, cases).items():
            self._add_model(name, measurements, cases)

    def reports(self, catalogue: CatalogueStatistics) -> list[SliceReport]:
        """Return the report of each slice."""
        return [
            compare(user_slice, self._measured[name], self._thresholds, catalogue, self.missing)
            for name, user_slice in self._slices.items()
        ]

    def by_ratings(self, catalogue: CatalogueStatistics) -> list[RatingCountPoint]:
        """Return NDCG@10 of Marquee and of popularity by the number of ratings shown, ascending."""
        slices = (*self._slices.values(), *self._curve.values())
        points = []
        for user_slice in sorted(filter(_is_rating_count, slices), key=lambda s: s.given):
            measured = self._measured[user_slice.name]
            report = compare(user_slice, measured, self._thresholds, catalogue, self.missing)
            ours, popularity = report.of(OURS), report.of(POPULARITY)
            if ours is not None and popularity is not None:
                points.append(
                    RatingCountPoint(
                        ratings=user_slice.given,
                        users=report.users,
                        ours=ours.ndcg_at_10,
                        popularity=popularity.ndcg_at_10,
                    )
                )
        return points

    def figures(self, model: str) -> dict[str, float]:
        """Return the mean metrics of a model over its slices, on the cases routed to it."""
        own = [
            self._measured[name]
            for name, user_slice in self._slices.items()
            if MODEL_BY_ROUTE[user_slice.route] == model
        ]
        return model_metrics(model, own, self._thresholds)

    def _add_rival(self, name: str, measurements: MeasurementsBySlice) -> None:
        for key, measurement in measurements.items():
            self._measured[key].rivals.setdefault(name, []).append(measurement)

    def _add_model(self, name: str, measurements: MeasurementsBySlice, cases: CasesBySlice) -> None:
        for key in cases:
            measured = self._measured[key]
            measured.models.setdefault(name, []).append(measurements[key])
            for setting in self._plan.diversities:
                by_model = measured.by_diversity.setdefault(setting, {})
                by_model.setdefault(name, []).append(measurements[key_at(key, setting)])


def splits_of(
    plan: EvaluationPlan, dataset: Dataset
) -> Iterator[tuple[Split, tuple[Slice, ...], tuple[Slice, ...]]]:
    """Yield the splits of a plan, each with its slices and those of the curve."""
    for fold in plan.folds:
        yield split_by_user(dataset, fold), plan.slices, plan.curve
    if plan.by_time:
        yield split_by_time(dataset), (BY_TIME,), ()


def _is_rating_count(user_slice: Slice) -> bool:
    """Return whether a slice shows a fixed number of ratings."""
    return (
        user_slice.given > 0 and not user_slice.viewed and user_slice.name == str(user_slice.given)
    )
