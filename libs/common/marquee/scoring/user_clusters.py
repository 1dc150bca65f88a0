"""What the clusters of viewers near to one say: how likely somebody like him likes each film."""

import numpy as np

from marquee.arrays import unit
from marquee.features.pipeline import KMeans, Matrix
from marquee.scoring.preference import log_share

SOFTNESS = 0.05
"""Squared distance at which a cluster counts e times less than the nearest one could."""

SMOOTHING = 0.01
"""Share of viewers below which a film's share among them says little."""


def liked_by_clusters(kmeans: KMeans, code: Matrix, rates: Matrix) -> Matrix:
    """Return the logs, n, of how likely each film is liked in the clusters near to a code (e).

    `rates` n × k: the share of each cluster's viewers who liked each film.
    """
    distances = kmeans.distances(unit(code[None]))[0]
    shares = np.exp((distances.min() - distances) / SOFTNESS)
    return log_share(rates @ (shares / shares.sum()), SMOOTHING)
