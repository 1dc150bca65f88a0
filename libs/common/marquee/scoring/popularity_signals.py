"""Signals that several routes share: how liked movies are, and how many of those liked are alike."""

import numpy as np

from marquee.arrays import Floating, Integer, Ints, Matrix, Reals
from marquee.features.popularity import Popularity
from marquee.features.shortlist import RowSelection
from marquee.scoring.cold_start import log_popularity


def base_popularity(sums: Ints) -> Reals:
    """Return log(1 + positive ratings) of n movies from their sums at the training, n × 3."""
    popularity: Reals = np.log1p(sums[:, 1])
    return popularity


def popularity_signal(
    chosen: RowSelection,
    base: Reals,
    now: Popularity | None,
    prior: Matrix,
    cold: Matrix,
) -> Matrix:
    """Return the log popularity of the rows chosen, m: what is known now, else that of `base`, the
    movies of the training. Where nobody has rated (`cold` 1, not 0), the prior counts too."""
    known: Floating = chosen.first(base) if now is None else now.popularity[chosen.rows]
    return log_popularity(known, prior, cold)


def cluster_shares(clusters: Integer, liked: Ints, chosen: RowSelection, k: int) -> Matrix:
    """Return for each row chosen the share of the liked movies that are in its cluster, m.

    `clusters` n: the cluster, below `k`, of every movie; `liked`: rows of movies.
    """
    sizes = np.bincount(clusters[liked], minlength=k)
    shares: Matrix = (sizes / max(1, len(liked))).astype(np.float32)[clusters[chosen.rows]]
    return shares
