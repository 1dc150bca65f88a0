"""Comparison on the validation users on which baselines were tuned, beside that on test users.

Baselines and models are fitted on the remaining training users. Our models choose their settings
within these, so only the baselines profit from having been tuned on the users that are measured.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from marquee.domain.routing import Thresholds
from marquee.features.dataset import Dataset
from trainer.evaluation.baselines.popularity import measure_popularity
from trainer.evaluation.beyond_accuracy import CatalogueStatistics
from trainer.evaluation.comparison import SliceMeasurements, compare
from trainer.evaluation.measurements import MeasurementsBySlice
from trainer.evaluation.plan import EvaluationPlan
from trainer.evaluation.protocols.cases import draw
from trainer.evaluation.protocols.splits import Split, split_by_user
from trainer.evaluation.recommenders import Recommenders
from trainer.report.model import OURS, POPULARITY, SliceReport, ValidationComparison


def validation_split(dataset: Dataset, fold: int) -> Split:
    """Return the split of the training users of a fold; `test` are the validation users."""
    return split_by_user(dataset, fold).tuning()


@dataclass(frozen=True, eq=False)
class ValidationRun:
    """The comparison on validation users of all recommenders of a plan, on its extra folds."""

    dataset: Dataset
    plan: EvaluationPlan
    recommenders: Recommenders
    thresholds: Thresholds

    def run(
        self, catalogue: CatalogueStatistics, tested: Mapping[str, SliceReport]
    ) -> list[ValidationComparison]:
        """Return a row for each slice that was also measured on test users."""
        measured = {user_slice.name: SliceMeasurements() for user_slice in self.plan.fold_slices}
        for fold in self.plan.extra_folds:
            self.add(fold, measured)
        missing = self.recommenders.missing
        rows = []
        for user_slice in self.plan.fold_slices:
            own = measured[user_slice.name]
            if not own.cases:
                continue
            report = compare(user_slice, own, self.thresholds, catalogue, missing)
            if (row := _row(report, tested[user_slice.name])) is not None:
                rows.append(row)
        return rows

    def fill(self, fold: int) -> str:
        """Fill the cache for a fold; return a description of the work."""
        self.add(
            fold, {user_slice.name: SliceMeasurements() for user_slice in self.plan.fold_slices}
        )
        return f"validation users of fold {fold}"

    def add(self, fold: int, measured: Mapping[str, SliceMeasurements]) -> None:
        """Measure all on the validation users of a fold."""
        split = validation_split(self.dataset, fold)
        cases = draw(split, self.plan.fold_slices)
        rivals: dict[str, MeasurementsBySlice] = {
            family.name: self.recommenders.rival_on_validation(family, split, cases)
            for family in self.plan.families
        }
        rivals[POPULARITY] = measure_popularity(split, cases)
        models = self.recommenders.models(split, cases)
        for name, own in measured.items():
            own.cases += cases[name]
            for rival, measurements in rivals.items():
                own.rivals.setdefault(rival, []).append(measurements[name])
            for model, measurements in models.items():
                own.models.setdefault(model, []).append(measurements[name])


def _row(validated: SliceReport, tested: SliceReport) -> ValidationComparison | None:
    ours, best = validated.of(OURS), validated.of(validated.best)
    ours_tested, best_tested = tested.of(OURS), tested.of(tested.best)
    if ours is None or best is None or ours_tested is None or best_tested is None:
        return None
    return ValidationComparison(
        name=validated.name,
        best=validated.best,
        ours=ours.ndcg_at_10,
        of_best=best.ndcg_at_10,
        ours_tested=ours_tested.ndcg_at_10,
        of_best_tested=best_tested.ndcg_at_10,
        users=validated.users,
    )
