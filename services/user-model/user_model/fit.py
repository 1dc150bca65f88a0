"""Fit of the user model: codes → KMeans of users → blend weights → cold-start offset."""

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import Field
from threadpoolctl import threadpool_limits

from marquee.arrays import Ints, Matrix, Reals, Vector, unit
from marquee.domain.likes import is_like
from marquee.domain.movies import Movie
from marquee.errors import DataError
from marquee.features.dataset import Dataset
from marquee.features.interactions import FoldIn, RatingRows
from marquee.features.movie_table import MovieTable
from marquee.features.movie_vector import MovieVectors
from marquee.scoring.cold_start import ColdStartModel
from marquee.scoring.evidence_weights import EvidenceWeights
from marquee.scoring.ridge import fit_ridge
from marquee.scoring.scorers.preference import FIRST, PreferenceScorers
from marquee.scoring.scorers.recent_trend import TREND
from marquee.training.blending import BlendConfig
from marquee.training.cold_start import fit_slopes
from marquee.training.cold_start_offset import MAX_CASES, cold_start_offset, score_gaps
from marquee.training.content_embedding import fit_content_embedding
from marquee.training.evidence_weights import (
    EvidenceDraw,
    LearnedWeights,
    fit_order_likelihood,
    learn_evidence_weights,
)
from marquee.training.exposure_threshold import draw_users, fit_exposure_thresholds
from marquee.training.recent_trend import PastTrends, past_trends, served_trend
from marquee.training.scorers.autoencoder import encode, learned_movies
from marquee.training.scorers.preference import PREFERENCE_WEIGHTS, PreferenceConfig, fit_preference
from marquee.training.scorers.user_clusters import cluster_rates, fit_user_clusters
from marquee.training.validation_cases import most_liked
from user_model.blend import UserModelBlend
from user_model.model import TrainingRatings, UserModel
from user_model.movie_rows import ColdRows, UserModelRowLayout
from user_model.segments.fit import SegmentsConfig, fit_segments

DEFAULT_WEIGHTS = {
    **PREFERENCE_WEIGHTS,
    "content": 0.4,
    "near": 0.25,
    "clusters": 0.2,
    "popularity": 0.0,
    TREND: 0.2,
}
"""Weights that are known to be good; validation moves them where that gains beyond noise."""
WEIGHTS_IN_TIME = {
    "preference": 0.2,
    "als": 1.4,
    "few_ratings": 0.1,
    FIRST: 0.8,
    "less_popular": 0.05,
    "content": 0.25,
    "near": 0.15,
    "clusters": 0.3,
    "popularity": 0.5,
    TREND: 0.5,
}
"""The same for the first ratings of a user in time: popular movies are still to come."""
MIN_WEIGHTS = {
    "preference": 0.1,
    "als": 0.0,
    "few_ratings": 0.0,
    "near": 0.1,
    "clusters": 0.1,
    FIRST: 0.0,
    TREND: 0.0,
}
"""Lower bounds of learned weights, so that neighbours and clusters keep their part."""

_FOLDS = 5


class UserModelConfig(BlendConfig):
    """Parameters of the user model; `without` leaves out signals of its blend."""

    signals: ClassVar[tuple[str, ...]] = tuple(DEFAULT_WEIGHTS)

    taste: PreferenceConfig = PreferenceConfig()
    clusters: int | None = Field(None, ge=1, le=1000)
    """Clusters of users. None: one for 75 users, 2 to 64."""
    reach: int = Field(3, ge=1)
    """Clusters nearest to a user in which neighbours are searched."""
    near: int = Field(100, ge=1)
    """Most neighbours of a user."""
    content: int = Field(48, ge=1)
    """Dimensions of the content embedding."""
    cold_penalty: float = Field(30.0, gt=0)
    """Ridge penalty of the prediction from content."""
    cold_share: float = Field(0.05, ge=0, le=1)
    """Share of movies that would reach the users with the highest scores if they were new."""
    sizes: tuple[int, ...] = (5, 10, 15)
    """Fold-in sizes of the validation; only cases with `positive` liked movies count."""
    positive: int = Field(3, ge=0)
    draws: int = Field(2, ge=1)
    """Fold-ins of each size a user."""
    max_cases: int = Field(1500, ge=0)
    """Fold-ins at most."""
    candidates: int = Field(2000, ge=1)
    """Movies among which the weights of the blend are learned, the most liked ones."""
    segments: SegmentsConfig | None = SegmentsConfig()
    """None: the model has no segments, as in an evaluation of its lists."""


def fit(dataset: Dataset, config: UserModelConfig, seed: int) -> UserModel:
    """Fit the model to all users, with a blend learned on users held out from a first fit.

    Without ratings every user is like any other.

    Args:
        dataset: Movies and ratings.
        config: Parameters of the training.
        seed: Of all draws.

    Raises:
        DataError: There is no movie.
    """
    if not dataset.movies:
        raise DataError("no films: a user model needs at least one")
    with threadpool_limits(1):  # more threads change sums, and with them the model
        return _fit(dataset, config, seed)


