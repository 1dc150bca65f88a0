"""A run of the evaluation: the outcomes of every recommender, split by split."""

import importlib.util
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from marquee import telemetry
from marquee.dataset import Dataset
from marquee.errors import InvalidInput
from marquee.rating_rows import RatingRows
from marquee.registry import MODEL_NAMES
from marquee.settings import Settings
from trainer.baselines import FAMILIES, Family
from trainer.comparison import Measured, compare, own_figures
from trainer.evaluation_cache import EvaluationCache, code_digest, key_of
from trainer.fits import FITS
from trainer.measures import Outcome
from trainer.parameters import Parameters
from trainer.popular import run_popularity
from trainer.report import OURS, POPULARITY, Point, SliceReport
from trainer.served import MODELS, Fits, run_model
from trainer.slices import BY_TIME, CURVE, QUICK, SLICES, Cases, Slice, draw, draw_slice
from trainer.splits import FOLDS, Split, split_by_time, split_by_user
from trainer.tuning import run_baseline

Say = Callable[[str], None]

_SHARED = ("trainer.slices", "trainer.splits", "trainer.measures", "marquee.metrics")
_BASELINES = ("trainer.baselines", "trainer.tuning", "marquee.mix_fit", "marquee.rating_rows")


@dataclass(frozen=True)
class Plan:
    """What is evaluated: folds of users (of ten), slices, models, baselines, and a cut by time."""

    folds: tuple[int, ...] = (0, 1)
    slices: tuple[Slice, ...] = SLICES
    models: tuple[str, ...] = MODEL_NAMES
    families: tuple[Family, ...] = FAMILIES
    by_time: bool = True
    fits: Fits = field(default_factory=lambda: FITS)
    extras: bool = False
    """Predicted ratings and cold films too."""
    curve: tuple[Slice, ...] = ()
    """Slices that only the models and popularity are asked on."""
    rating_splits: int = 0
    """Splits on which predicted ratings are measured at length."""

    @classmethod
    def of(cls, folds: int, quick: bool, rating_splits: int = 0) -> "Plan":
        """Return the plan of so many folds; a quick one has one, fewer sizes, no cut by time.

        Without a fold only ratings are predicted.
        """
        if not folds and rating_splits:
            return cls((), (), by_time=False, rating_splits=rating_splits)
        if quick:
            return cls((0,), QUICK, by_time=False, rating_splits=rating_splits)
        if not 1 <= folds <= FOLDS:
            raise InvalidInput(f"folds: from 1 to {FOLDS}", "folds")
        return cls(tuple(range(folds)), extras=True, curve=CURVE, rating_splits=rating_splits)


