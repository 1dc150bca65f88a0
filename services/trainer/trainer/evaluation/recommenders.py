"""Measurements of all baselines and models on a split, computed once and cached."""

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import astuple
from functools import partial

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
from trainer.evaluation.measurements import MeasurementsBySlice
from trainer.evaluation.plan import EvaluationPlan, Say
from trainer.evaluation.served_models import measure_model
from trainer.evaluation.slices import CasesBySlice, Slice, draw, draw_slice
from trainer.evaluation.splits import Split
from trainer.models.parameters import TrainingParameters
from trainer.report.model import TWO_CHANNEL_EASE

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

    def run(self, split: Split, slices: Sequence[Slice], curve: Sequence[Slice] = ()) -> None:
        """Fill the cache with all measurements on a split."""
        cases = draw(split, (*slices, *curve))
        self.rivals(split, cases, slices)
        self.models(split, cases)

    def rivals(
        self, split: Split, cases: CasesBySlice, slices: Sequence[Slice]
    ) -> dict[str, MeasurementsBySlice]:
        """Return the measurements of each tuned baseline on the slices, by its name."""
        own = {user_slice.name: cases[user_slice.name] for user_slice in slices}

        def validation(held_out: Dataset) -> CasesBySlice:
            rows, user_ids = RatingRows.of(held_out), np.unique(held_out.user_ids)
            return {s.name: draw_slice(rows, user_ids, s) for s in slices}

        code = code_digest(*_BASELINES)
        grids: dict[str, object] = {family.name: family.grid for family in self._plan.families}
        compute: dict[str, Callable[[], MeasurementsBySlice]] = {
            family.name: partial(measure_baseline, family, split, own, validation)
            for family in self._plan.families
        }
        if self._plan.two_channel_ease:
            grids[TWO_CHANNEL_EASE] = GRID
            compute[TWO_CHANNEL_EASE] = partial(measure_two_channel_ease, split, own, validation)
        keys = {n: key_of(_about(split), tuple(slices), grid, code) for n, grid in grids.items()}
        return {name: self._cached(split, name, keys[name], compute[name]) for name in compute}

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
        return self._cached(
            split,
            "-".join((name, *(f"without-{signal}" for signal in without))),
            key,
            lambda: measure_model(name, split, cases, thresholds, parameters, fits, diversities),
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
