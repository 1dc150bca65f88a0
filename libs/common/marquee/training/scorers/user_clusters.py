"""Fit of user clusters on autoencoder codes, and of the movies that each cluster likes."""

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans as SkKMeans
from threadpoolctl import threadpool_limits

from marquee.arrays import Matrix, Reals, unit
from marquee.features.interactions import RatingRows
from marquee.features.pipeline import KMeans
from marquee.scoring.scorers.autoencoder import Autoencoder
from marquee.training.scorers.autoencoder import encode

_SHRINKAGE = 30.0
"""Pseudo-users, at the share of all users, in a cluster's share of users who liked a movie."""

_MAX_USERS = 20_000
"""With more users, clusters are fitted to a sample."""


def fit_user_clusters(codes: Matrix, clusters: int | None, seed: int) -> KMeans:
    """Return k-means clusters of users' codes.

    Args:
        codes: float32 u × e, unit codes; a sample of them is clustered where there are many.
        clusters: how many; None: one for 75 users, 2 to 64. Never more than distinct codes.
        seed: of the sample and of k-means.
    """
    if not len(codes):
        return KMeans(np.zeros((1, codes.shape[1]), np.float32))
    wanted = clusters or min(max(round(len(codes) / 75), 2), 64)
    codes = _sample(codes, seed)
    k = min(wanted, len(np.unique(codes.round(5), axis=0)))
    with threadpool_limits(1):
        fitted = SkKMeans(k, n_init=4, random_state=seed).fit(codes)
    return KMeans(np.ascontiguousarray(fitted.cluster_centers_, np.float32))


def _sample(codes: Matrix, seed: int) -> Matrix:
    if len(codes) <= _MAX_USERS:
        return codes
    drawn = np.random.default_rng(seed).choice(len(codes), _MAX_USERS, replace=False)
    sampled: Matrix = codes[np.sort(drawn)]
    return sampled


def fit_rated_clusters(
    network: Autoencoder, rows: RatingRows, n_movies: int, clusters: int | None, seed: int
) -> tuple[KMeans, Matrix]:
    """Return clusters of the users' codes and their rates, float32 n_movies × k."""
    codes = unit(encode(network, rows))
    kmeans = fit_user_clusters(codes, clusters, seed)
    rates = cluster_rates(rows, kmeans.assign(codes), len(kmeans.centers), n_movies)
    return kmeans, rates.astype(np.float32)


def cluster_rates(
    rows: RatingRows, clusters: npt.NDArray[np.int16], k: int, n_movies: int
) -> Reals:
    """Return the shrunk share of each cluster's users who liked each movie, n_movies × k."""
    liked = rows.liked
    cells = rows.movies[liked] * k + clusters[rows.owners[liked]]
    likes = np.bincount(cells, minlength=n_movies * k).reshape(n_movies, k)
    shares = (likes.sum(axis=1, keepdims=True) + 0.1) / (len(rows) + 1)
    sizes = np.bincount(clusters, minlength=k)
    rates: Reals = (likes + _SHRINKAGE * shares) / (sizes + _SHRINKAGE)
    return rates
