"""Training of the neural model: RatingPredictor, autoencoder, item weights, mix, bonus."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field
from threadpoolctl import threadpool_limits

from marquee.arrays import Ints, Matrix, unit
from marquee.domain.movies import Movie
from marquee.errors import DataError
from marquee.features.dataset import Dataset
from marquee.features.interactions import FoldIn, RatingRows
from marquee.features.movie_table import MovieTable
from marquee.features.movie_vector import MovieVectors
from marquee.features.popularity import Popularity
from marquee.features.shortlist import all_rows
from marquee.scoring.autoencoder import Autoencoder
from marquee.scoring.linear_autoencoder import LinearAutoencoder
from marquee.scoring.ridge import fit_ridge
from marquee.scoring.top_k import top
from marquee.training.autoencoder import (
    AutoencoderConfig,
    encode,
    fit_over_movies,
    fit_user_clusters,
    learned_movies,
)
from marquee.training.blending import BlendConfig, BlendWeightSearch, Validation
from marquee.training.cold_start_offset import MAX_CASES, cold_start_offset, score_gaps
from marquee.training.exposure_threshold import draw_users, fit_exposure_thresholds
from marquee.training.linear_autoencoder import LinearAutoencoderConfig, fit_linear_autoencoder
from marquee.training.pipeline import fit_pipeline
from marquee.training.ranking_metrics import mean_ndcg
from marquee.training.validation_cases import most_liked, sample_fold_ins
from neural.model import POOL, Mix, Neural
from neural.movie_rows import Layout, NetworkMovieRows
from neural.training.data_science_artifacts import extras_of
from neural.training.epochs import NetworkConfig, OnEpoch, Trained
from neural.training.holdout import case_of, hide
from neural.training.rating_predictor import fit_ratings
from neural.training.rating_split import RatingSplit, only

_SERVED = ("viewers.", "films.new.", "joint.")
"""Weights that serving needs; what else the network learned is in the movies' rows."""

_VARIANCE_FLOOR = 0.02

_SHOWN = 0.8
"""Share of a history that is known in the lists from which the movies' marks are learned."""


class NeuralConfig(BlendConfig):
    """How the neural model is trained; the weights of its mix (`without` some) are learned."""

    signals: ClassVar[tuple[str, ...]] = ("preference", "many", "popularity", "rating")

    network: NetworkConfig = NetworkConfig()
    autoencoder: AutoencoderConfig = AutoencoderConfig(long_share=0.8)
    many: LinearAutoencoderConfig = LinearAutoencoderConfig(n=10_000, penalty=3.0)
    """n beyond half of any history: half of it is shown."""
    content: int = Field(128, ge=1)
    """Numbers that a movie's raw vector is reduced to."""
    movie_clusters: int = Field(32, ge=1)
    user_clusters: int | None = Field(None, ge=1)
    min_ratings: int = Field(3, ge=1)
    """A movie with fewer ratings gets the autoencoder's output predicted from its content."""
    cold_penalty: float = Field(30.0, gt=0)
    cold_share: float = Field(0.4, ge=0, le=1)
    """Share of movies that, were they new, come before the users whom they suit best."""
    validation_share: float = Field(0.1, ge=0, lt=1)
    long_history: int = Field(20, ge=2)
    """Ratings of the users that this model serves."""
    max_cases: int = Field(1500, ge=1)
    """Of these held out, drawn at random, that judge the mix."""
    candidates: int = Field(1500, ge=1)
    """The most popular movies: those that weights are learned on."""
    weights: dict[str, float] = {"preference": 0.3, "many": 2.0, "popularity": -0.3}
    """Weights that are known to be good; validation moves them where that gains beyond noise."""
    rating_weights: tuple[float, ...] = (0.02, 0.05, 0.1)
    """Weights, of a list's deviation, that the predicted rating may have."""


def _ignore(epoch: int, measures: dict[str, float]) -> None:
    """Log nothing."""


def fit(dataset: Dataset, config: NeuralConfig, seed: int, on_epoch: OnEpoch = _ignore) -> Neural:
    """Return the model; `on_epoch` is told number and measures (loss, rmse, mae) of each epoch.

    A fifth of some long histories is held out: it stops the RatingPredictor's training and, for
    scorers fitted without these users, judges the mix. DataError when there is no rating.
    """
    if not len(dataset):
        raise DataError("no ratings: a neural model needs at least one")
    with threadpool_limits(1):  # more threads change sums, and with them the model
        return _fit(dataset, config, seed, on_epoch)


