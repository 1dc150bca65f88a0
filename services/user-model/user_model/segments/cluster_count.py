"""Choice of the number of clusters: a vote of seven methods, and a test for having none.

- Elbow: the farthest point below the chord of the inertia ("Finding a Kneedle in a Haystack",
  Satopää et al. 2011).
- Silhouette (Rousseeuw 1987), Davies-Bouldin index (1979), Caliński-Harabasz index (1974).
- Gap statistic (Tibshirani, Walther & Hastie 2001), with the wider margin of `_gap`.
- BIC (Schwarz 1978) of a Gaussian mixture with diagonal covariances (Fraley & Raftery 1998).
- Stability of fits to subsamples (Ben-Hur, Elisseeff & Guyon 2002).
"""

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import (
    adjusted_rand_score,
    calinski_harabasz_score,
    davies_bouldin_score,
    silhouette_score,
)
from sklearn.mixture import GaussianMixture

from marquee.arrays import Reals

Curve = list[float | None]

GRID = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 24, 32)
"""Numbers to try, up to what an operator can keep in mind; genres alone would go on splitting."""
MIN_STABILITY = 0.8
"""Mean adjusted Rand index from which on a number of clusters is stable."""
_MAX_ROWS = 1500
"""Rows that the methods are computed on."""
_MIN_DISTINCT = 8
_REFERENCES, _PAIRS, _STARTS = 10, 6, 4
_GAP_ERRORS = 4
"""Standard errors that a gap may lie below the widest; see `_gap`."""
_STABILITY_MARGIN = 0.01
"""Stabilities that differ by less are equal; the larger number of clusters tells more."""


@dataclass(frozen=True)
class ClusterCount:
    """The number of clusters chosen.

    Attributes:
        k: The number.
        structure: Whether the data have clusters.
        reason: In words, for operators.
        ks: The numbers tried.
        votes: Each method's choice.
        curves: Each method's values over `ks`; None where it is not defined.
    """

    k: int
    structure: bool
    reason: str
    ks: tuple[int, ...] = ()
    votes: Mapping[str, int] | None = None
    curves: Mapping[str, Curve] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return all fields."""
        return asdict(self)


def choose_cluster_count(
    rows: Reals, seed: int, default: int, grid: Sequence[int] = GRID
) -> ClusterCount:
    """Return the number of clusters with most votes of the seven methods, among the stable ones.

    Ties go to the better silhouette. There is no structure where the gap statistic chooses 1, or
    where no number that has a vote is stable.

    Args:
        rows: n × d.
        seed: Of all draws and fits.
        default: The number where the rows have no structure.
        grid: The numbers to try.
    """
    distinct = len(np.unique(rows.round(6), axis=0)) if len(rows) else 0
    if distinct < _MIN_DISTINCT:
        k = max(1, min(default, distinct))
        return ClusterCount(k, False, f"only {distinct} rows differ: too few to choose a number by")
    rng = np.random.default_rng(seed)
    sample = rows[rng.permutation(len(rows))[:_MAX_ROWS]]
    most = min(len(np.unique(sample.round(6), axis=0)) - 2, max(3, len(sample) // 10))
    ks = tuple(k for k in grid if k <= most)
    values, error = curves(sample, ks, seed)
    votes = {name: vote(ks, values, error) for name, vote in METHODS.items()}
    return _count_votes(ks, votes, values, min(default, max(ks)))


def curves(rows: Reals, ks: Sequence[int], seed: int) -> tuple[dict[str, Curve], list[float]]:
    """Return each method's curve over `ks`, and the standard errors of the gaps.

    Args:
        rows: n × d.
        ks: The numbers of clusters.
        seed: Of all draws and fits.
    """
    fits = {k: _kmeans(rows, k, seed) for k in ks}
    labels = {k: fit.labels_ for k, fit in fits.items()}
    gaps, error = _gaps(rows, ks, [float(fits[k].inertia_) for k in ks], seed)
    scores: Mapping[str, Callable[[int], float]] = {
        "silhouette": lambda k: silhouette_score(rows, labels[k]),
        "davies_bouldin": lambda k: davies_bouldin_score(rows, labels[k]),
        "calinski_harabasz": lambda k: calinski_harabasz_score(rows, labels[k]),
        "stability": lambda k: stability(rows, k, seed),
    }
    values: dict[str, Curve] = {
        name: [float(score(k)) if k > 1 else None for k in ks] for name, score in scores.items()
    }
    values["elbow"] = [float(fits[k].inertia_) for k in ks]
    values["gap"] = list(gaps)
    values["bic"] = [_bic(rows, k, seed) for k in ks]
    return values, error


def stability(rows: Reals, k: int, seed: int) -> float:
    """Return the mean adjusted Rand index (Hubert & Arabie 1985) of pairs of fits to subsamples.

    Each subsample is 80 % of the rows; both fits of a pair label all rows.
    """
    rng = np.random.default_rng(seed)
    size = max(k, round(0.8 * len(rows)))
    indexes = []
    for pair in range(_PAIRS):
        halves = [
            _kmeans(rows[rng.permutation(len(rows))[:size]], k, seed + 2 * pair + i)
            for i in range(2)
        ]
        indexes.append(adjusted_rand_score(*(half.predict(rows) for half in halves)))
    return float(np.mean(indexes))


def _elbow(ks: Sequence[int], values: Mapping[str, Curve], _: Sequence[float]) -> int:
    """Return the number whose inertia lies farthest below the chord of the curve."""
    y, x = np.array(values["elbow"], float), np.array(ks, float)
    height, width = max(np.ptp(y), 1e-12), max(np.ptp(x), 1e-12)
    return ks[int(np.argmax((y.max() - y) / height - (x - x[0]) / width))]


def _gap(ks: Sequence[int], values: Mapping[str, Curve], error: Sequence[float]) -> int:
    """Return the smallest number whose gap is within four standard errors of the widest.

    Dudoit & Fridlyand 2002: the first number that the next one does not surpass can be 1 for
    clusters that are all equally far apart, as no split in two is better than another. On uniform
    noise the widest of ten gaps surpasses the first by up to 2.3 errors, on blobs by 30 and more.
    """
    gaps = np.array(values["gap"], float)
    widest = int(np.argmax(gaps))
    return ks[int(np.argmax(gaps >= gaps[widest] - _GAP_ERRORS * error[widest]))]


def _extreme(name: str, sign: int) -> Callable[..., int]:
    """Return the method that chooses the largest value (`sign` 1) or the smallest (-1)."""

    def best(ks: Sequence[int], values: Mapping[str, Curve], _: Sequence[float]) -> int:
        return max(_defined(ks, values[name]), key=lambda pair: sign * pair[1])[0]

    return best


def _stablest(ks: Sequence[int], values: Mapping[str, Curve], _: Sequence[float]) -> int:
    pairs = _defined(ks, values["stability"])
    most = max(value for _, value in pairs)
    return max(k for k, value in pairs if value >= most - _STABILITY_MARGIN)


METHODS: Mapping[str, Callable[[Sequence[int], Mapping[str, Curve], Sequence[float]], int]] = {
    "elbow": _elbow,
    "silhouette": _extreme("silhouette", 1),
    "davies_bouldin": _extreme("davies_bouldin", -1),
    "calinski_harabasz": _extreme("calinski_harabasz", 1),
    "gap": _gap,
    "bic": _extreme("bic", -1),
    "stability": _stablest,
}
"""Each method's choice by the curves and the standard errors of the gaps."""


