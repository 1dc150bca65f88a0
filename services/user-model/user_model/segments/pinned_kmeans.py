"""K-means in which some centers are pinned: those of the clusters that operators keep."""

import numpy as np

from marquee.arrays import Matrix, Vector
from marquee.features.pipeline import KMeans

_STARTS, _MAX_ITERATIONS = 8, 50


def pinned_kmeans(rows: Matrix, k: int, pinned: Matrix, seed: int) -> Matrix:
    """Return k × d centers of n × d rows, of which the first are `pinned` (c × d).

    These stay while the others move (Lloyd 1982, "Least Squares Quantization in PCM"), seeded as by
    greedy k-means++ (Arthur & Vassilvitskii 2007). The best of several starts is returned: fewer
    than k centers where all rows lie on centers already.
    """
    rng = np.random.default_rng(seed)
    rows, pinned = rows.astype(np.float64), pinned.astype(np.float64)
    runs = [_lloyd(rows, _seed_centers(rows, pinned, k, rng), len(pinned)) for _ in range(_STARTS)]
    best = min(runs, key=lambda centers: float(_squared_distances(rows, centers).min(axis=1).sum()))
    return np.ascontiguousarray(best, np.float32)


def mean_of_nearest(rows: Matrix, point: Vector, n: int) -> Vector:
    """Return the mean, d, of the n rows nearest to a point."""
    nearest = np.argsort(_squared_distances(rows, point[None])[:, 0], kind="stable")[:n]
    mean: Vector = rows[nearest].mean(axis=0)
    return mean


def _seed_centers(rows: Matrix, pinned: Matrix, k: int, rng: np.random.Generator) -> Matrix:
    """Return the pinned centers and rows drawn by squared distance to the nearest center.

    Of several candidates for a center the one that lowers the inertia most is taken.
    """
    centers, nearest = pinned, _squared_distances(rows, pinned).min(axis=1).astype(np.float64)
    n_candidates = 2 + int(np.log(k))
    for _ in range(k - len(pinned)):
        if nearest.sum() <= 0:
            break
        candidates = rows[rng.choice(len(rows), n_candidates, p=nearest / nearest.sum())]
        lowered = np.minimum(nearest[:, None], _squared_distances(rows, candidates))
        best = int(lowered.sum(axis=0).argmin())
        centers, nearest = np.concatenate([centers, candidates[best][None]]), lowered[:, best]
    return centers


def _lloyd(rows: Matrix, centers: Matrix, n_pinned: int) -> Matrix:
    """Move all centers but the first `n_pinned` to the means of their rows until none changes."""
    previous = None
    for _ in range(_MAX_ITERATIONS):
        labels = _squared_distances(rows, centers).argmin(axis=1)
        if previous is not None and np.array_equal(labels, previous):
            break
        previous, counts = labels, np.bincount(labels, minlength=len(centers))
        sums = np.stack([np.bincount(labels, column, len(centers)) for column in rows.T], axis=1)
        moves = counts > 0
        moves[:n_pinned] = False
        centers = centers.copy()
        centers[moves] = sums[moves] / counts[moves][:, None]
    return centers


def _squared_distances(rows: Matrix, centers: Matrix) -> Matrix:
    squares: Matrix = KMeans(centers).distances(rows)
    return squares
