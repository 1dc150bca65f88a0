"""Results of cold-start trials, over all draws of unrated movies."""

from collections.abc import Sequence

import numpy as np

from marquee.arrays import Reals
from marquee.features.dataset import Dataset
from trainer.evaluation.cache import EvaluationCache
from trainer.evaluation.cold_start.baselines import BOTH, NAMES
from trainer.evaluation.cold_start.trials import (
    ALL,
    MOVIE_SEEDS,
    WARM,
    ColdStartSplit,
    ColdStartTrial,
    run_trial,
)
from trainer.evaluation.comparison import concatenated, ndcg_difference, users_of
from trainer.evaluation.measurements import PRIMARY_METRIC, Measurement, paired_difference
from trainer.evaluation.plan import Say
from trainer.evaluation.protocols.cases import EvaluationCase
from trainer.models.parameters import TrainingParameters
from trainer.report.model import OURS, ColdStartExposure, ColdStartQuality, Interval, MeanInterval


class ColdStartRun:
    """The cold-start trials of each kind of content and route."""

    def __init__(
        self, dataset: Dataset, parameters: TrainingParameters, cache: EvaluationCache, say: Say
    ) -> None:
        self._dataset, self._parameters = dataset, parameters
        self._cache, self._say = cache, say

    def reports(
        self, trials: Sequence[ColdStartTrial]
    ) -> tuple[list[ColdStartQuality], list[ColdStartExposure]]:
        """Return the quality of lists of cold movies, and their exposure in the whole catalogue."""
        qualities: list[ColdStartQuality] = []
        exposures: list[ColdStartExposure] = []
        kinds = dict.fromkeys((trial.content, trial.slice) for trial in trials)
        for content, user_slice in kinds:
            draws = range(len(MOVIE_SEEDS))
            own = [ColdStartTrial(content, user_slice, number) for number in draws]
            rows, exposure = self._kind(own)
            qualities += rows
            if exposure is not None:
                exposures.append(exposure)
        return qualities, exposures

    def _kind(
        self, trials: Sequence[ColdStartTrial]
    ) -> tuple[list[ColdStartQuality], ColdStartExposure | None]:
        splits = [ColdStartSplit.of(self._dataset, trial) for trial in trials]
        measured = []
        for trial in trials:
            self._say(f"cold films: {trial.model}, {trial.content}, draw {trial.draw}")
            measured.append(run_trial(self._dataset, trial, self._parameters, self._cache))
        names = (OURS, *NAMES, ALL, WARM)
        by_name = {name: concatenated([by_list[name] for by_list in measured]) for name in names}
        cases = [split.cases(trials[0].slice) for split in splits]
        pairs = zip(splits, cases, strict=True)
        cold = [split.with_targets(case, cold=True) for split, own in pairs for case in own]
        if not cold:
            return [], None
        rows = [_quality(trials[0], name, by_name, cold) for name in (*NAMES, OURS)]
        return rows, _exposure(trials[0], by_name, splits, cases)


def _quality(
    trial: ColdStartTrial,
    name: str,
    by_name: dict[str, Measurement],
    cases: Sequence[EvaluationCase],
) -> ColdStartQuality:
    users, hits = users_of(cases), _hits(by_name[name], cases)
    rate = paired_difference(hits, np.zeros(len(hits)), users)
    gain = None
    if name == OURS:
        gap = paired_difference(hits, _hits(by_name[BOTH], cases), users)
        gain = Interval(mean=gap.mean, low=gap.low, high=gap.high)
    ndcg = paired_difference(by_name[name].values[:, PRIMARY_METRIC], np.zeros(len(hits)), users)
    return ColdStartQuality(
        content=trial.content,
        route=str(trial.slice.route),
        name=name,
        hit_rate_at_10=MeanInterval(mean=rate.mean, low=rate.low, high=rate.high),
        ndcg_at_10=ndcg.mean,
        cases=len(cases),
        over_content=gain,
    )


def _exposure(
    trial: ColdStartTrial,
    by_name: dict[str, Measurement],
    splits: Sequence[ColdStartSplit],
    cases: Sequence[Sequence[EvaluationCase]],
) -> ColdStartExposure:
    """Return the exposure of cold movies where all movies are candidates, and its cost."""
    cold = np.stack([split.cold for split in splits])
    draws = np.repeat(np.arange(len(splits)), [len(own) for own in cases])
    shown = by_name[ALL].first_page
    taken = np.where(shown >= 0, cold[draws[:, None], shown], False)
    return ColdStartExposure(
        content=trial.content,
        route=str(trial.slice.route),
        share_of_places=float(taken.sum() / max(1, (shown >= 0).sum())),
        share_of_ratings=float(np.mean([split.share_of_ratings for split in splits])),
        cost=ndcg_difference(
            by_name[ALL], by_name[WARM], users_of([c for own in cases for c in own])
        ),
        cases=len(shown),
    )


def _hits(measurement: Measurement, cases: Sequence[EvaluationCase]) -> Reals:
    """Return 1 for each case with a target among the first ten (hit rate@10), else 0."""
    pairs = zip(measurement.first_page, cases, strict=True)
    return np.array([float(np.isin(shown, case.targets).any()) for shown, case in pairs])
