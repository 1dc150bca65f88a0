"""What each part of a model is worth: the model fitted without it, weights learned anew."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from marquee.domain.routing import Thresholds
from marquee.features.dataset import Dataset
from trainer.evaluation.comparison import concatenated, ndcg_difference, users_of
from trainer.evaluation.metrics import PRIMARY_METRIC, Measurement, mean_by_user
from trainer.evaluation.plan import EvaluationPlan
from trainer.evaluation.recommenders import Recommenders
from trainer.evaluation.served_models import cases_routed_to
from trainer.evaluation.slices import EvaluationCase, draw
from trainer.evaluation.splits import split_by_user
from trainer.report.model import Ablation


@dataclass(frozen=True, eq=False)
class AblationRun:
    """The folds of trials of a plan, on which each model is asked without each of its signals."""

    dataset: Dataset
    plan: EvaluationPlan
    recommenders: Recommenders
    thresholds: Thresholds

    def fill(self, fold: int) -> str:
        """Compute and keep all of a fold; return what it was."""
        one_fold = replace(self, plan=replace(self.plan, folds=(fold,)))
        one_fold.run()
        return f"ablation on fold {fold}"

    def run(self) -> tuple[list[Ablation], list[str]]:
        """Return what each part is worth, and notes on models that can leave none out.

        A model is judged on the cases of all slices that are routed to it.
        """
        found: list[Ablation] = []
        notes = []
        for model in (name for name in self.plan.models if name not in self.recommenders.missing):
            signals = parts_of(model, self.plan)
            if not signals:
                notes.append(f"{model}: no ablation, its config does not name its parts")
                continue
            cases, whole = self._outcome(model, ())
            if not cases:
                continue
            for signal in signals:
                _, lesser = self._outcome(model, (signal,))
                found.append(_judged(model, signal, whole, lesser, cases))
        return found, notes

    def _outcome(
        self, model: str, without: tuple[str, ...]
    ) -> tuple[list[EvaluationCase], Measurement]:
        """Return the cases of all folds and slices that a model answers, and how it did."""
        own: list[EvaluationCase] = []
        outcomes = []
        for fold in self.plan.trials:
            split = split_by_user(self.dataset, fold)
            cases = draw(split, (*self.plan.slices, *self.plan.curve))
            found = self.recommenders.model(model, split, cases, without)
            for one in self.plan.slices:
                own += cases_routed_to(model, cases[one.name], self.thresholds)
                outcomes.append(found[one.name])
        return own, concatenated(outcomes)


def parts_of(model: str, plan: EvaluationPlan) -> tuple[str, ...]:
    """Return the signals of a model's mix that can be left out: its config names them."""
    return tuple(getattr(plan.fits[model]().config, "signals", ()))


def _judged(
    model: str,
    signal: str,
    whole: Measurement,
    lesser: Measurement,
    cases: Sequence[EvaluationCase],
) -> Ablation:
    users = users_of(cases)
    return Ablation(
        model=model,
        signal=signal,
        ndcg_at_10=float(np.mean(mean_by_user(lesser.values[:, PRIMARY_METRIC], users))),
        over_whole=ndcg_difference(lesser, whole, users),
        cases=len(cases),
    )
