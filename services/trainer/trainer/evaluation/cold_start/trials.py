"""Cold-start trials: the ratings of a tenth of the movies are held out from the training.

Three random tenths, each with the test users of another fold; with all content of the movies, and
with genres and year alone; among cold movies only, and in the whole catalogue.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from marquee.arrays import Ints, Mask
from marquee.domain.models import MODEL_BY_ROUTE
from marquee.domain.movie_fields import FIELD_NAMES
from marquee.domain.recommendation import Route
from marquee.features.dataset import Dataset, position_in
from marquee.features.interactions import RatingRows
from marquee.scoring.top_k import top
from trainer.evaluation.cache import EvaluationCache, code_digest, key_of
from trainer.evaluation.cold_start.baselines import NAMES, ContentBaselines
from trainer.evaluation.measurements import Measurement, measure
from trainer.evaluation.protocols.cases import EvaluationCase, draw_slice
from trainer.evaluation.protocols.slices import Slice
from trainer.evaluation.protocols.splits import SEED, split_by_user
from trainer.evaluation.served_models import fit_served_model
from trainer.models.parameters import TrainingParameters
from trainer.report.model import OURS

SHARE = 0.1
"""Share of the movies that are cold."""
MOVIE_SEEDS = (SEED, SEED + 1, SEED + 2)
"""Seeds of the draws of cold movies; draw i is tested on the users of fold i."""
SLICES = (
    Slice("cold, viewed", Route.SIMILAR, given=3, viewed=True),
    Slice("cold, 3 rated", Route.HYBRID, given=3),
    Slice("cold, 10 rated", Route.USER_CLUSTER, given=10),
    Slice("cold, 80 %", Route.NEURAL, share=0.8, at_least=20),
)
TAGS, BARE = "tags, genres and year", "genres and year"
ALL, WARM = "all films", "warm films"
"""Candidates of our lists that are measured on warm targets."""

_CODE = ("trainer.evaluation", "marquee")


@dataclass(frozen=True)
class ColdStartTrial:
    """A slice of one model, the number of a draw of cold movies, and the content they have."""

    content: str
    slice: Slice
    draw: int

    @property
    def model(self) -> str:
        """The model that the route of the slice asks."""
        return MODEL_BY_ROUTE[self.slice.route]

    @property
    def name(self) -> str:
        """The name in the cache."""
        return f"cold-{self.draw}-{self.model}{'' if self.content == TAGS else '-bare'}"


def cold_start_trials(missing: Mapping[str, str] | None = None) -> list[ColdStartTrial]:
    """Return all trials of models that are not missing; without tags, those of short histories."""
    draws = range(len(MOVIE_SEEDS))
    trials = [ColdStartTrial(TAGS, user_slice, draw) for user_slice in SLICES for draw in draws]
    trials += [
        ColdStartTrial(BARE, user_slice, draw) for user_slice in SLICES[:2] for draw in draws
    ]
    return [trial for trial in trials if trial.model not in (missing or {})]


@dataclass(frozen=True, eq=False)
class ColdStartSplit:
    """A split by movies and users.

    `train`: without ratings of cold movies and of test users. `cold`: which movies are cold, n.
    `test`: all ratings of the test users.
    """

    train: Dataset
    cold: Mask
    test: Dataset

    @classmethod
    def of(cls, dataset: Dataset, trial: ColdStartTrial) -> "ColdStartSplit":
        """Return the split of a trial."""
        if trial.content == BARE:
            nothing: dict[str, Any] = {"tags": {}, **dict.fromkeys(FIELD_NAMES)}
            bare = tuple(movie.model_copy(update=nothing) for movie in dataset.movies)
            dataset = replace(dataset, movies=bare)
        generator = np.random.default_rng(SEED + trial.draw)
        cold = generator.random(len(dataset.movies)) < SHARE
        split = split_by_user(dataset, trial.draw)
        return cls(split.train.of_rows(~cold[_rows_of(split.train)]), cold, split.test)

    def cases(self, user_slice: Slice) -> list[EvaluationCase]:
        """Return cases that show warm movies, and have a cold and a warm target."""
        return list(self._warm(draw_slice(self.test, user_slice)))

    def with_targets(self, case: EvaluationCase, cold: bool) -> EvaluationCase:
        """Return a case with its cold targets alone, or its warm ones."""
        return replace(case, targets=case.targets[self.cold[case.targets] == cold])

    @property
    def share_of_ratings(self) -> float:
        """The share of cold movies in the positive ratings of the tested users."""
        rows = RatingRows.of(self.test)
        liked = rows.movies[rows.liked]
        return float(self.cold[liked].mean()) if len(liked) else 0.0

    def _warm(self, cases: Sequence[EvaluationCase]) -> Iterator[EvaluationCase]:
        for case in cases:
            shown, cold = ~self.cold[case.movies], self.cold[case.targets]
            if shown.any() and cold.any() and not cold.all():
                yield replace(
                    case,
                    movies=case.movies[shown],
                    half_stars=case.half_stars[shown],
                    times=case.times[shown],
                )


def run_trial(
    dataset: Dataset, trial: ColdStartTrial, parameters: TrainingParameters, cache: EvaluationCache
) -> Mapping[str, Measurement]:
    """Return the measurements of a trial by name, from the cache if it has them.

    `OURS` and the content baselines: cold targets among cold movies. `ALL` and `WARM`: our lists on
    warm targets, with all movies or the warm ones as candidates.
    """
    config = (parameters.seed, sorted(parameters.sections.get(trial.model, {}).items()))
    code = code_digest(*_CODE, trial.model.replace("-", "_"))
    key = key_of(trial.name, dataset.version, config, code)
    return cache.get_or_compute(trial.name, key, lambda: _run(dataset, trial, parameters))


def _run(
    dataset: Dataset, trial: ColdStartTrial, parameters: TrainingParameters
) -> dict[str, Measurement]:
    split = ColdStartSplit.of(dataset, trial)
    cases, contents = split.cases(trial.slice), ContentBaselines(split.train)
    model = fit_served_model(trial.model, split.train, parameters)

    def measured(cold: bool, rank: Callable[[EvaluationCase], Ints]) -> Measurement:
        own = [split.with_targets(case, cold) for case in cases]
        return measure(own, [rank(case) for case in cases])

    def by_content(name: str) -> Callable[[EvaluationCase], Ints]:
        return lambda case: top(contents.scores(name, case, split.cold), split.cold, 10)

    return {
        OURS: measured(True, lambda case: model.list_for(case, split.cold)),
        **{name: measured(True, by_content(name)) for name in NAMES},
        ALL: measured(False, model.list_for),
        WARM: measured(False, lambda case: model.list_for(case, ~split.cold)),
    }


def _rows_of(dataset: Dataset) -> Ints:
    known = np.array([movie.movie_id for movie in dataset.movies], np.int64)
    return position_in(known, dataset.movie_ids)[0]
