"""Training of the user model: autoencoder → KMeans of viewers → weights of the mix → bonus."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from marquee.autoencoder_fit import (
    AutoencoderConfig,
    encode,
    films_learned,
    fit_over_films,
    fit_viewer_clusters,
)
from marquee.bonus import MAX_CASES, fair_bonus, margins
from marquee.cases import gather, some
from marquee.dataset import Dataset
from marquee.errors import DataError
from marquee.films import Film, Films
from marquee.mix import standardise
from marquee.mix_config import MixConfig
from marquee.movie_vector import MovieVectors
from marquee.pipeline import Matrix, unit
from marquee.rating_rows import Case, Ints, RatingRows, draw_cases, split_users
from marquee.ridge import fit_ridge
from user_model.model import Mix, Training, UserModel
from user_model.rows import ColdRows, Layout
from user_model.segments_fit import SegmentsConfig, fit_segments

_SHRINKAGE = 30.0
"""Viewers that the share of all weighs in a cluster's share of viewers who liked a film."""

_CANDIDATES = 1500
"""The most popular films: those that weights are learned on."""


class UserModelConfig(MixConfig):
    """How the user model is trained; the weights of its mix are learned, `weights` starts them.

    `without` leaves out signals.
    """

    signals: ClassVar[tuple[str, ...]] = ("preference", "near", "clusters", "popularity")

    autoencoder: AutoencoderConfig = AutoencoderConfig()
    clusters: int | None = Field(None, ge=1, le=1000)
    """None: one for 75 viewers, 2 to 64."""
    reach: int = Field(3, ge=1)
    near: int = Field(100, ge=1)
    min_ratings: int = Field(3, ge=1)
    """A film with fewer ratings gets a row predicted from its content."""
    cold_penalty: float = Field(30.0, gt=0)
    cold_share: float = Field(0.05, ge=0, le=1)
    """Share of films that, were they new, come before the viewers whom they suit best."""
    validation_share: float = Field(0.2, ge=0, lt=1)
    validation_sizes: tuple[int, ...] = (5, 10, 15)
    max_cases: int = Field(1500, ge=1)
    """Of more validation cases a sample teaches the mix."""
    weights: dict[str, float] = {
        "preference": 2.0, "near": 0.1, "clusters": 0.1, "popularity": -0.2,
    }  # fmt: skip
    least: dict[str, float] = {"near": 0.1, "clusters": 0.1}
    """Weights that learning does not go below: clusters stay evidence."""
    segments: SegmentsConfig | None = SegmentsConfig()
    """None: the model has no segments, as in an evaluation of its lists."""


def fit(dataset: Dataset, config: UserModelConfig, seed: int) -> UserModel:
    """Return the model of all viewers, its mix learned on viewers held out from a first fit.

    Without ratings every viewer is like any other. DataError when there is no film.
    """
    if not dataset.films:
        raise DataError("no films: a user model needs at least one")
    rows = RatingRows.of(dataset)
    user_ids = np.unique(dataset.user_ids)
    kept, held_out = split_users(len(rows), config.validation_share, seed)
    cases = draw_cases(rows, held_out, config.validation_sizes, 2, seed)
    cases = some(cases, config.max_cases, seed)
    if cases:
        first = _fit(dataset.films, rows.of_users(kept), user_ids[kept], config, seed)
        mix = _learn(first, cases, dataset.films, config)
    else:
        mix = _start(config)
    model = replace(_fit(dataset.films, rows, user_ids, config, seed), mix=mix)
    return model if config.segments is None else _with_segments(model, dataset, config, seed)


def _with_segments(
    model: UserModel, dataset: Dataset, config: UserModelConfig, seed: int
) -> UserModel:
    assert config.segments is not None
    viewers = model.training
    rows = RatingRows(viewers.starts, viewers.films, viewers.half_stars)
    clusters = model.base.clusters
    segments = fit_segments(dataset.films, rows, clusters, config.segments, seed)
    return replace(model, segments=segments)


def _start(config: UserModelConfig) -> Mix:
    return Mix(config.used(config.weights), 0.0, config.reach, config.near)


def _fit(
    films: Sequence[Film], rows: RatingRows, user_ids: Ints, config: UserModelConfig, seed: int
) -> UserModel:
    sums = rows.sums(len(films))
    network = fit_over_films(rows, sums, config.min_ratings, config.autoencoder, seed)
    codes = unit(encode(network, rows))
    kmeans = fit_viewer_clusters(codes, config.clusters, seed)
    clusters = kmeans.assign(codes)
    learned = np.concatenate(
        [
            network.outputs,
            network.prior[:, None],
            _rates(rows, clusters, len(kmeans.centers), len(films)),
            np.log1p(sums[:, 1:2]),
        ],
        axis=1,
    ).astype(np.float32)
    layout = Layout(network.outputs.shape[1], len(kmeans.centers))
    cold = _fit_cold(films, learned, sums, config, layout)
    vectors = _complete(films, learned, sums, cold, config)
    order = np.argsort(clusters, kind="stable")
    ordered = rows.of_users(order)
    return UserModel(
        inputs=network.inputs,
        bias=network.bias,
        kmeans=kmeans,
        base=Films.of(films, vectors, layout.likers(vectors)),
        base_sums=sums,
        cold=cold,
        codes=codes[order],
        bounds=np.searchsorted(clusters[order], np.arange(len(kmeans.centers) + 1)),
        training=Training(user_ids[order], ordered.starts, ordered.films, ordered.half_stars),
        mix=_start(config),
    )


