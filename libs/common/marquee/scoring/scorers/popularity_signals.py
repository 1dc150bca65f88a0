"""Popularity and cluster signals shared by several models."""

import numpy as np

from marquee.arrays import Floating, Integer, Ints, Reals, Vector
from marquee.features.popularity import Popularity
from marquee.features.shortlist import RowSelection
from marquee.scoring.cold_start import log_popularity


def base_popularity(sums: Ints) -> Reals:
    """Return log(1 + positive ratings) of n movies from their sums at the training, n × 3."""
    popularity: Reals = np.log1p(sums[:, 1])
    return popularity


def popularity_signal(
    selection: RowSelection, base: Reals, current: Popularity | None, prior: Vector, cold: Vector
) -> Vector:
    """Return the log popularity of the m selected rows.

    Args:
        selection: the rows.
        base: popularity at the training, of the table's first rows.
        current: present popularity of all rows, in place of `base` if there is any.
        prior: float32 m, expected log popularity.
        cold: float32 m, other than 0 at rows that had no ratings, where the prior counts too.
    """
    known: Floating = (
        selection.align(base) if current is None else current.popularity[selection.rows]
    )
    return log_popularity(known, prior, cold)


def cluster_shares(clusters: Integer, liked: Ints, selection: RowSelection, k: int) -> Vector:
    """Return for each of m selected rows the share of the liked movies that are in its cluster.

    Args:
        clusters: n, the cluster of every movie, below `k`.
        liked: rows of the liked movies.
        selection: the rows to score.
        k: number of clusters.
    """
    sizes = np.bincount(clusters[liked], minlength=k)
    shares: Vector = (sizes / max(1, len(liked))).astype(np.float32)[clusters[selection.rows]]
    return shares
