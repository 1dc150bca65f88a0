"""Fit of the segments: movies → KMeans; users' profiles → autoencoder → KMeans."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field
from sklearn.cluster import KMeans as SkKMeans
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from threadpoolctl import threadpool_limits

from marquee.arrays import Ints, Matrix, Vector
from marquee.domain.genres import catalogue_genres, multi_hot
from marquee.domain.likes import POSITIVE
from marquee.domain.movies import Movie
from marquee.features.interactions import RatingRows
from marquee.features.pipeline import KMeans, Scaler
from user_model.segments.cluster_count import ClusterCount, choose_cluster_count
from user_model.segments.model import (
    MovieSegments,
    ProfileBuilder,
    ProfileEncoder,
    Segments,
    UserSegments,
    segment_rows,
)
from user_model.segments.naming import describe_segments
from user_model.segments.pinned_kmeans import mean_of_nearest, pinned_kmeans

_NO_MEAN = 3.5
"""Mean in stars where there are no ratings."""

_NO_LIKES = 1e-3
"""Likes of a movie without likes, so that it can be typical where there is no other movie."""

_NO_USERS = "no viewer rated a film above 3.5 stars: no segments of viewers"


class SegmentsConfig(BaseModel):
    """Parameters of the segments; a number of clusters of None is chosen by the data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    movies_k: int | None = Field(None, ge=1, le=200)
    users_k: int | None = Field(None, ge=1, le=200)
    movies_kept: tuple[tuple[int, ...], ...] = ()
    """Typical movies of each segment of movies that operators keep."""
    users_kept: tuple[tuple[int, ...], ...] = ()
    """Typical movies of each segment of users that operators keep."""
    without_structure: int = Field(4, ge=1)
    """Number of segments where the data have no clusters."""
    width: int = Field(8, ge=1)
    """Length of a user's code."""
    epochs: int = Field(200, ge=1)
    floor: float = Field(0.02, ge=0)
    """Variance added to each column, so that a rare genre does not outweigh all others."""
    max_users: int = Field(10_000, ge=2)
    """Users drawn to fit encoder and clusters where there are more; all get a segment."""


def fit_segments(
    movies: Sequence[Movie],
    rows: RatingRows,
    clusters: npt.NDArray[np.int16],
    config: SegmentsConfig,
    seed: int,
) -> Segments:
    """Fit the segments of movies and users.

    Without any likes there are no segments of users, and the description says so.

    Args:
        movies: The movies, n.
        rows: The ratings of the users.
        clusters: The cluster of each movie, n; -1 where it has none.
        config: Numbers of segments, and segments to keep.
        seed: Of all draws and fits.
    """
    with threadpool_limits(1):  # more threads change sums, and with them the segments
        sums = rows.sums(len(movies))
        movie_fit = _fit_movies(movies, sums, config, seed)
        profiles = _profiles(movies, rows, clusters, movie_fit)
        user_fit = _fit_users(movies, rows, profiles, config, seed)
    about = {"movies": movie_fit.about, "users": user_fit.about}
    return Segments(movie_fit.steps, user_fit.steps, user_fit.codes, user_fit.segments, about)


class _MovieFit(NamedTuple):
    steps: MovieSegments
    segments: npt.NDArray[np.int16]
    about: dict[str, Any]


class _UserFit(NamedTuple):
    steps: UserSegments | None
    codes: Matrix
    segments: npt.NDArray[np.int16]
    about: dict[str, Any]


def _about(
    descriptions: list[dict[str, Any]], count: ClusterCount, **errors: float
) -> dict[str, Any]:
    return {"segments": descriptions, "choice": count.as_json(), **errors}


def _fit_movies(
    movies: Sequence[Movie], sums: Ints, config: SegmentsConfig, seed: int
) -> _MovieFit:
    mean = float(sums[:, 2].sum() / 2 / sums[:, 0].sum()) if sums[:, 0].sum() else _NO_MEAN
    names = catalogue_genres(movie.genres for movie in movies)
    rows = segment_rows(multi_hot([movie.genres for movie in movies], names), sums, mean)
    scaler = _scaler(rows, config.floor)
    scaled = scaler.transform(rows)
    count = _cluster_count(scaled, config.movies_k, config, seed)
    pinned = [scaled[kept].mean(axis=0) for kept in _kept_rows(movies, config.movies_kept)]
    count, kmeans = _fit_kmeans(scaled, count, pinned, seed)
    segments = kmeans.assign(scaled)
    members = np.eye(len(kmeans.centers))[segments].T
    sizes = np.bincount(segments, minlength=len(members)).tolist()
    descriptions = describe_segments(members, sizes, movies, members * (sums[:, 1] + _NO_LIKES))
    return _MovieFit(
        MovieSegments(mean, scaler, kmeans, names), segments, _about(descriptions, count)
    )


