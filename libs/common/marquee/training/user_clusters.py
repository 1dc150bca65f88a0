"""Fit of user clusters on autoencoder codes, and of the movies that each cluster likes."""

import numpy as np
import numpy.typing as npt

from marquee.arrays import Matrix, Reals, unit
from marquee.features.interactions import RatingRows
from marquee.features.pipeline import KMeans
from marquee.scoring.autoencoder import Autoencoder
from marquee.training.autoencoder import encode, fit_user_clusters

_SHRINKAGE = 30.0
"""Pseudo-users, at the share of all users, in a cluster's share of users who liked a movie."""


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