class Run:
    """Outcomes as they come; `missing` says of models why they are not measured."""

    def __init__(
        self,
        plan: Plan,
        parameters: Parameters,
        settings: Settings,
        cache: EvaluationCache,
        say: Say,
    ) -> None:
        self._plan, self._parameters, self._settings = plan, parameters, settings
        self._cache, self._say = cache, say
        self._slices: dict[str, Slice] = {}
        self._curve: dict[str, Slice] = {}
        self._measured: dict[str, Measured] = {}
        self._users: set[int] = set()
        self.missing = _missing(plan)

    @property
    def users(self) -> int:
        """How many users were tested."""
        return len(self._users)

    def add_all(self, dataset: Dataset) -> list[str]:
        """Measure all splits of the plan; return their names."""
        names = []
        for fold in self._plan.folds:
            self.add(split_by_user(dataset, fold), self._plan.slices, self._plan.curve)
            names.append(f"fold {fold}")
        if self._plan.by_time:
            self.add(split_by_time(dataset), (BY_TIME,))
            names.append("a cut by time")
        return names

    def add(self, split: Split, slices: tuple[Slice, ...], curve: tuple[Slice, ...] = ()) -> None:
        """Measure all recommenders on the cases of a split."""
        cases = draw(split, (*slices, *curve))
        self._slices |= {one.name: one for one in slices}
        self._curve |= {one.name: one for one in curve}
        for one in (*slices, *curve):
            self._measured.setdefault(one.name, Measured()).cases += cases[one.name]
            self._users |= {case.user_id for case in cases[one.name]}
        self._add_parts(POPULARITY, run_popularity(split, cases))
        rivals = {one.name: cases[one.name] for one in slices}
        for family in self._plan.families:
            self._add_parts(family.name, self._baseline(family, split, rivals, slices))
        for name in self._plan.models:
            if name not in self.missing:
                for key, outcome in self._model(name, split, cases).items():
                    self._measured[key].models.setdefault(name, []).append(outcome)

    def reports(self, n_films: int) -> list[SliceReport]:
        """Return the report of each slice, in a catalogue of n films."""
        return [
            compare(one, self._measured[name], self._settings, n_films, self.missing)
            for name, one in self._slices.items()
        ]

    def by_ratings(self, n_films: int) -> list[Point]:
        """Return ours and popularity by the number of ratings given, in rising order."""
        given = [one for one in (*self._slices.values(), *self._curve.values()) if _counts(one)]
        points = []
        for one in sorted(given, key=lambda one: one.given):
            measured = self._measured[one.name]
            found = compare(one, measured, self._settings, n_films, self.missing)
            ours, popular = found.of(OURS), found.of(POPULARITY)
            if ours is not None and popular is not None:
                points.append(
                    Point(
                        ratings=one.given,
                        users=found.users,
                        ours=ours.ndcg_at_10,
                        popularity=popular.ndcg_at_10,
                    )
                )
        return points

    def figures(self, model: str) -> dict[str, float]:
        """Return the mean figures of a model over its slices, on the cases routed to it."""
        own = [self._measured[k] for k, one in self._slices.items() if MODELS[one.route] == model]
        return own_figures(model, own, self._settings)

    def _add_parts(self, name: str, outcomes: Mapping[str, Outcome]) -> None:
        for key, outcome in outcomes.items():
            self._measured[key].parts.setdefault(name, []).append(outcome)

    def _baseline(
        self, family: Family, split: Split, cases: Cases, slices: tuple[Slice, ...]
    ) -> Mapping[str, Outcome]:
        def validation(held_out: Dataset) -> Cases:
            rows, user_ids = RatingRows.of(held_out), np.unique(held_out.user_ids)
            return {one.name: draw_slice(rows, user_ids, one) for one in slices}

        key = key_of(_about(split), slices, family.grid, code_digest(*_SHARED, *_BASELINES))
        return self._kept(
            split.name, family.name, key, lambda: run_baseline(family, split, cases, validation)
        )

    def _model(self, name: str, split: Split, cases: Cases) -> Mapping[str, Outcome]:
        settings, parameters = self._settings, self._parameters
        thresholds = (settings.few_ratings, settings.many_ratings, settings.positive_ratings)
        config = (parameters.seed, sorted(parameters.sections.get(name, {}).items()), thresholds)
        code = code_digest(*_SHARED, "trainer.served", "marquee", name.replace("-", "_"))
        key = key_of(_about(split), tuple(cases), config, code)
        return self._kept(
            split.name,
            name,
            key,
            lambda: run_model(name, split, cases, settings, parameters, self._plan.fits),
        )

    def _kept(
        self, split: str, name: str, key: str, compute: Callable[[], Mapping[str, Outcome]]
    ) -> Mapping[str, Outcome]:
        self._say(f"{split}: {name}")
        if (found := self._cache.get(f"{split}-{name}", key)) is not None:
            return found
        started = time.perf_counter()
        outcomes = compute()
        seconds = round(time.perf_counter() - started, 1)
        telemetry.log.info("evaluated", split=split, recommender=name, seconds=seconds)
        self._cache.put(f"{split}-{name}", key, outcomes)
        return outcomes


def _counts(one: Slice) -> bool:
    """Whether a slice is one of so many ratings, of any user."""
    return one.given > 0 and not one.viewed and one.name == str(one.given)


def _about(split: Split) -> str:
    return f"{split.name} {split.train.version} {split.test.version}"


def _missing(plan: Plan) -> dict[str, str]:
    missing = {
        name: f"{name} is not part of this evaluation"
        for name in MODEL_NAMES
        if name not in plan.models
    }
    if importlib.util.find_spec("torch") is None:
        missing.setdefault("neural", "torch is not installed here: run it with .venv-trainer")
    return missing
