"""All that is compared, split by split: each outcome is computed once and kept."""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple

import numpy as np

from marquee.domain.models import MODEL_NAMES, MODEL_SPECS
from marquee.domain.routing import Thresholds
from marquee.features.dataset import Dataset
from marquee.features.interactions import RatingRows
from trainer.evaluation.baselines.models import BaselineFamily
from trainer.evaluation.baselines.tuning import measure_baseline
from trainer.evaluation.baselines.two_channel_ease import GRID, measure_two_channel_ease
from trainer.evaluation.baselines.validation_run import measure_on_validation
from trainer.evaluation.cache import EvaluationCache, code_digest, key_of
from trainer.evaluation.metrics import Measurement
from trainer.evaluation.plan import EvaluationPlan, Say
from trainer.evaluation.served_models import measure_model
from trainer.evaluation.slices import CasesBySlice, Slice, draw, draw_slice
from trainer.evaluation.splits import Split
from trainer.models.parameters import TrainingParameters
from trainer.report.model import TWO_CHANNEL_EASE

Outcomes = Mapping[str, Measurement]

_BASELINES = ("trainer.evaluation", "marquee.features", "marquee.scoring", "marquee.training")
"""The code that figures of baselines depend on; those of the models depend on theirs as well."""


class Recommenders:
    """The rivals and the models of a plan; `missing` says of models why they are not measured."""

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

    def run(self, split: Split, slices: Sequence[Slice], curve: Sequence[Slice] = ()) -> None:
        """Compute and keep all that is measured on a split."""
        cases = draw(split, (*slices, *curve))
        self.rivals(split, cases, slices)
        self.models(split, cases)

    def rivals(
        self, split: Split, cases: CasesBySlice, slices: Sequence[Slice]
    ) -> dict[str, Mapping[str, Measurement]]:
        """Return the outcomes of each baseline on the slices, by its name."""
        asked = {one.name: cases[one.name] for one in slices}

        def validation(held_out: Dataset) -> CasesBySlice:
            rows, user_ids = RatingRows.of(held_out), np.unique(held_out.user_ids)
            return {one.name: draw_slice(rows, user_ids, one) for one in slices}

        def kept(name: str, grid: object, code: str, compute: Callable[[], Outcomes]) -> Outcomes:
            return self._kept(
                split, name, key_of(_about(split), tuple(slices), grid, code), compute
            )

        def tuned(family: BaselineFamily) -> Outcomes:
            return measure_baseline(family, split, asked, validation)

        code = code_digest(*_BASELINES)
        found = {
            family.name: kept(family.name, family.grid, code, lambda f=family: tuned(f))  # type: ignore[misc]
            for family in self._plan.families
        }
        if self._plan.two_channel_ease:
            found[TWO_CHANNEL_EASE] = kept(
                TWO_CHANNEL_EASE,
                GRID,
                code,
                lambda: measure_two_channel_ease(split, asked, validation),
            )
        return found

    def tuned(
        self, family: BaselineFamily, split: Split, cases: CasesBySlice
    ) -> Mapping[str, Measurement]:
        """Return the outcomes of a baseline on the very users of a split that it is tuned on."""
        code = code_digest(*_BASELINES)
        key = key_of(_about(split), tuple(cases), family.grid, code)
        return self._kept(
            split, family.name, key, lambda: measure_on_validation(family, split.train, cases)
        )

    def models(self, split: Split, cases: CasesBySlice) -> dict[str, Mapping[str, Measurement]]:
        """Return the outcomes of each model on the cases routed to it."""
        names = [name for name in self._plan.models if name not in self.missing]
        return {name: self.model(name, split, cases) for name in names}

    def model(
        self, name: str, split: Split, cases: CasesBySlice, without: tuple[str, ...] = ()
    ) -> Mapping[str, Measurement]:
        """Return the outcomes of a model, fitted without some signals of its mix."""
        thresholds, parameters = self._thresholds, self._parameters
        diversities = () if without else self._plan.diversities
        if without:
            parameters = parameters.changed(name, {"without": list(without)})
        config = (
            parameters.seed,
            sorted(parameters.sections.get(name, {}).items()),
            astuple(thresholds),
        )
        code = code_digest("trainer.evaluation", "marquee", name.replace("-", "_"))
        key = key_of(_about(split), tuple(cases), config, code, diversities)
        fits = self._plan.fits
        return self._kept(
            split,
            "-".join((name, *(f"without-{signal}" for signal in without))),
            key,
            lambda: measure_model(name, split, cases, thresholds, parameters, fits, diversities),
        )

    def _kept(
        self, split: Split, name: str, key: str, compute: Callable[[], Outcomes]
    ) -> Mapping[str, Measurement]:
        self._say(f"{split.name}: {name}")
        return self._cache.kept(f"{split.name}-{name}", key, compute)


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
