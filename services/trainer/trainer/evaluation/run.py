"""Run of an evaluation: all recommenders measured split by split, reported by slice."""

from collections.abc import Iterator, Mapping, Sequence

from marquee.domain.models import MODEL_BY_ROUTE
from marquee.domain.routing import Thresholds
from marquee.features.dataset import Dataset
from trainer.evaluation.baselines.popularity import measure_popularity
from trainer.evaluation.beyond_accuracy import CatalogueStatistics
from trainer.evaluation.cache import EvaluationCache
from trainer.evaluation.comparison import SliceMeasurements, compare, model_metrics
from trainer.evaluation.measurements import MeasurementsBySlice
from trainer.evaluation.plan import EvaluationPlan, Say
from trainer.evaluation.protocols.cases import CasesBySlice, draw
from trainer.evaluation.protocols.slices import Slice
from trainer.evaluation.protocols.splits import Split, split_by_time, split_by_user
from trainer.evaluation.recommenders import Recommenders
from trainer.evaluation.served_models import key_at
from trainer.models.parameters import TrainingParameters
from trainer.report.model import OURS, POPULARITY, Protocol, RatingCountPoint, SliceReport

GAIN = "gain_ndcg@10"
"""Ends the name of a model's NDCG@10 over popularity."""
TIME_LEAD = "time_"
"""Leads the names of figures that were measured in the order of time."""


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
        for split, slices in splits_of(self._plan, dataset):
            self.add(split, slices)
            names.append(split.title)
        return names

    def add(self, split: Split, slices: tuple[Slice, ...]) -> None:
        """Measure all recommenders on the cases of a split."""
        cases = draw(split, slices)
        self._slices |= {user_slice.name: user_slice for user_slice in slices}
        for name in (user_slice.name for user_slice in slices):
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

    def figures(self, model: str) -> dict[str, float]:
        """Return the mean metrics of a model over its slices, on the cases routed to it.

        Those of the slices in the order of time are named `time_…`, all others as they are.
        """
        return {
            f"{lead}{name}": value
            for lead, is_random in (("", True), (TIME_LEAD, False))
            for name, value in self._figures(model, is_random).items()
        }

    def _figures(self, model: str, is_random: bool) -> dict[str, float]:
        own = [
            self._measured[name]
            for name, user_slice in self._slices.items()
            if MODEL_BY_ROUTE[user_slice.route] == model
            and (user_slice.protocol is Protocol.RANDOM) == is_random
        ]
        return model_metrics(model, own, self._thresholds)

    def _add_rival(self, name: str, measurements: MeasurementsBySlice) -> None:
        for key, measurement in measurements.items():
            self._measured[key].rivals.setdefault(name, []).append(measurement)

    def _add_model(self, name: str, measurements: MeasurementsBySlice, cases: CasesBySlice) -> None:
        for key in cases:
            measured = self._measured[key]
            measured.diversity = self._plan.diversity
            measured.models.setdefault(name, []).append(measurements[key])
            for setting in self._plan.diversities:
                by_model = measured.by_diversity.setdefault(setting, {})
                by_model.setdefault(name, []).append(measurements[key_at(key, setting)])


def splits_of(plan: EvaluationPlan, dataset: Dataset) -> Iterator[tuple[Split, tuple[Slice, ...]]]:
    """Yield the splits of a plan, each with its slices."""
    if plan.fold_slices:
        for fold in plan.folds:
            yield split_by_user(dataset, fold), plan.fold_slices
    if plan.cut_slices:
        for share in plan.cuts:
            split = split_by_time(dataset, share)
            if len(split.train) and len(split.test):
                yield split, plan.cut_slices


def rating_count_points(reports: Sequence[SliceReport]) -> list[RatingCountPoint]:
    """Return NDCG@10 by the number of ratings shown, of slices that show a fixed number."""
    points = []
    for report in reports:
        ours, popularity, best = (report.of(name) for name in (OURS, POPULARITY, report.best))
        number = report.name.removeprefix("first ")
        if number.isdecimal() and ours and popularity and best:
            points.append(
                RatingCountPoint(
                    ratings=int(number),
                    users=report.users,
                    ours=ours.ndcg_at_10,
                    popularity=popularity.ndcg_at_10,
                    best=best.ndcg_at_10,
                    protocol=report.protocol,
                )
            )
    return points
