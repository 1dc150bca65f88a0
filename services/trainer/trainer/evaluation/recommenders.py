"""Measurements of all baselines and models on a split, computed once and cached."""

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import astuple
from functools import partial

from marquee.domain.models import MODEL_NAMES, MODEL_SPECS
from marquee.domain.routing import Thresholds
from trainer.evaluation.baselines.families import BaselineFamily
from trainer.evaluation.baselines.tuning import measure_baseline, measure_on_validation
from trainer.evaluation.cache import EvaluationCache, code_digest, key_of
from trainer.evaluation.measurements import MeasurementsBySlice
from trainer.evaluation.plan import EvaluationPlan, Say
from trainer.evaluation.protocols.cases import CasesBySlice, draw
from trainer.evaluation.protocols.slices import Slice
from trainer.evaluation.protocols.splits import Split
from trainer.evaluation.served_models import measure_model
from trainer.models.parameters import TrainingParameters

_BASELINES = ("trainer.evaluation", "marquee.features", "marquee.scoring", "marquee.training")
"""Code that measurements of baselines depend on; those of a model also depend on its service."""


class Recommenders:
    """The baselines and models of a plan.

    `missing` maps models that are not measured to the reason.
    """

    def __init__(
        self,
        plan: EvaluationPlan,
        parameters: TrainingParameters,
        thresholds: Thresholds,
        cache: EvaluationCache,
        say: Say,
    ) -> None:
        self._plan, self._parameters, self._thresholds = plan, parameters, thresholds
        self._cache, self._say = cache, say
        self.missing = _missing(plan)

    def run(self, split: Split, slices: Sequence[Slice]) -> None:
        """Fill the cache with all measurements on a split."""
        cases = draw(split, slices)
        self.rivals(split, cases, slices)
        self.models(split, cases)

    def rivals(
        self, split: Split, cases: CasesBySlice, slices: Sequence[Slice]
    ) -> dict[str, MeasurementsBySlice]:
        """Return the measurements of each tuned baseline on the slices, by its name."""
        code = code_digest(*_BASELINES)
        measured: dict[str, MeasurementsBySlice] = {}
        for family in self._plan.families:
            key = key_of(_about(split), tuple(slices), family.grid, code)
            compute = partial(measure_baseline, family, split, cases, slices)
            measured[family.name] = self._cached(split, family.name, key, compute)
        return measured

    def rival_on_validation(
        self, family: BaselineFamily, split: Split, cases: CasesBySlice
    ) -> MeasurementsBySlice:
        """Return the measurements of a baseline on the users of a split that it is tuned on."""
        code = code_digest(*_BASELINES)
        key = key_of(_about(split), tuple(cases), family.grid, code)
        return self._cached(
            split, family.name, key, lambda: measure_on_validation(family, split.train, cases)
        )

    def models(self, split: Split, cases: CasesBySlice) -> dict[str, MeasurementsBySlice]:
        """Return the measurements of each model on the cases routed to it."""
        names = [name for name in self._plan.models if name not in self.missing]
        return {name: self.model(name, split, cases) for name in names}

    def model(
        self, name: str, split: Split, cases: CasesBySlice, without: tuple[str, ...] = ()
    ) -> MeasurementsBySlice:
        """Return the measurements of a model, fitted without some signals of its blend."""
        thresholds, parameters = self._thresholds, self._parameters
        diversity, diversities = self._plan.diversity, () if without else self._plan.diversities
        if without:
            parameters = parameters.changed(name, {"without": list(without)})
        config = (
            parameters.seed,
            sorted(parameters.sections.get(name, {}).items()),
            astuple(thresholds),
        )
        code = code_digest("trainer.evaluation", "marquee", name.replace("-", "_"))
        key = key_of(_about(split), tuple(cases), config, code, diversity, diversities)
        fits = self._plan.fits
        return self._cached(
            split,
            "-".join((name, *(f"without-{signal}" for signal in without))),
            key,
            lambda: measure_model(
                name, split, cases, thresholds, parameters, fits, diversity, diversities
            ),
        )

    def _cached(
        self, split: Split, name: str, key: str, compute: Callable[[], MeasurementsBySlice]
    ) -> MeasurementsBySlice:
        self._say(f"{split.name}: {name}")
        return self._cache.get_or_compute(f"{split.name}-{name}", key, compute)


def _about(split: Split) -> str:
    return f"{split.name} {split.train.version} {split.test.version}"


def _missing(plan: EvaluationPlan) -> dict[str, str]:
    missing = {
        name: f"{name} is not part of this evaluation"
        for name in MODEL_NAMES
        if name not in plan.models
    }
    if importlib.util.find_spec("torch") is None:
        for name in (spec.name for spec in MODEL_SPECS.values() if spec.needs_torch):
            missing.setdefault(name, "torch is not installed here: run it with .venv-trainer")
    return missing
