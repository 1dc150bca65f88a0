"""The same comparison on validation users, where the rivals were tuned: beside what tests find.

Rivals are as their tuning left them, fitted on the users that are kept. So are our models, which
choose their own settings within those users: a rival is flattered here, as it was picked on these.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from marquee.domain.routing import Thresholds
from marquee.features.dataset import Dataset
from trainer.evaluation.baselines.popularity import measure_popularity
from trainer.evaluation.beyond_accuracy import CatalogueStatistics
from trainer.evaluation.comparison import SliceMeasurements, compare
from trainer.evaluation.metrics import Measurement
from trainer.evaluation.plan import EvaluationPlan
from trainer.evaluation.recommenders import Recommenders
from trainer.evaluation.slices import draw
from trainer.evaluation.splits import Split, split_by_user
from trainer.report.model import OURS, POPULARITY, SliceReport, ValidationComparison


def validation_split(dataset: Dataset, fold: int) -> Split:
    """Return the split within the training users of a fold: `test` are those tuned on."""
    split = split_by_user(dataset, fold)
    return Split(f"{split.name}-validation", *split.tuning())


@dataclass(frozen=True, eq=False)
class ValidationRun:
    """The folds of trials of a plan, on whose validation users all is measured."""

    dataset: Dataset
    plan: EvaluationPlan
    recommenders: Recommenders
    thresholds: Thresholds

    def run(
        self, catalogue: CatalogueStatistics, tested: Mapping[str, SliceReport]
    ) -> list[ValidationComparison]:
        """Return a row for each slice that was measured on tested users as well."""
        measured = {one.name: SliceMeasurements() for one in self.plan.slices}
        for fold in self.plan.trials:
            self.add(fold, measured)
        rows = []
        for one in self.plan.slices:
            if not measured[one.name].cases:
                continue
            missing = self.recommenders.missing
            found = compare(one, measured[one.name], self.thresholds, catalogue, missing)
            if (row := _row(found, tested[one.name])) is not None:
                rows.append(row)
        return rows

    def fill(self, fold: int) -> str:
        """Compute and keep all of a fold; return what it was."""
        self.add(fold, {one.name: SliceMeasurements() for one in self.plan.slices})
        return f"validation users of fold {fold}"

    def add(self, fold: int, measured: Mapping[str, SliceMeasurements]) -> None:
        """Measure all on the validation users of a fold."""
        split = validation_split(self.dataset, fold)
        cases = draw(split, self.plan.slices)
        parts: dict[str, Mapping[str, Measurement]] = {
            family.name: self.recommenders.tuned(family, split, cases)
            for family in self.plan.families
        }
        parts[POPULARITY] = measure_popularity(split, cases)
        models = self.recommenders.models(split, cases)
        for name, own in measured.items():
            own.cases += cases[name]
            for rival, outcomes in parts.items():
                own.parts.setdefault(rival, []).append(outcomes[name])
            for model, outcomes in models.items():
                own.models.setdefault(model, []).append(outcomes[name])


def _row(found: SliceReport, tested: SliceReport) -> ValidationComparison | None:
    ours, best = found.of(OURS), found.of(found.best)
    ours_tested, best_tested = tested.of(OURS), tested.of(tested.best)
    if ours is None or best is None or ours_tested is None or best_tested is None:
        return None
    return ValidationComparison(
        name=found.name,
        best=found.best,
        ours=ours.ndcg_at_10,
        of_best=best.ndcg_at_10,
        ours_tested=ours_tested.ndcg_at_10,
        of_best_tested=best_tested.ndcg_at_10,
        users=found.users,
    )