def _fit(dataset: Dataset, config: NeuralConfig, seed: int, on_epoch: OnEpoch) -> Neural:
    rows = RatingRows.of(dataset)
    movies = _movie_rows(dataset.movies, rows, config, seed)
    hidden, users = hide(rows, config.long_history, config.validation_share, seed)
    rated = RatingSplit(only(rows, ~hidden), only(rows, hidden))
    content = movies.pipeline.encode(movies.raw(list(dataset.movies)))
    cases = [case for case in (case_of(rated, int(user)) for user in users) if len(case.held_out)]
    cases, mix = sample_fold_ins(cases, config.max_cases, seed), _start(config)
    with (
        fit_ratings(rows, hidden, content, config.network, seed, on_epoch) as ratings,
        ThreadPoolExecutor(1) as other,
    ):
        # What does not need the networks that serve comes first: they may be trained meanwhile.
        every = other.submit(_learned, dataset.movies, rows, config, seed)
        if cases:
            kept = rows.of_users(np.setdiff1d(np.arange(len(rows)), users))
            learned = _learned(dataset.movies, kept, config, seed)
            first = _assemble(dataset.movies, learned, ratings.trained, movies, config, seed)
            mix = _learn(first, cases, dataset.movies, config)
        learned, served = every.result(), ratings.served()
    model = _assemble(dataset.movies, learned, served, movies, config, seed)
    extras = extras_of(dataset, rows, model, served)
    model = replace(model, mix=mix, confidence=ratings.confidence, extras=extras)
    lists_for = draw_users(rows, model.base.movie_ids, (_SHOWN,), seed)
    return replace(model, base=fit_exposure_thresholds(model, lists_for))


def _start(config: NeuralConfig) -> Mix:
    return Mix(config.used(config.weights), 0.0)


def _movie_rows(
    movies: Sequence[Movie], rows: RatingRows, config: NeuralConfig, seed: int
) -> NetworkMovieRows:
    """Return movie → vector → scaler → encoder → KMeans; its ridge predicts nothing yet."""
    sums = rows.sums(len(movies))
    vectors = MovieVectors.fit(movies, sums)
    raw = vectors.matrix(movies, np.zeros_like(sums))[:, vectors.content]
    pipeline, _ = fit_pipeline(
        raw, np.ones(raw.shape[1]), config.content, config.movie_clusters, seed, _VARIANCE_FLOOR
    )
    width = config.autoencoder.width
    ridge = fit_ridge(raw, np.zeros((len(raw), width + 2), np.float32), 1.0, np.zeros(len(raw)))
    return NetworkMovieRows(vectors, pipeline, ridge, Layout(config.network.d, width))


@dataclass(frozen=True, eq=False)
class _Learned:
    """What some ratings, `rows`, teach of each movie."""

    rows: RatingRows
    network: Autoencoder
    many: LinearAutoencoder
    sums: Ints


def _learned(
    movies: Sequence[Movie], rows: RatingRows, config: NeuralConfig, seed: int
) -> _Learned:
    sums = rows.sums(len(movies))
    network = fit_over_movies(rows, sums, config.min_ratings, config.autoencoder, seed)
    return _Learned(
        rows, network, fit_linear_autoencoder(rows, len(movies), config.many, seed), sums
    )


def _assemble(
    movies: Sequence[Movie],
    learned: _Learned,
    trained: Trained,
    movie_rows: NetworkMovieRows,
    config: NeuralConfig,
    seed: int,
) -> Neural:
    """Return the model of what was learned, with the mix that learning starts from."""
    network = learned.network
    raw = movie_rows.raw(list(movies))
    ridge = fit_ridge(
        raw, _targets(learned), config.cold_penalty, _importance(learned.sums, config)
    )
    layout = Layout(trained.predictor.d, config.autoencoder.width)
    movie_rows = replace(movie_rows, ridge=ridge, layout=layout)
    weights = {n: w for n, w in trained.predictor.weights.items() if n.startswith(_SERVED)}
    predictor = replace(trained.predictor, weights=weights)
    served = replace(trained, predictor=predictor)
    vectors, clusters = _rows(raw, learned, served, movie_rows, config)
    return Neural(
        MovieTable.of(movies, vectors, clusters),
        learned.sums,
        movie_rows,
        predictor,
        network.inputs,
        network.bias,
        fit_user_clusters(unit(encode(network, learned.rows)), config.user_clusters, seed),
        learned.many,
        _start(config),
    )


def _targets(learned: _Learned) -> Matrix:
    network = learned.network
    popularity = np.log1p(learned.sums[:, 1:2])
    targets: Matrix = np.concatenate(
        [network.outputs, network.prior[:, None], popularity], axis=1, dtype=np.float32
    )
    return targets


def _importance(sums: Ints, config: NeuralConfig) -> npt.NDArray[np.float64]:
    shown = learned_movies(sums, config.min_ratings, config.autoencoder.head)
    return np.where(shown, np.sqrt(sums[:, 0]), 0.0)


