"""Training of the segments: movies → KMeans; users' profiles → autoencoder → KMeans."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field
from sklearn.cluster import KMeans as SkKMeans
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from threadpoolctl import threadpool_limits

from marquee.arrays import Ints, Matrix
from marquee.domain.movies import Movie, genre_mask, genre_matrix
from marquee.domain.ratings import POSITIVE
from marquee.features.interactions import RatingRows
from marquee.features.pipeline import KMeans, Scaler
from user_model.segments.cluster_count import Choice, choose
from user_model.segments.model import (
    MovieSegments,
    ProfileEncoder,
    Profiles,
    Segments,
    UserSegments,
    movie_rows,
)
from user_model.segments.naming import describe
from user_model.segments.pinned_kmeans import around, kept_clusters

_NO_MEAN = 3.5
"""Mean in stars where nobody rated anything."""


_UNSEEN = 1e-3
"""Likes of a movie that nobody liked: where there is no other, it is typical all the same."""


class SegmentsConfig(BaseModel):
    """How segments are made; a number of clusters of None is chosen by the data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    movies_k: int | None = Field(None, ge=1, le=200)
    users_k: int | None = Field(None, ge=1, le=200)
    movies_kept: tuple[tuple[int, ...], ...] = ()
    """Typical movies of each segment of movies that operators keep."""
    users_kept: tuple[tuple[int, ...], ...] = ()
    """Typical movies of each segment of users that operators keep."""
    without_structure: int = Field(4, ge=1)
    """How many segments there are where the data say nothing of their number."""
    width: int = Field(8, ge=1)
    """Numbers of a user's code."""
    epochs: int = Field(200, ge=1)
    floor: float = Field(0.02, ge=0)
    """Variance added to each column, so that a rare genre does not outweigh all others."""
    max_users: int = Field(10_000, ge=2)
    """Of more users a sample teaches encoder and clusters; all are encoded and get a segment."""


def fit_segments(
    movies: Sequence[Movie],
    rows: RatingRows,
    clusters: npt.NDArray[np.int16],
    config: SegmentsConfig,
    seed: int,
) -> Segments:
    """Return the segments of n movies, whose `clusters` are given, and of the users of `rows`.

    Where nobody liked anything there are none of users, and the description says so.
    """
    with threadpool_limits(1):
        sums = rows.sums(len(movies))
        fitted, movie_segments, movie_choice = _fit_movies(movies, sums, config, seed)
        k = len(fitted.kmeans.centers)
        belongs = np.eye(k)[movie_segments].T
        sizes = np.bincount(movie_segments, minlength=k).tolist()
        described_movies = describe(belongs, sizes, movies, belongs * (sums[:, 1] + _UNSEEN))
        profiles = _profiles(movies, rows, clusters, movie_segments, k)
        users, codes, of_users, described_users = _fit_users(movies, rows, profiles, config, seed)
    about = {"movies": _about(described_movies, movie_choice), "users": described_users}
    return Segments(fitted, users, codes, of_users, about)


def _about(described: list[dict[str, Any]], choice: Choice, **more: float) -> dict[str, Any]:
    return {"segments": described, "choice": choice.as_json(), **more}


def _fit_movies(
    movies: Sequence[Movie], sums: Ints, config: SegmentsConfig, seed: int
) -> tuple[MovieSegments, npt.NDArray[np.int16], Choice]:
    mean = float(sums[:, 2].sum() / 2 / sums[:, 0].sum()) if sums[:, 0].sum() else _NO_MEAN
    genres = np.array([genre_mask(movie.genres) for movie in movies], np.uint32)
    rows = movie_rows(genres, sums, mean)
    scaler = _scaler(rows, config.floor)
    scaled = scaler.transform(rows)
    choice = _choice(scaled, config.movies_k, config, seed)
    typical = [scaled[known].mean(axis=0) for known in _known(movies, config.movies_kept)]
    choice, kmeans = _clusters(scaled, choice, typical, seed)
    return MovieSegments(mean, scaler, kmeans), kmeans.assign(scaled), choice


def _profiles(
    movies: Sequence[Movie],
    rows: RatingRows,
    clusters: npt.NDArray[np.int16],
    segments: npt.NDArray[np.int16],
    k: int,
) -> Profiles:
    genres = genre_matrix(np.array([genre_mask(movie.genres) for movie in movies], np.uint32))
    kinds = np.concatenate([genres, np.eye(k)[segments]], axis=1).astype(np.float32)
    likes = np.bincount(rows.movies[rows.liked], minlength=len(movies)).astype(np.float64)
    prior = likes @ kinds / likes.sum() if likes.any() else kinds.mean(axis=0)
    known = np.maximum(clusters, 0)
    return Profiles(kinds, known, int(known.max(initial=0)) + 1, prior.astype(np.float32))


