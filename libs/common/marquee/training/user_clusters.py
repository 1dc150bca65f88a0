"""Clusters of the training's viewers, and what the viewers of each liked."""

import numpy as np
import numpy.typing as npt

from marquee.arrays import unit
from marquee.features.interactions import RatingRows
from marquee.features.pipeline import KMeans, Matrix
from marquee.scoring.autoencoder import Autoencoder
from marquee.training.autoencoder import encode, fit_viewer_clusters

_SHRINKAGE = 30.0
"""Viewers that the share of all weighs in a cluster's share of viewers who liked a film."""


def fit_rated_clusters(
    network: Autoencoder, rows: RatingRows, n_films: int, clusters: int | None, seed: int
) -> tuple[KMeans, Matrix]:
    """Return the clusters of the viewers' codes, and their rates of n_films films, n_films × k."""
    codes = unit(encode(network, rows))
    kmeans = fit_viewer_clusters(codes, clusters, seed)
    rates = cluster_rates(rows, kmeans.assign(codes), len(kmeans.centers), n_films)
    return kmeans, rates.astype(np.float32)


def cluster_rates(
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