def _rows(
    raw: Matrix,
    learned: _Learned,
    trained: Trained,
    movie_rows: NetworkMovieRows,
    config: NeuralConfig,
) -> tuple[Matrix, npt.NDArray[np.int16]]:
    """Return the rows of all movies: learned ones, and predicted ones where there were no ratings.

    The output of a movie with too few ratings for the autoencoder is predicted too.
    """
    cold, clusters = movie_rows.cold(raw, trained.predictor)
    sums, layout = learned.sums, movie_rows.layout
    preference = _targets(learned)[:, :-1]
    few = _importance(sums, config) == 0
    preference[few, :-1] = layout.outputs(cold)[few]
    popularity = Popularity(sums)
    others = np.stack([popularity.mean, np.log1p(sums[:, 1]), np.zeros(len(raw))], axis=1)
    own = layout.join(trained.movies, preference, others.astype(np.float32))
    cold[:, -1] = 0  # they were there to be rated: no newer than others
    return np.where((sums[:, :1] > 0), own, cold), clusters


def _learn(
    model: Neural, cases: Sequence[FoldIn], movies: Sequence[Movie], config: NeuralConfig
) -> Mix:
    """Return the mix: weights of preference, of the predicted rating, and the bonus."""

    def signals(case: FoldIn) -> dict[str, Matrix]:
        return config.used(
            model.signals(case.inputs, case.half_stars, all_rows(model.base.vectors))
        )

    candidates = most_liked(model.base_sums[:, 1], config.candidates)
    judge = BlendWeightSearch.of(Validation(cases, np.arange(len(cases))), signals, candidates)
    weights = judge.search(config.used(config.weights), {"preference": 0.1, "many": 0.1})
    judged = replace(model, mix=Mix(weights, 0.0))
    if "rating" not in config.without:
        weights["rating"] = _learn_rating_weight(judged, cases, config)
    return Mix(weights, _learn_bonus(judged, cases, movies, config))


def _learn_rating_weight(model: Neural, cases: Sequence[FoldIn], config: NeuralConfig) -> float:
    """Return the weight of the predicted rating, among the best movies by preference, that is best.

    It is at least the smallest of the weights allowed, and at most the largest.
    """
    pool = min(POOL, len(model.base))
    scores = np.zeros((len(cases), pool), np.float32)
    ratings = np.zeros((len(cases), pool), np.float32)
    relevant = np.zeros((len(cases), pool), bool)
    coldness = model.movie_rows.layout.coldness(model.base.vectors)
    for i, case in enumerate(cases):
        mask = _mask(model, case)
        signals = model.signals(case.inputs, case.half_stars, all_rows(model.base.vectors))
        total = model.total(signals, coldness)
        best = top(total, mask, pool)
        scores[i], scores[i, : len(best)] = -1e6, total[best]
        rows = model.base.vectors[best]
        ratings[i, : len(best)] = model.ratings_of(case.inputs, case.half_stars, rows)
        relevant[i, : len(best)] = np.isin(best, case.held_out)
    counts = np.array([len(case.held_out) for case in cases])
    spread = float(np.mean([row[row > -1e5].std() for row in scores]))
    weights = [round(spread * share, 5) for share in config.rating_weights]
    return max(weights, key=lambda w: mean_ndcg(scores + np.float32(w) * ratings, relevant, counts))


def _mask(model: Neural, case: FoldIn) -> npt.NDArray[np.bool_]:
    mask = np.ones(len(model.base), bool)
    mask[case.inputs] = False
    return mask


def _learn_bonus(
    model: Neural, cases: Sequence[FoldIn], movies: Sequence[Movie], config: NeuralConfig
) -> float:
    """Return the bonus with which `cold_share` of the movies, were they new, reach some users.

    Each movie is hidden once: its row is predicted by what the other four fifths of movies teach.
    """
    warm, hidden = model.base.vectors, _hidden_rows(model, movies, config)
    missed = []
    for case in cases[:MAX_CASES]:
        mask = _mask(model, case)
        before = model.signals(case.inputs, case.half_stars, all_rows(warm))
        after = model.signals(case.inputs, case.half_stars, all_rows(hidden))
        scores = model.total(before, np.zeros(len(warm), np.float32))
        moved_scores = model.total(after, np.ones(len(warm), np.float32))
        missed.append(score_gaps(scores, moved_scores, mask))
    return cold_start_offset(missed, config.cold_share)


def _hidden_rows(model: Neural, movies: Sequence[Movie], config: NeuralConfig) -> Matrix:
    movie_rows = model.movie_rows
    raw = movie_rows.raw(list(movies))
    content = movie_rows.pipeline.encode(raw)
    vectors, layout = model.base.vectors, movie_rows.layout
    targets = np.concatenate(
        [layout.outputs(vectors), layout.prior(vectors)[:, None],
         layout.popularity(vectors)[:, None]], axis=1,
    )  # fmt: skip
    importance = _importance(model.base_sums, config)
    rows = np.zeros_like(vectors)
    for fold in range(5):
        out = np.arange(len(movies)) % 5 == fold
        if not out.any():
            continue
        ridge = fit_ridge(raw, targets, config.cold_penalty, np.where(out, 0, importance))
        rows[out] = movie_rows.cold_rows(content[out], ridge.apply(raw[out]), model.predictor)
    return rows