def _fit_users(
    movies: Sequence[Movie], rows: RatingRows, profiles: Profiles, config: SegmentsConfig, seed: int
) -> tuple[UserSegments | None, Matrix, npt.NDArray[np.int16], dict[str, Any]]:
    """Return the steps, the codes and segments of the users, and what is to be said of them."""
    found = [profiles.of(*rows.of_user(user)) for user in range(len(rows))]
    who = np.array([user for user, profile in enumerate(found) if profile is not None], np.int64)
    segments = np.full(len(rows), -1, np.int16)
    if not len(who):
        codes = np.zeros((len(rows), config.width), np.float32)
        nobody = Choice(0, False, "no viewer rated a film above 3.5 stars: no segments of viewers")
        return None, codes, segments, _about([], nobody)
    known = np.stack([profile for profile in found if profile is not None])
    some = _sample(known, config.max_users, seed)
    encoder, errors = _fit_encoder(some, config, seed)
    sampled = encoder.encode(some)
    choice = _choice(sampled, config.users_k, config, seed)
    loving = [_code_of(some, profiles, encoder) for some in _known(movies, config.users_kept)]
    # Nobody is as typical as all typical movies together: those nearest to that are.
    typical = [around(sampled, code, max(1, len(sampled) // choice.k)) for code in loving]
    choice, kmeans = _clusters(sampled, choice, typical, seed)
    encoded = encoder.encode(known)
    codes = np.zeros((len(rows), encoded.shape[1]), np.float32)
    codes[who], segments[who] = encoded, kmeans.assign(encoded)
    described = _describe_users(movies, rows, segments, len(kmeans.centers))
    about = _about(described, choice, **errors)
    return UserSegments(profiles, encoder, kmeans), codes, segments, about


def _sample(rows: Matrix, limit: int, seed: int) -> Matrix:
    """Return at most `limit` of the rows, in their order."""
    if len(rows) <= limit:
        return rows
    chosen = np.random.default_rng(seed).choice(len(rows), limit, replace=False)
    sampled: Matrix = rows[np.sort(chosen)]
    return sampled


def _describe_users(
    movies: Sequence[Movie], rows: RatingRows, segments: npt.NDArray[np.int16], k: int
) -> list[dict[str, Any]]:
    owners = segments[rows.owners[rows.liked]].astype(np.int64)
    cells = owners * len(movies) + rows.movies[rows.liked]
    likes = np.bincount(cells, minlength=k * len(movies)).reshape(k, len(movies))
    sizes = np.bincount(segments[segments >= 0], minlength=k)
    weights = likes.astype(float)
    return describe(weights, sizes.tolist(), movies, weights)


def _fit_encoder(
    profiles: Matrix, config: SegmentsConfig, seed: int
) -> tuple[ProfileEncoder, dict[str, float]]:
    """Return the encoder of an autoencoder, and its error beside that of a PCA as wide."""
    scaler = _scaler(profiles, 1e-4)
    scaled = scaler.transform(profiles)
    network = MLPRegressor(
        hidden_layer_sizes=(config.width,), activation="tanh", alpha=1e-3, max_iter=config.epochs,
        learning_rate_init=5e-3, batch_size=min(128, len(scaled)), random_state=seed,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(scaled, scaled)
    encoder = ProfileEncoder(
        scaler, network.coefs_[0].astype(np.float32), network.intercepts_[0].astype(np.float32)
    )
    predicted = network.predict(scaled).reshape(scaled.shape)
    return encoder, {
        "autoencoder_error": float(np.mean((predicted - scaled) ** 2)),
        "pca_error": _pca_error(scaled, config.width),
    }


def _pca_error(scaled: Matrix, width: int) -> float:
    limit = min(width, *scaled.shape)
    if float(scaled.var(axis=0).sum()) < 1e-12:
        return 0.0
    pca = PCA(limit, svd_solver="full").fit(scaled)
    return float(np.mean((pca.inverse_transform(pca.transform(scaled)) - scaled) ** 2))


def _scaler(rows: Matrix, floor: float) -> Scaler:
    deviation = np.sqrt(rows.astype(np.float64).var(axis=0) + floor)
    scale = np.where(deviation > 1e-9, deviation, 1.0)
    return Scaler(rows.mean(axis=0, dtype=np.float64).astype(np.float32), scale.astype(np.float32))


def _choice(rows: Matrix, wanted: int | None, config: SegmentsConfig, seed: int) -> Choice:
    if wanted is not None:
        distinct = len(np.unique(rows.round(6), axis=0))
        return Choice(min(wanted, distinct), True, f"{wanted} were asked for")
    return choose(rows.astype(np.float64), seed, config.without_structure)


def _known(movies: Sequence[Movie], kept: Sequence[Sequence[int]]) -> list[Ints]:
    """Return the rows of the movies of each kept segment of which there is one at least."""
    rows = {movie.movie_id: row for row, movie in enumerate(movies)}
    found = [np.array([rows[i] for i in ids if i in rows], np.int64) for ids in kept]
    return [known for known in found if len(known)]


def _code_of(movies: Ints, profiles: Profiles, encoder: ProfileEncoder) -> Matrix:
    """Return the code, e, of a user who likes these movies, by row, and no others."""
    profile = profiles.of(movies, np.full(len(movies), POSITIVE, np.uint8))
    assert profile is not None
    code: Matrix = encoder.encode(profile[None])[0]
    return code


def _clusters(
    rows: Matrix, choice: Choice, kept: Sequence[Matrix], seed: int
) -> tuple[Choice, KMeans]:
    """Return the clusters, of which `kept` are centers, and what is said of their number."""
    if not kept:
        return choice, _kmeans(rows, choice.k, seed)
    reason = f"{choice.reason}; {len(kept)} of them kept"
    choice = replace(choice, k=max(choice.k, len(kept)), reason=reason)
    return choice, KMeans(kept_clusters(rows, choice.k, np.stack(kept), seed))


def _kmeans(rows: Matrix, k: int, seed: int) -> KMeans:
    """Return KMeans of n × d rows that has at least k different ones."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = SkKMeans(k, n_init=8, random_state=seed).fit(rows)
    return KMeans(np.ascontiguousarray(fitted.cluster_centers_, np.float32))