def _count_votes(
    ks: tuple[int, ...], votes: Mapping[str, int], values: Mapping[str, Curve], default: int
) -> ClusterCount:
    if votes["gap"] == 1:
        reason = "no structure: the gap statistic finds no more than one cluster"
        return ClusterCount(default, False, reason, ks, votes, values)
    stabilities = dict(_defined(ks, values["stability"]))
    counted = Counter(k for k in votes.values() if k > 1 and stabilities[k] >= MIN_STABILITY)
    if not counted:
        reason = f"no structure: no number that a method chose has a stability of {MIN_STABILITY}"
        return ClusterCount(default, False, reason, ks, votes, values)
    silhouette = dict(_defined(ks, values["silhouette"]))
    k, n = max(counted.items(), key=lambda pair: (pair[1], silhouette[pair[0]]))
    return ClusterCount(
        k, True, f"{n} of {len(votes)} methods, stability {stabilities[k]:.2f}", ks, votes, values
    )


def _defined(ks: Sequence[int], curve: Curve) -> list[tuple[int, float]]:
    return [(k, value) for k, value in zip(ks, curve, strict=True) if value is not None]


def _kmeans(rows: Reals, k: int, seed: int) -> KMeans:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different rows than clusters
        return KMeans(k, n_init=_STARTS, random_state=seed).fit(rows)


def _gaps(
    rows: Reals, ks: Sequence[int], inertias: Sequence[float], seed: int
) -> tuple[list[float], list[float]]:
    """Return the gaps to uniform rows in a box along the principal axes, and their errors."""
    rng = np.random.default_rng(seed)
    centred = rows - rows.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2]
    along = centred @ axes.T
    low, high = along.min(axis=0), along.max(axis=0)
    logs = np.array([
        [_log(KMeans(k, n_init=1, random_state=seed).fit(box).inertia_) for k in ks]
        for box in (rng.uniform(low, high, along.shape) for _ in range(_REFERENCES))
    ])  # fmt: skip
    gaps = logs.mean(axis=0) - [_log(inertia) for inertia in inertias]
    error = logs.std(axis=0) * np.sqrt(1 + 1 / _REFERENCES)
    return [float(gap) for gap in gaps], [float(e) for e in error]


def _log(inertia: float) -> float:
    return float(np.log(max(inertia, 1e-12)))


def _bic(rows: Reals, k: int, seed: int) -> float:
    spread = max(float(rows.var(axis=0).mean()), 1e-12)
    mixture = GaussianMixture(k, covariance_type="diag", reg_covar=1e-3 * spread, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return float(mixture.fit(rows).bic(rows))
