"""User-cluster signal: how much the clusters near a user's code like each movie."""

import numpy as np

from marquee.arrays import Matrix, Vector, unit
from marquee.features.pipeline import KMeans
from marquee.scoring.scorers.preference import log_share

TEMPERATURE = 0.05
"""Squared distance, beyond that of the nearest cluster, at which a cluster weighs 1/e."""

SMOOTHING = 0.01
"""Share of users below which a movie's share among them tells little."""


def cluster_preference(kmeans: KMeans, code: Vector, rates: Matrix) -> Vector:
    """Return the log of each movie's expected share of likes in the clusters near a user, n.

    Args:
        kmeans: k clusters of users' unit codes.
        code: float32 e, the user's code.
        rates: float32 n × k, the share of each cluster's users who liked each movie.
    """
    distances = kmeans.distances(unit(code[None]))[0]
    shares = np.exp((distances.min() - distances) / TEMPERATURE)
    return log_share(rates @ (shares / shares.sum()), SMOOTHING)
