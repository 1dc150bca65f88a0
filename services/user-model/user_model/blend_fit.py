"""Validation of the user model's blend: its weights, its trend and its cold-start offset."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from marquee.arrays import Matrix, Vector
from marquee.domain.movies import Movie
from marquee.features.interactions import FoldIn, RatingRows
from marquee.scoring.ridge import fit_ridge
from marquee.scoring.scorers.recent_trend import TREND
from marquee.training.cold_start_offset import MAX_CASES, cold_start_offset, score_gaps
from marquee.training.evidence_weights import (
    EvidenceDraw,
    LearnedWeights,
    fit_order_likelihood,
    learn_evidence_weights,
)
from marquee.training.recent_trend import PastTrends, past_trends
from marquee.training.validation_cases import most_liked
from user_model.blend import UserModelBlend
from user_model.config import DEFAULT_WEIGHTS, MIN_WEIGHTS, WEIGHTS_IN_TIME, UserModelConfig
from user_model.model import UserModel

_FOLDS = 5


def learn_blend(
    model: UserModel,
    drawn: EvidenceDraw,
    movies: Sequence[Movie],
    config: UserModelConfig,
    rows: RatingRows,
    seed: int,
) -> tuple[UserModelBlend, PastTrends | None]:
    """Return the blend with the weights and the cold-start offset that validation chooses.

    With the trend among its signals. `rows` are the ratings that the model was fitted to.
    """
    if not drawn.fold_ins:
        return model.blend, None
    drawn = drawn.at_most(config.max_cases)
    learned = _learn_weights(model, drawn, config, rows, seed)
    weighted = replace(model, blend=replace(model.blend, weights=learned.weights))
    offset = _learn_offset(weighted, drawn.fold_ins, movies, config)
    return replace(weighted.blend, cold_start_offset=offset), learned.trend


def _learn_weights(
    model: UserModel, drawn: EvidenceDraw, config: UserModelConfig, rows: RatingRows, seed: int
) -> LearnedWeights:
    table = model.base.vectors

    def signals(case: FoldIn) -> dict[str, Vector]:
        return config.used(_signals(model, case, table))

    candidates = most_liked(model.base_sums[:, 1], config.candidates)
    initial = config.used(DEFAULT_WEIGHTS), config.used(WEIGHTS_IN_TIME)
    order = fit_order_likelihood(rows, seed)
    trends = () if TREND in config.without else past_trends(rows, len(model.base))
    return learn_evidence_weights(drawn, signals, candidates, initial, MIN_WEIGHTS, order, trends)


def _signals(model: UserModel, case: FoldIn, rows: Matrix) -> dict[str, Vector]:
    code = model.code(case.inputs, case.half_stars)
    return model.signals(case.inputs, case.half_stars, code, model.neighbourhood(code), rows)


def _learn_offset(
    model: UserModel, cases: Sequence[FoldIn], movies: Sequence[Movie], config: UserModelConfig
) -> float:
    """Return the offset with which `cold_share` of the movies, were they new, reach some users."""
    rows, hidden_rows = model.base.vectors, _hidden_rows(model, movies, config)
    warm, cold = np.zeros(len(rows), np.float32), np.ones(len(rows), np.float32)
    gaps = []
    for case in cases[:MAX_CASES]:
        mask = np.ones(len(rows), bool)
        mask[case.inputs] = False
        evidence = len(case.inputs), case.times
        scores = model.blend.total(_signals(model, case, rows), warm, *evidence)
        hidden_scores = model.blend.total(_signals(model, case, hidden_rows), cold, *evidence)
        gaps.append(score_gaps(scores, hidden_scores, mask))
    return cold_start_offset(gaps, config.cold_share)


def _hidden_rows(model: UserModel, movies: Sequence[Movie], config: UserModelConfig) -> Matrix:
    """Return the row of each movie as if it were new, n × d.

    It is predicted by a ridge that the other four fifths of the movies teach.
    """
    content = model.cold_rows.content(movies)
    learned = model.base.vectors[:, : model.cold_rows.layout.learned]
    importance = config.importance(model.base_sums)
    rows = np.zeros_like(model.base.vectors)
    for fold in range(_FOLDS):
        out = np.arange(len(movies)) % _FOLDS == fold
        ridge = fit_ridge(content, learned, config.cold_penalty, np.where(out, 0, importance))
        cold_rows = replace(model.cold_rows, ridge=ridge)
        rows[out] = cold_rows.complete(content[out], np.zeros(out.sum(), np.int64))
    return rows