def _fit(dataset: Dataset, config: UserModelConfig, seed: int) -> UserModel:
    rows, movies = RatingRows.of(dataset), dataset.movies
    user_ids = np.unique(dataset.user_ids)
    fitted = fit_preference(rows, len(movies), config.taste, seed)
    fit_parts = functools.partial(_fit_parts, movies, config=config, seed=seed)
    blend, learned = _default_blend(config), None
    if fitted.trial is not None:
        users = fitted.train_users
        trial = fit_parts(rows.of_users(users), user_ids[users], fitted.trial)
        drawn = EvidenceDraw.draw(rows, fitted.held_out_users, config.sizes, config.draws, seed)
        drawn = drawn.only(lambda case: _has_enough_likes(case, config))
        blend, learned = _learn_blend(trial, drawn, movies, config, rows.of_users(users), seed)
    model = replace(
        fit_parts(rows, user_ids, fitted.scorers),
        blend=blend,
        trend=served_trend(learned, rows, len(movies)),
    )
    histories = draw_users(rows, model.base.movie_ids, config.sizes, seed)
    model = replace(model, base=fit_exposure_thresholds(model, histories))
    if config.segments is None:
        return model
    training = model.training
    ordered = RatingRows(training.starts, training.movies, training.half_stars)
    segments = fit_segments(movies, ordered, model.base.clusters, config.segments, seed)
    return replace(model, segments=segments)


def _has_enough_likes(case: FoldIn, config: UserModelConfig) -> bool:
    return int(is_like(case.half_stars).sum()) >= config.positive


def _default_blend(config: UserModelConfig) -> UserModelBlend:
    weights = EvidenceWeights({1: config.used(DEFAULT_WEIGHTS)}, {1: config.used(WEIGHTS_IN_TIME)})
    return UserModelBlend(weights, 0.0, config.reach, config.near)


def _fit_parts(
    movies: Sequence[Movie],
    rows: RatingRows,
    user_ids: Ints,
    preference: PreferenceScorers,
    config: UserModelConfig,
    seed: int,
) -> UserModel:
    """Return the model of the users of `rows`, with the default blend."""
    sums = rows.sums(len(movies))
    codes = unit(encode(preference.autoencoder, rows))
    kmeans = fit_user_clusters(codes, config.clusters, seed)
    clusters = kmeans.assign(codes)
    rates = cluster_rates(rows, clusters, len(kmeans.centers), len(movies))
    learned = np.hstack([preference.rows(), rates, np.log1p(sums[:, 1:2])]).astype(np.float32)
    cold_rows = _fit_cold_rows(movies, learned, sums, preference, config, seed)
    vectors = _base_rows(movies, learned, sums, cold_rows, config)
    order = np.argsort(clusters, kind="stable")
    ordered = rows.of_users(order)
    return UserModel(
        preference=preference,
        kmeans=kmeans,
        base=MovieTable.of(movies, vectors, cold_rows.layout.fan_clusters(vectors)),
        base_sums=sums,
        cold_rows=cold_rows,
        cold_start=fit_slopes(ColdStartModel(cold_rows.ridge), preference, rows, seed),
        codes=codes[order],
        bounds=np.searchsorted(clusters[order], np.arange(len(kmeans.centers) + 1)),
        training=TrainingRatings(
            user_ids[order], ordered.starts, ordered.movies, ordered.half_stars
        ),
        blend=_default_blend(config),
    )


def _fit_cold_rows(
    movies: Sequence[Movie],
    learned: Matrix,
    sums: Ints,
    preference: PreferenceScorers,
    config: UserModelConfig,
    seed: int,
) -> ColdRows:
    """Fit content → learned columns on the movies that the autoencoder has learned."""
    vectors = MovieVectors.fit(movies, sums)
    matrix = vectors.matrix(movies, np.zeros_like(sums))
    importance = _importance(sums, config)
    embedding = fit_content_embedding(vectors, matrix, importance > 0, config.content, seed)
    ridge = fit_ridge(matrix[:, vectors.content], learned, config.cold_penalty, importance)
    layout = UserModelRowLayout.of(preference, learned.shape[1], embedding)
    return ColdRows(vectors, ridge, embedding, layout)


def _importance(sums: Ints, config: UserModelConfig) -> Reals:
    """Return each movie's weight in the ridge; 0 where the autoencoder did not learn it."""
    is_learned = learned_movies(sums, config.taste.min_ratings, config.taste.autoencoder.head)
    return np.where(is_learned, np.sqrt(sums[:, 0]), 0.0)


def _base_rows(
    movies: Sequence[Movie],
    learned: Matrix,
    sums: Ints,
    cold_rows: ColdRows,
    config: UserModelConfig,
) -> Matrix:
    """Return the rows of all movies, with learned columns where there are ratings.

    The output of a movie with too few ratings for the autoencoder is predicted. No movie is cold:
    all were there to be rated.
    """
    predicted = cold_rows.predict(movies, np.zeros(len(movies), np.int64))
    has_ratings = sums[:, 0] > 0
    rows, layout = predicted.copy(), cold_rows.layout
    rows[has_ratings, : layout.learned] = learned[has_ratings]
    layout.coldness(rows)[:] = 0
    too_few = _importance(sums, config) == 0
    for outputs in (layout.outputs, layout.first_outputs):
        outputs(rows)[too_few] = outputs(predicted)[too_few]
    return rows


def _learn_blend(
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
    importance = _importance(model.base_sums, config)
    rows = np.zeros_like(model.base.vectors)
    for fold in range(_FOLDS):
        out = np.arange(len(movies)) % _FOLDS == fold
        ridge = fit_ridge(content, learned, config.cold_penalty, np.where(out, 0, importance))
        cold_rows = replace(model.cold_rows, ridge=ridge)
        rows[out] = cold_rows.complete(content[out], np.zeros(out.sum(), np.int64))
    return rows
