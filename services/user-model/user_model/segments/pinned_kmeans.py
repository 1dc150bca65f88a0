"""KMeans of which some clusters are held where they are: those that an operator keeps."""

import numpy as np
import numpy.typing as npt

from marquee.arrays import Matrix
from marquee.features.pipeline import KMeans

_STARTS, _ROUNDS = 8, 50

Labels = npt.NDArray[np.int16]


def kept_clusters(rows: Matrix, k: int, kept: Matrix, seed: int) -> Matrix:
    """Return k × d centers of n × d rows, of which the first are `kept` (c × d).

    These stay while the others move (Lloyd 1982), begun as by k-means++ (Arthur & Vassilvitskii
    2007); the best of some starts.
    """
    rng = np.random.default_rng(seed)
    rows, kept = rows.astype(np.float64), kept.astype(np.float64)
    found = [_lloyd(rows, _begin(rows, kept, k, rng), len(kept)) for _ in range(_STARTS)]
    best = min(found, key=lambda centers: float(_squares(rows, centers).min(axis=1).sum()))
    return np.ascontiguousarray(best, np.float32)


def around(rows: Matrix, place: Matrix, n: int) -> Matrix:
    """Return the mean of the n rows nearest to a place, d."""
    nearest = np.argsort(_squares(rows, place[None])[:, 0], kind="stable")[:n]
    mean: Matrix = rows[nearest].mean(axis=0)
    return mean


def _begin(rows: Matrix, kept: Matrix, k: int, rng: np.random.Generator) -> Matrix:
    """Return the kept centers and rows far from all others, each the best of a few drawn."""
    centers, least = kept, _squares(rows, kept).min(axis=1).astype(np.float64)
    drawn = 2 + int(np.log(k))
    for _ in range(k - len(kept)):
        if least.sum() <= 0:
            break
        some = rows[rng.choice(len(rows), drawn, p=least / least.sum())]
        lower = np.minimum(least[:, None], _squares(rows, some))
        best = int(lower.sum(axis=0).argmin())
        centers, least = np.concatenate([centers, some[best][None]]), lower[:, best]
    return centers


def _lloyd(rows: Matrix, centers: Matrix, held: int) -> Matrix:
    """Move all centers but the first `held` to the means of their rows until they stay."""
    before = None
    for _ in range(_ROUNDS):
        labels = _squares(rows, centers).argmin(axis=1)
        if before is not None and np.array_equal(labels, before):
            break
        before, counts = labels, np.bincount(labels, minlength=len(centers))
        sums = np.stack([np.bincount(labels, column, len(centers)) for column in rows.T], axis=1)
        moving = counts > 0
        moving[:held] = False
        centers = centers.copy()
        centers[moving] = sums[moving] / counts[moving][:, None]
    return centers


def _squares(rows: Matrix, centers: Matrix) -> Matrix:
    squares: Matrix = KMeans(centers).distances(rows)
    return squares
