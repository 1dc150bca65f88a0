"""Validation of the neural model's blend: its weights, the rating's weight, cold-start offset."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from marquee.arrays import Mask, Matrix, Vector
from marquee.features.interactions import FoldIn
from marquee.features.shortlist import all_rows
from marquee.scoring.evidence_weights import OrderLikelihood
from marquee.scoring.scorers.recent_trend import TREND
from marquee.scoring.top_k import top
from marquee.training.cold_start_offset import MAX_CASES, cold_start_offset, score_gaps
from marquee.training.evidence_weights import EvidenceDraw, learn_evidence_weights
from marquee.training.ranking_metrics import mean_ndcg
from marquee.training.recent_trend import PastTrends
from marquee.training.validation_cases import most_liked
from neural.blend import NeuralBlend
from neural.model import POOL, Neural
from neural.training.config import NeuralConfig

_MIN_WEIGHTS = dict.fromkeys(("preference", "first", "als", "items", "content", TREND), 0.0)
"""Weights that the search does not go below."""

_NO_SCORE = np.float32(-1e6)
"""Fills lists that are shorter than the pool."""


def learn_blend(
    model: Neural,
    drawn: EvidenceDraw,
    cases: Sequence[FoldIn],
    hidden_rows: Matrix,
    config: NeuralConfig,
    order: OrderLikelihood,
    trends: Sequence[PastTrends],
) -> tuple[NeuralBlend, PastTrends | None]:
    """Return the blend learned on users that the model has not seen, and the trend in it.

    Args:
        model: Fitted without the held-out users.
        drawn: Fold-ins of these users, from which weights by evidence are learned.
        cases: Those that show four fifths of a history, none of whose other ratings the
            RatingPredictor knows: its weight is learned from them.
        hidden_rows: The row of each movie as if it were new, i × size.
        config: Default weights, and the signals left out.
        order: Likelihood that ratings are the first ones in time.
        trends: Trends of recent popularity to choose from.
    """

    def signals(case: FoldIn) -> dict[str, Vector]:
        return config.used(_signals(model, case, model.base.vectors))

    candidates = most_liked(model.base_sums[:, 1], config.candidates)
    initial = config.used(config.weights), config.used(config.weights_in_time)
    learned = learn_evidence_weights(
        drawn, signals, candidates, initial, _MIN_WEIGHTS, order, trends
    )
    weighted = replace(model, blend=NeuralBlend(learned.weights, 0.0))
    rating = 0.0 if "rating" in config.without else _learn_rating_weight(weighted, cases, config)
    offset = _learn_offset(weighted, cases, hidden_rows, config)
    return NeuralBlend(learned.weights, offset, rating), learned.trend


def _signals(model: Neural, case: FoldIn, rows: Matrix) -> dict[str, Vector]:
    return model.signals(case.inputs, case.half_stars, all_rows(rows))


def _learn_rating_weight(model: Neural, cases: Sequence[FoldIn], config: NeuralConfig) -> float:
    """Return the weight of the predicted rating with the best NDCG, of those that config allows.

    They are shares of the mean standard deviation of the scores in a pool.
    """
    scores, ratings, relevant = _pools(model, cases)
    counts = np.array([len(case.held_out) for case in cases])
    spread = float(np.mean([row[row > _NO_SCORE / 10].std() for row in scores]))
    weights = [round(spread * share, 5) for share in config.rating_weights]
    return max(weights, key=lambda w: mean_ndcg(scores + np.float32(w) * ratings, relevant, counts))


def _pools(model: Neural, cases: Sequence[FoldIn]) -> tuple[Matrix, Matrix, Mask]:
    """Return scores, z-scores of predicted ratings, and relevance of each case's best movies.

    Each is cases × pool; a pool is what the predicted rating may reorder.
    """
    size = min(POOL, len(model.base))
    scores = np.zeros((len(cases), size), np.float32)
    ratings = np.zeros((len(cases), size), np.float32)
    relevant = np.zeros((len(cases), size), bool)
    coldness = model.movie_rows.layout.coldness(model.base.vectors)
    for i, case in enumerate(cases):
        evidence = len(case.inputs), case.times
        total = model.blend.total(_signals(model, case, model.base.vectors), coldness, *evidence)
        best = top(total, _unseen_movies(model, case), size)
        scores[i], scores[i, : len(best)] = _NO_SCORE, total[best]
        rows = model.base.vectors[best]
        ratings[i, : len(best)] = model.rating_signal(case.inputs, case.half_stars, rows)
        relevant[i, : len(best)] = np.isin(best, case.held_out)
    return scores, ratings, relevant


def _unseen_movies(model: Neural, case: FoldIn) -> Mask:
    mask = np.ones(len(model.base), bool)
    mask[case.inputs] = False
    return mask


def _learn_offset(
    model: Neural, cases: Sequence[FoldIn], hidden_rows: Matrix, config: NeuralConfig
) -> float:
    """Return the offset with which `cold_share` of the movies, were they new, reach some users."""
    rows = model.base.vectors
    warm, cold = np.zeros(len(rows), np.float32), np.ones(len(rows), np.float32)
    gaps = []
    for case in cases[:MAX_CASES]:
        evidence = len(case.inputs), case.times
        scores = model.blend.total(_signals(model, case, rows), warm, *evidence)
        hidden_scores = model.blend.total(_signals(model, case, hidden_rows), cold, *evidence)
        gaps.append(score_gaps(scores, hidden_scores, _unseen_movies(model, case)))
    return cold_start_offset(gaps, config.cold_share)
