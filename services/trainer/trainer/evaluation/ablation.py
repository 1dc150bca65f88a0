"""Ablation: each model fitted without one signal of its blend, with weights learned again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from marquee.domain.routing import Thresholds
from marquee.features.dataset import Dataset
from trainer.evaluation.comparison import concatenated, ndcg_difference, users_of
from trainer.evaluation.measurements import PRIMARY_METRIC, Measurement, mean_by_user
from trainer.evaluation.plan import EvaluationPlan
from trainer.evaluation.protocols.cases import EvaluationCase, draw
from trainer.evaluation.protocols.splits import split_by_user
from trainer.evaluation.recommenders import Recommenders
from trainer.evaluation.served_models import cases_routed_to
from trainer.report.model import Ablation


@dataclass(frozen=True, eq=False)
class AblationRun:
    """The ablation of all models of a plan, on its extra folds."""

    dataset: Dataset
    plan: EvaluationPlan
    recommenders: Recommenders
    thresholds: Thresholds

    def fill(self, fold: int) -> str:
        """Fill the cache for a fold; return a description of the work."""
        replace(self, plan=replace(self.plan, folds=(fold,))).run()
        return f"ablation on fold {fold}"

    def run(self) -> tuple[list[Ablation], list[str]]:
        """Return a row a model and signal, and notes on models without signals to leave out.

        A model is measured on the cases of all slices that are routed to it.
        """
        rows: list[Ablation] = []
        notes = []
        for model in (name for name in self.plan.models if name not in self.recommenders.missing):
            signals = parts_of(model, self.plan)
            if not signals:
                notes.append(f"{model}: no ablation, its config does not name its parts")
                continue
            cases, whole = self._measure(model, ())
            if not cases:
                continue
            for signal in signals:
                _, ablated = self._measure(model, (signal,))
                rows.append(_row(model, signal, whole, ablated, cases))
        return rows, notes

    def _measure(
        self, model: str, without: tuple[str, ...]
    ) -> tuple[list[EvaluationCase], Measurement]:
        """Return the cases of all folds and slices that a model answers, and its measurement."""
        own: list[EvaluationCase] = []
        parts = []
        for fold in self.plan.extra_folds:
            split = split_by_user(self.dataset, fold)
            cases = draw(split, self.plan.fold_slices)
            measurements = self.recommenders.model(model, split, cases, without)
            for name in (user_slice.name for user_slice in self.plan.fold_slices):
                own += cases_routed_to(model, cases[name], self.thresholds)
                parts.append(measurements[name])
        return own, concatenated(parts)


def parts_of(model: str, plan: EvaluationPlan) -> tuple[str, ...]:
    """Return the signals of a model's blend, as its config class names them."""
    return tuple(getattr(plan.fits[model]().config, "signals", ()))


def _row(
    model: str,
    signal: str,
    whole: Measurement,
    ablated: Measurement,
    cases: Sequence[EvaluationCase],
) -> Ablation:
    users = users_of(cases)
    return Ablation(
        model=model,
        signal=signal,
        ndcg_at_10=float(np.mean(mean_by_user(ablated.values[:, PRIMARY_METRIC], users))),
        over_whole=ndcg_difference(ablated, whole, users),
        cases=len(cases),
    )
