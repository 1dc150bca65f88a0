"""Training of the user model: codes → KMeans of users → weights of the mix → bonus."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field
from threadpoolctl import threadpool_limits

from marquee.arrays import Ints, Matrix, unit
from marquee.domain.movies import Movie
from marquee.domain.ratings import POSITIVE
from marquee.errors import DataError
from marquee.features.dataset import Dataset
from marquee.features.interactions import FoldIn, RatingRows
from marquee.features.movie_table import MovieTable
from marquee.features.movie_vector import MovieVectors
from marquee.scoring.cold_start import ColdStartModel
from marquee.scoring.preference import PreferenceScorers
from marquee.scoring.ridge import fit_ridge
from marquee.training.autoencoder import encode, fit_user_clusters, learned_movies
from marquee.training.blending import BlendConfig, BlendWeightSearch, Validation
from marquee.training.cold_start import fit_slopes
from marquee.training.cold_start_offset import MAX_CASES, cold_start_offset, score_gaps
from marquee.training.content_embedding import fit_content_embedding
from marquee.training.exposure_threshold import draw_users, fit_exposure_thresholds
from marquee.training.preference import PREFERENCE_WEIGHTS, PreferenceConfig, fit_preference
from marquee.training.user_clusters import cluster_rates
from marquee.training.validation_cases import most_liked
from user_model.model import Mix, Training, UserModel
from user_model.movie_rows import ColdRows, layout_of
from user_model.segments.fit import SegmentsConfig, fit_segments

PRIOR = {**PREFERENCE_WEIGHTS, "content": 0.4, "near": 0.25, "clusters": 0.2, "popularity": 0.0}
"""Weights that are known to be good; validation moves them where that gains beyond noise."""
LEAST = {"preference": 0.1, "als": 0.0, "few_ratings": 0.0, "near": 0.1, "clusters": 0.1}
"""Weights that learning does not go below: clusters stay evidence."""

_CANDIDATES = 1500
"""The most popular movies: those that weights are learned on."""


class UserModelConfig(BlendConfig):
    """How the user model is trained; `without` leaves out signals of its mix."""

    signals: ClassVar[tuple[str, ...]] = tuple(PRIOR)

    taste: PreferenceConfig = PreferenceConfig()
    clusters: int | None = Field(None, ge=1, le=1000)
    """None: one for 75 users, 2 to 64."""
    reach: int = Field(3, ge=1)
    near: int = Field(100, ge=1)
    content: int = Field(48, ge=1)
    """Dimensions of the space in which movies are near that are alike."""
    cold_penalty: float = Field(30.0, gt=0)
    cold_share: float = Field(0.05, ge=0, le=1)
    """Share of movies that, were they new, come before the users whom they suit best."""
    sizes: tuple[int, ...] = (5, 10, 15)
    """Fold-in sizes of the validation; only cases with `positive` liked movies count."""
    positive: int = Field(3, ge=0)
    draws: int = Field(2, ge=1)
    max_cases: int = Field(1500, ge=0)
    candidates: int = Field(2000, ge=1)
    """Movies among which the weights of the mix are learned, the most liked ones."""
    segments: SegmentsConfig | None = SegmentsConfig()
    """None: the model has no segments, as in an evaluation of its lists."""


def fit(dataset: Dataset, config: UserModelConfig, seed: int) -> UserModel:
    """Return the model of all users, its mix learned on users held out from a first fit.

    Without ratings every user is like any other. DataError when there is no movie.
    """
    if not dataset.movies:
        raise DataError("no films: a user model needs at least one")
    with threadpool_limits(1):  # more threads change sums, and with them the model
        return _fit_and_mix(dataset, config, seed)


def _fit_and_mix(dataset: Dataset, config: UserModelConfig, seed: int) -> UserModel:
    rows, movies = RatingRows.of(dataset), dataset.movies
    user_ids = np.unique(dataset.user_ids)
    found = fit_preference(rows, len(movies), config.taste, seed)
    mix = _start(config)
    if found.trial is not None:
        kept = rows.of_users(found.train_users)
        first = _fit(movies, kept, user_ids[found.train_users], found.trial, config, seed)
        validation = Validation.draw(rows, found.held_out_users, config.sizes, config.draws, seed)
        mix = _learn(first, validation.only(lambda case: _enough(case, config)), movies, config)
    model = replace(_fit(movies, rows, user_ids, found.scorers, config, seed), mix=mix)
    users = draw_users(rows, model.base.movie_ids, config.sizes, seed)
    model = replace(model, base=fit_exposure_thresholds(model, users))
    return model if config.segments is None else _with_segments(model, dataset, config, seed)


def _enough(case: FoldIn, config: UserModelConfig) -> bool:
    return int((case.half_stars >= POSITIVE).sum()) >= config.positive


def _with_segments(
    model: UserModel, dataset: Dataset, config: UserModelConfig, seed: int
) -> UserModel:
    assert config.segments is not None
    users = model.training
    rows = RatingRows(users.starts, users.movies, users.half_stars)
    clusters = model.base.clusters
    segments = fit_segments(dataset.movies, rows, clusters, config.segments, seed)
    return replace(model, segments=segments)


def _start(config: UserModelConfig) -> Mix:
    return Mix(config.used(PRIOR), 0.0, config.reach, config.near)


def _fit(
    movies: Sequence[Movie],
    rows: RatingRows,
    user_ids: Ints,
    taste: PreferenceScorers,
    config: UserModelConfig,
    seed: int,
) -> UserModel:
    sums = rows.sums(len(movies))
    codes = unit(encode(taste.autoencoder, rows))
    kmeans = fit_user_clusters(codes, config.clusters, seed)
    clusters = kmeans.assign(codes)
    rates = cluster_rates(rows, clusters, len(kmeans.centers), len(movies))
    learned = np.hstack([taste.rows(), rates, np.log1p(sums[:, 1:2])]).astype(np.float32)
    cold = _fit_cold(movies, learned, sums, taste, config, seed)
    vectors = _complete(movies, learned, sums, cold, config)
    layout = cold.layout
    order = np.argsort(clusters, kind="stable")
    ordered = rows.of_users(order)
    return UserModel(
        taste=taste,
        kmeans=kmeans,
        base=MovieTable.of(movies, vectors, layout.likers(vectors)),
        base_sums=sums,
        cold=cold,
        new_movies=fit_slopes(ColdStartModel(cold.ridge), taste, rows, seed),
        codes=codes[order],
        bounds=np.searchsorted(clusters[order], np.arange(len(kmeans.centers) + 1)),
        training=Training(user_ids[order], ordered.starts, ordered.movies, ordered.half_stars),
        mix=_start(config),
    )


def _fit_cold(
    movies: Sequence[Movie],
    learned: Matrix,
    sums: Ints,
    taste: PreferenceScorers,
    config: UserModelConfig,
    seed: int,
) -> ColdRows:
    """Return what predicts rows, learned from the movies that the network was shown."""
    vectors = MovieVectors.fit(movies, sums)
    matrix = vectors.matrix(movies, np.zeros_like(sums))
    importance = _importance(sums, config)
    space = fit_content_embedding(vectors, matrix, importance > 0, config.content, seed)
    ridge = fit_ridge(matrix[:, vectors.content], learned, config.cold_penalty, importance)
    return ColdRows(vectors, ridge, space, layout_of(taste, learned.shape[1], space))


def _importance(sums: Ints, config: UserModelConfig) -> npt.NDArray[np.float64]:
    shown = learned_movies(sums, config.taste.min_ratings, config.taste.autoencoder.head)
    return np.where(shown, np.sqrt(sums[:, 0]), 0.0)


def _complete(
    movies: Sequence[Movie], learned: Matrix, sums: Ints, cold: ColdRows, config: UserModelConfig
) -> Matrix:
    """Return the rows of all movies: learned ones, and predicted ones where there were few ratings.

    Such a movie keeps its own shares and popularity, if any. None is cold: it was there to be rated.
    """
    predicted = cold.predict(movies, np.zeros(len(movies), np.int64))
    rated = sums[:, 0] > 0
    own, layout = predicted.copy(), cold.layout
    own[rated, : layout.learned] = learned[rated]
    layout.coldness(own)[:] = 0
    shown = _importance(sums, config) > 0
    layout.outputs(own)[~shown] = layout.outputs(predicted)[~shown]
    return own


def _learn(
    model: UserModel, validation: Validation, movies: Sequence[Movie], config: UserModelConfig
) -> Mix:
    """Return the mix with learned weights and the bonus for movies without ratings."""
    if not validation.fold_ins:
        return model.mix
    chosen = validation.at_most(config.max_cases)
    judged = replace(model, mix=replace(model.mix, weights=_learn_weights(model, chosen, config)))
    return replace(judged.mix, bonus=_learn_bonus(judged, chosen.fold_ins, movies, config))


def _learn_weights(
    model: UserModel, validation: Validation, config: UserModelConfig
) -> dict[str, float]:
    rows = model.base.vectors

    def signals(case: FoldIn) -> dict[str, Matrix]:
        return config.used(_signals(model, case, rows))

    candidates = most_liked(model.base_sums[:, 1], config.candidates)
    return BlendWeightSearch.of(validation, signals, candidates).search(config.used(PRIOR), LEAST)


def _signals(model: UserModel, case: FoldIn, rows: Matrix) -> dict[str, Matrix]:
    code = model.code(case.inputs, case.half_stars)
    return model.signals(case.inputs, case.half_stars, code, model.near(code), rows)


def _learn_bonus(
    model: UserModel, cases: Sequence[FoldIn], movies: Sequence[Movie], config: UserModelConfig
) -> float:
    """Return the bonus with which `cold_share` of the movies, were they new, reach some users.

    Each movie is hidden once: its row is predicted by what the other four fifths of movies teach.
    """
    warm, hidden = model.base.vectors, _hidden_rows(model, movies, config)
    none, all_new = np.zeros(len(warm), np.float32), np.ones(len(warm), np.float32)
    missed = []
    for case in cases[:MAX_CASES]:
        mask = np.ones(len(warm), bool)
        mask[case.inputs] = False
        scores = model.total(_signals(model, case, warm), none)
        moved = model.total(_signals(model, case, hidden), all_new)
        missed.append(score_gaps(scores, moved, mask))
    return cold_start_offset(missed, config.cold_share)


def _hidden_rows(model: UserModel, movies: Sequence[Movie], config: UserModelConfig) -> Matrix:
    content, learned = model.cold.content(movies), model.cold.layout.learned
    importance = _importance(model.base_sums, config)
    rows = np.zeros_like(model.base.vectors)
    for fold in range(5):
        out = np.arange(len(movies)) % 5 == fold
        ridge = fit_ridge(
            content, model.base.vectors[:, :learned], config.cold_penalty,
            np.where(out, 0, importance),
        )  # fmt: skip
        cold = replace(model.cold, ridge=ridge)
        rows[out] = cold.complete(content[out], np.zeros(out.sum(), np.int64))
    return rows