def _rates(
    rows: RatingRows, clusters: npt.NDArray[np.int16], k: int, n_films: int
) -> npt.NDArray[np.float64]:
    """Return the share of each cluster's viewers who liked each film, n_films × k, shrunk."""
    liked = rows.liked
    cells = rows.films[liked] * k + clusters[rows.owners[liked]]
    likes = np.bincount(cells, minlength=n_films * k).reshape(n_films, k)
    shares = (likes.sum(axis=1, keepdims=True) + 0.1) / (len(rows) + 1)
    sizes = np.bincount(clusters, minlength=k)
    rates: npt.NDArray[np.float64] = (likes + _SHRINKAGE * shares) / (sizes + _SHRINKAGE)
    return rates


def _fit_cold(
    films: Sequence[Film], learned: Matrix, sums: Ints, config: UserModelConfig, layout: Layout
) -> ColdRows:
    """Return what predicts rows, learned from the films that the network was shown."""
    vectors = MovieVectors.fit(films, sums)
    content = vectors.matrix(films, np.zeros_like(sums))[:, vectors.content]
    ridge = fit_ridge(content, learned, config.cold_penalty, _importance(sums, config))
    return ColdRows(vectors, ridge, layout)


def _importance(sums: Ints, config: UserModelConfig) -> npt.NDArray[np.float64]:
    shown = films_learned(sums, config.min_ratings, config.autoencoder.head)
    return np.where(shown, np.sqrt(sums[:, 0]), 0.0)


def _complete(
    films: Sequence[Film], learned: Matrix, sums: Ints, cold: ColdRows, config: UserModelConfig
) -> Matrix:
    """Return the rows of all films: learned ones, and predicted ones where there were few ratings.

    Such a film keeps its own shares and popularity, if any. None is cold: it was there to be rated.
    """
    predicted = cold.predict(films, np.zeros(len(films), np.int64))
    rated = sums[:, 0] > 0
    nothing = np.zeros((len(films), 1), np.float32)
    own = np.concatenate([learned, nothing], axis=1)
    shown = _importance(sums, config) > 0
    width = cold.layout.width
    own[~shown, :width] = predicted[~shown, :width]
    own[~rated, :-1] = predicted[~rated, :-1]
    return own


def _learn(
    model: UserModel, cases: Sequence[Case], films: Sequence[Film], config: UserModelConfig
) -> Mix:
    """Return the mix with learned weights and the bonus for films without ratings."""
    learned = _learn_weights(model, cases, config)
    judged = replace(model, mix=replace(model.mix, weights=learned))
    bonus = _learn_bonus(judged, cases, films, config)
    return replace(judged.mix, bonus=bonus)


def _learn_weights(
    model: UserModel, cases: Sequence[Case], config: UserModelConfig
) -> dict[str, float]:
    rows = model.base.vectors

    def signals(case: Case) -> dict[str, Matrix]:
        code = model.code(case.films, case.half_stars)
        return config.used(model.signals(code, model.near(code), rows))

    candidates = np.argsort(-model.base_sums[:, 1], kind="stable")[:_CANDIDATES]
    gathered = gather(cases, signals, candidates, len(rows))
    return gathered.learn(config.used(config.weights), config.used(config.least))


def _scaled(
    model: UserModel, case: Case, rows: Matrix
) -> tuple[dict[str, npt.NDArray[np.floating]], npt.NDArray[np.bool_]]:
    mask = np.ones(len(rows), bool)
    mask[case.films] = False
    code = model.code(case.films, case.half_stars)
    signals = model.signals(code, model.near(code), rows)
    return {name: standardise(values, mask) for name, values in signals.items()}, mask


def _learn_bonus(
    model: UserModel, cases: Sequence[Case], films: Sequence[Film], config: UserModelConfig
) -> float:
    """Return the bonus with which `cold_share` of the films, were they new, reach some viewers.

    Each film is hidden once: its row is predicted by what the other four fifths of films teach.
    """
    warm = model.base.vectors
    hidden = _hidden_rows(model, films, config)
    missed = []
    for case in cases[:MAX_CASES]:
        scores, mask, moved = _both_scores(model, case, warm, hidden)
        missed.append(margins(scores, moved, mask))
    return fair_bonus(missed, config.cold_share)


def _both_scores(
    model: UserModel, case: Case, warm: Matrix, hidden: Matrix
) -> tuple[Matrix, npt.NDArray[np.bool_], Matrix]:
    """Return the scores of all films as they are, the mask, and each film's score were it new."""
    scaled, mask = _scaled(model, case, warm)
    code = model.code(case.films, case.half_stars)
    near = model.near(code)
    before, after = model.signals(code, near, warm), model.signals(code, near, hidden)
    moved = {
        name: (after[name] - before[name][mask].mean())
        / max(float(before[name][mask].std()), 1e-12)
        for name in after
    }
    return (
        model.total(scaled, np.zeros(len(warm), np.float32)),
        mask,
        model.total(moved, np.ones(len(warm), np.float32)),
    )


def _hidden_rows(model: UserModel, films: Sequence[Film], config: UserModelConfig) -> Matrix:
    vectors, layout = model.cold.vectors, model.cold.layout
    content = vectors.matrix(films, np.zeros((len(films), 3), np.int64))[:, vectors.content]
    importance = _importance(model.base_sums, config)
    rows = np.zeros_like(model.base.vectors)
    for fold in range(5):
        out = np.arange(len(films)) % 5 == fold
        ridge = fit_ridge(
            content, model.base.vectors[:, :-1], config.cold_penalty, np.where(out, 0, importance)
        )
        cold = ColdRows(vectors, ridge, layout)
        rows[out] = cold.complete(ridge.apply(content[out]), np.zeros(out.sum(), np.int64))
    return rows
