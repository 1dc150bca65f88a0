"""How well unrated movies are recommended: a tenth of the movies is kept from the training.

Three such tenths, each with the users of another fold, by all that is known of the movies and by
their genres and year alone; among cold movies only, and in the whole catalogue.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from marquee.arrays import Ints, Mask
from marquee.domain.models import MODEL_BY_ROUTE
from marquee.domain.recommendation import Route
from marquee.features.dataset import Dataset, position_in
from marquee.features.interactions import RatingRows
from marquee.scoring.top_k import top
from trainer.evaluation.cache import EvaluationCache, code_digest, key_of
from trainer.evaluation.cold_start.baselines import NAMES, ContentBaselines
from trainer.evaluation.metrics import Measurement, measure
from trainer.evaluation.served_models import fit_served_model
from trainer.evaluation.slices import EvaluationCase, Slice, draw_slice
from trainer.evaluation.splits import SEED, split_by_user
from trainer.models.parameters import TrainingParameters
from trainer.report.model import OURS

SHARE = 0.1
"""Of the movies, those that are cold."""
MOVIE_SEEDS = (SEED, SEED + 1, SEED + 2)
"""Of the draws of cold movies; the users of fold i are asked about draw i."""
SLICES = (
    Slice("cold, viewed", Route.SIMILAR, given=3, viewed=True),
    Slice("cold, 3 rated", Route.HYBRID, given=3),
    Slice("cold, 10 rated", Route.USER_CLUSTER, given=10),
    Slice("cold, 80 %", Route.NEURAL, share=0.8, at_least=20),
)
TAGS, BARE = "tags, genres and year", "genres and year"
ALL, WARM = "all films", "warm films"
"""Candidates of the lists of ours that are judged on warm targets."""

_CODE = ("trainer.evaluation", "marquee")


@dataclass(frozen=True)
class ColdStartTrial:
    """One model's slice, one draw of cold movies (its number), and what is known of the movies."""

    content: str
    slice: Slice
    draw: int

    @property
    def model(self) -> str:
        return MODEL_BY_ROUTE[self.slice.route]

    @property
    def name(self) -> str:
        """How its outcomes are kept."""
        return f"cold-{self.draw}-{self.model}{'' if self.content == TAGS else '-bare'}"


def cold_start_trials(missing: Mapping[str, str] | None = None) -> list[ColdStartTrial]:
    """Return all trials; without tags only the routes that few ratings lead to."""
    found = [
        ColdStartTrial(TAGS, one, number) for one in SLICES for number in range(len(MOVIE_SEEDS))
    ]
    found += [
        ColdStartTrial(BARE, one, number)
        for one in SLICES[:2]
        for number in range(len(MOVIE_SEEDS))
    ]
    return [one for one in found if one.model not in (missing or {})]


@dataclass(frozen=True, eq=False)
class ColdStartSplit:
    """`train` without ratings of cold movies and tested users; `cold` which movies are, n."""

    train: Dataset
    cold: Mask
    test: Dataset

    @classmethod
    def of(cls, dataset: Dataset, trial: ColdStartTrial) -> "ColdStartSplit":
        """Return the split of a trial."""
        if trial.content == BARE:
            bare = tuple(movie.model_copy(update={"tags": {}}) for movie in dataset.movies)
            dataset = replace(dataset, movies=bare)
        generator = np.random.default_rng(MOVIE_SEEDS[trial.draw])
        cold = generator.random(len(dataset.movies)) < SHARE
        split = split_by_user(dataset, trial.draw)
        return cls(split.train.of_rows(~cold[_rows_of(split.train)]), cold, split.test)

    def cases(self, one: Slice) -> list[EvaluationCase]:
        """Return cases with warm movies shown, of users with a cold and a warm movie to find."""
        drawn = draw_slice(RatingRows.of(self.test), np.unique(self.test.user_ids), one)
        return list(self._warm(drawn))

    def wanting(self, case: EvaluationCase, cold: bool) -> EvaluationCase:
        """Return a case whose targets are the cold ones, or the warm ones."""
        return replace(case, targets=case.targets[self.cold[case.targets] == cold])

    @property
    def share_of_ratings(self) -> float:
        """The share of cold movies in the positive ratings of the tested users."""
        rows = RatingRows.of(self.test)
        liked = rows.movies[rows.liked]
        return float(self.cold[liked].mean()) if len(liked) else 0.0

    def _warm(self, cases: Sequence[EvaluationCase]) -> Iterator[EvaluationCase]:
        for case in cases:
            shown, wanted = ~self.cold[case.movies], self.cold[case.targets]
            if shown.any() and wanted.any() and not wanted.all():
                yield replace(case, movies=case.movies[shown], half_stars=case.half_stars[shown])


def run_trial(
    dataset: Dataset, trial: ColdStartTrial, parameters: TrainingParameters, cache: EvaluationCache
) -> Mapping[str, Measurement]:
    """Return the outcomes of ours and of content alone among cold movies, by name, and of ours on
    warm targets with all movies or warm ones as candidates; kept, so computed once."""
    config = (parameters.seed, sorted(parameters.sections.get(trial.model, {}).items()))
    code = code_digest(*_CODE, trial.model.replace("-", "_"))
    key = key_of(trial.name, dataset.version, config, code)
    return cache.kept(trial.name, key, lambda: _run(dataset, trial, parameters))


def _run(
    dataset: Dataset, trial: ColdStartTrial, parameters: TrainingParameters
) -> dict[str, Measurement]:
    split = ColdStartSplit.of(dataset, trial)
    cases, contents = split.cases(trial.slice), ContentBaselines(split.train)
    asked = fit_served_model(trial.model, split.train, parameters)

    def judged(cold: bool, rank: Callable[[EvaluationCase], Ints]) -> Measurement:
        wanted = [split.wanting(case, cold) for case in cases]
        return measure(wanted, [rank(case) for case in cases])

    def by_content(name: str) -> Callable[[EvaluationCase], Ints]:
        return lambda case: top(contents.scores(name, case, split.cold), split.cold, 10)

    return {
        OURS: judged(True, lambda case: asked.list_for(case, split.cold)),
        **{name: judged(True, by_content(name)) for name in NAMES},
        ALL: judged(False, asked.list_for),
        WARM: judged(False, lambda case: asked.list_for(case, ~split.cold)),
    }


def _rows_of(dataset: Dataset) -> Ints:
    known = np.array([movie.movie_id for movie in dataset.movies], np.int64)
    return position_in(known, dataset.movie_ids)[0]
