"""Fit of the user model: codes → KMeans of users → blend weights → cold-start offset."""

import functools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from threadpoolctl import threadpool_limits

from marquee.arrays import Ints, Matrix, unit
from marquee.domain.likes import is_like
from marquee.domain.movies import Movie
from marquee.errors import DataError
from marquee.features.dataset import Dataset
from marquee.features.interactions import FoldIn, RatingRows
from marquee.features.movie_table import MovieTable
from marquee.scoring.cold_start import ColdStartModel
from marquee.scoring.evidence_weights import EvidenceWeights
from marquee.scoring.ridge import fit_ridge
from marquee.scoring.scorers.preference import PreferenceScorers
from marquee.training.cold_start import fit_slopes
from marquee.training.content_embedding import fit_content_embedding
from marquee.training.evidence_weights import (
    EvidenceDraw,
)
from marquee.training.exposure_threshold import draw_users, fit_exposure_thresholds
from marquee.training.movie_vectors import fit_movie_vectors
from marquee.training.recent_trend import served_trend
from marquee.training.scorers.autoencoder import encode
from marquee.training.scorers.preference import fit_preference
from marquee.training.scorers.user_clusters import cluster_rates, fit_user_clusters
from user_model.blend import UserModelBlend
from user_model.blend_fit import learn_blend
from user_model.config import DEFAULT_WEIGHTS, WEIGHTS_IN_TIME, UserModelConfig
from user_model.model import UserModel
from user_model.movie_rows import ColdRows, UserModelRowLayout
from user_model.segments.fit import fit_segments
from user_model.training_ratings import TrainingRatings

__all__ = ["UserModelConfig", "fit"]


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
        blend, learned = learn_blend(trial, drawn, movies, config, rows.of_users(users), seed)
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
    vectors = fit_movie_vectors(movies, sums, seed)
    matrix = vectors.matrix(movies, np.zeros_like(sums))
    importance = config.importance(sums)
    embedding = fit_content_embedding(vectors, matrix, importance > 0, config.content, seed)
    ridge = fit_ridge(matrix[:, vectors.content], learned, config.cold_penalty, importance)
    layout = UserModelRowLayout.of(preference, learned.shape[1], embedding)
    return ColdRows(vectors, ridge, embedding, layout)


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
    too_few = config.importance(sums) == 0
    for outputs in (layout.outputs, layout.first_outputs):
        outputs(rows)[too_few] = outputs(predicted)[too_few]
    return rows