def _profiles(
    movies: Sequence[Movie],
    rows: RatingRows,
    clusters: npt.NDArray[np.int16],
    movie_fit: _MovieFit,
) -> ProfileBuilder:
    genres = multi_hot([movie.genres for movie in movies], movie_fit.steps.genres)
    members = np.eye(len(movie_fit.steps.kmeans.centers))[movie_fit.segments]
    kinds = np.concatenate([genres, members], axis=1).astype(np.float32)
    likes = np.bincount(rows.movies[rows.liked], minlength=len(movies)).astype(np.float64)
    prior = likes @ kinds / likes.sum() if likes.any() else kinds.mean(axis=0)
    clusters = np.maximum(clusters, 0)
    return ProfileBuilder(
        kinds, clusters, int(clusters.max(initial=0)) + 1, prior.astype(np.float32)
    )


def _fit_users(
    movies: Sequence[Movie],
    rows: RatingRows,
    builder: ProfileBuilder,
    config: SegmentsConfig,
    seed: int,
) -> _UserFit:
    profiles_or_none = [builder.profile(*rows.of_user(user)) for user in range(len(rows))]
    users = np.array([i for i, profile in enumerate(profiles_or_none) if profile is not None], int)
    segments = np.full(len(rows), -1, np.int16)
    if not len(users):
        codes = np.zeros((len(rows), config.width), np.float32)
        return _UserFit(None, codes, segments, _about([], ClusterCount(0, False, _NO_USERS)))
    profiles = np.stack([profile for profile in profiles_or_none if profile is not None])
    sample = _sample(profiles, config.max_users, seed)
    encoder, errors = _fit_encoder(sample, config, seed)
    sample_codes = encoder.encode(sample)
    count = _cluster_count(sample_codes, config.users_k, config, seed)
    kept = [_code_of(liked, builder, encoder) for liked in _kept_rows(movies, config.users_kept)]
    # No user likes all typical movies and no others: the users nearest to that are the center.
    n = max(1, len(sample_codes) // count.k)
    pinned = [mean_of_nearest(sample_codes, code, n) for code in kept]
    count, kmeans = _fit_kmeans(sample_codes, count, pinned, seed)
    encoded = encoder.encode(profiles)
    codes = np.zeros((len(rows), encoded.shape[1]), np.float32)
    codes[users], segments[users] = encoded, kmeans.assign(encoded)
    descriptions = _describe_users(movies, rows, segments, len(kmeans.centers))
    about = _about(descriptions, count, **errors)
    return _UserFit(UserSegments(builder, encoder, kmeans), codes, segments, about)


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
    return describe_segments(weights, sizes.tolist(), movies, weights)


def _fit_encoder(
    profiles: Matrix, config: SegmentsConfig, seed: int
) -> tuple[ProfileEncoder, dict[str, float]]:
    """Fit an autoencoder; return its encoder, and its error beside that of a PCA as wide."""
    scaler = _scaler(profiles, 1e-4)
    scaled = scaler.transform(profiles)
    network = MLPRegressor(
        hidden_layer_sizes=(config.width,),
        activation="tanh",
        alpha=1e-3,
        max_iter=config.epochs,
        learning_rate_init=5e-3,
        batch_size=min(128, len(scaled)),
        random_state=seed,
    )
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


def _cluster_count(
    rows: Matrix, wanted: int | None, config: SegmentsConfig, seed: int
) -> ClusterCount:
    if wanted is not None:
        distinct = len(np.unique(rows.round(6), axis=0))
        return ClusterCount(min(wanted, distinct), True, f"{wanted} were asked for")
    return choose_cluster_count(rows.astype(np.float64), seed, config.without_structure)


def _kept_rows(movies: Sequence[Movie], kept: Sequence[Sequence[int]]) -> list[Ints]:
    """Return the rows of the movies of each kept segment that has at least one known movie."""
    rows = {movie.movie_id: row for row, movie in enumerate(movies)}
    segments = [np.array([rows[i] for i in ids if i in rows], np.int64) for ids in kept]
    return [segment for segment in segments if len(segment)]


def _code_of(liked: Ints, builder: ProfileBuilder, encoder: ProfileEncoder) -> Vector:
    """Return the code, e, of a user who likes these movies, by row, and no others."""
    profile = builder.profile(liked, np.full(len(liked), POSITIVE, np.uint8))
    assert profile is not None
    code: Vector = encoder.encode(profile[None])[0]
    return code


def _fit_kmeans(
    rows: Matrix, count: ClusterCount, pinned: Sequence[Vector], seed: int
) -> tuple[ClusterCount, KMeans]:
    """Return the clusters, with the pinned centers among them, and the count that says so."""
    if not pinned:
        return count, _kmeans(rows, count.k, seed)
    reason = f"{count.reason}; {len(pinned)} of them kept"
    count = replace(count, k=max(count.k, len(pinned)), reason=reason)
    return count, KMeans(pinned_kmeans(rows, count.k, np.stack(pinned), seed))


def _kmeans(rows: Matrix, k: int, seed: int) -> KMeans:
    """Fit KMeans to n × d rows, at least k of which differ."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = SkKMeans(k, n_init=8, random_state=seed).fit(rows)
    return KMeans(np.ascontiguousarray(fitted.cluster_centers_, np.float32))
