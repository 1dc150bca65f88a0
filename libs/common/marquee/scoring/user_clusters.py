"""What the clusters of users near to one say: how likely somebody like him likes each movie."""

import numpy as np

from marquee.arrays import Matrix, unit
from marquee.features.pipeline import KMeans
from marquee.scoring.preference import log_share

SOFTNESS = 0.05
"""Squared distance at which a cluster counts e times less than the nearest one could."""

SMOOTHING = 0.01
"""Share of users below which a movie's share among them says little."""


def liked_by_clusters(kmeans: KMeans, code: Matrix, rates: Matrix) -> Matrix:
    """Return the logs, n, of how likely each movie is liked in the clusters near to a code (e).

    `rates` n × k: the share of each cluster's users who liked each movie.
    """
    distances = kmeans.distances(unit(code[None]))[0]
    shares = np.exp((distances.min() - distances) / SOFTNESS)
    return log_share(rates @ (shares / shares.sum()), SMOOTHING)
