"""How many clusters data have: seven methods, a vote among them, and a gate against no structure.

Elbow (Satopää et al. 2011, Kneedle), silhouette (Rousseeuw 1987), Davies-Bouldin (1979),
Caliński-Harabasz (1974), gap statistic (Tibshirani et al. 2001), BIC of a Gaussian mixture with
diagonal covariances (Fraley & Raftery 1998), stability of subsamples (Ben-Hur et al. 2002).
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
"""Up to what an operator can keep in mind; genres alone would go on splitting."""
STABLE = 0.8
_SAMPLE = 1500
_REFERENCES, _PAIRS, _STARTS = 10, 6, 4
_CLEAR = 4
_NEAR = 0.01
"""Stabilities that differ by less are the same; the larger number says more."""


@dataclass(frozen=True)
class Choice:
    """The number chosen, why, each method's choice, and its curve over `ks` (None: not defined)."""

    k: int
    structure: bool
    reason: str
    ks: tuple[int, ...] = ()
    votes: Mapping[str, int] | None = None
    curves: Mapping[str, Curve] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it all."""
        return asdict(self)


def choose(rows: Reals, seed: int, otherwise: int, grid: Sequence[int] = GRID) -> Choice:
    """Return the number of clusters of n × d rows; `otherwise` where they have no structure.

    The number with most votes of the seven methods, among those whose stability is 0.8 or more;
    ties go to the better silhouette. There is no structure where the gap statistic says 1, or
    where no number that has a vote is stable.
    """
    distinct = len(np.unique(rows.round(6), axis=0)) if len(rows) else 0
    if distinct < 8:
        k = max(1, min(otherwise, distinct))
        return Choice(k, False, f"only {distinct} rows differ: too few to choose a number by")
    rng = np.random.default_rng(seed)
    sample = rows[rng.permutation(len(rows))[:_SAMPLE]]
    most = min(len(np.unique(sample.round(6), axis=0)) - 2, max(3, len(sample) // 10))
    ks = tuple(k for k in grid if k <= most)
    found, error = curves(sample, ks, seed)
    votes = {name: vote(ks, found, error) for name, vote in METHODS.items()}
    return _decide(ks, votes, found, min(otherwise, max(ks)))


def curves(rows: Reals, ks: Sequence[int], seed: int) -> tuple[dict[str, Curve], list[float]]:
    """Return each method's curve over `ks`, and the standard error of the gaps."""
    fits = {k: _kmeans(rows, k, seed) for k in ks}
    labels = {k: fit.labels_ for k, fit in fits.items()}
    gaps, error = _gaps(rows, ks, [float(fits[k].inertia_) for k in ks], seed)
    scores: Mapping[str, Callable[[int], float]] = {
        "silhouette": lambda k: silhouette_score(rows, labels[k]),
        "davies_bouldin": lambda k: davies_bouldin_score(rows, labels[k]),
        "calinski_harabasz": lambda k: calinski_harabasz_score(rows, labels[k]),
        "stability": lambda k: stability(rows, k, seed),
    }
    found: dict[str, Curve] = {
        name: [float(score(k)) if k > 1 else None for k in ks] for name, score in scores.items()
    }
    found["elbow"] = [float(fits[k].inertia_) for k in ks]
    found["gap"] = list(gaps)
    found["bic"] = [_bic(rows, k, seed) for k in ks]
    return found, error


def stability(rows: Reals, k: int, seed: int) -> float:
    """Return the mean adjusted Rand index of pairs of fits, each to 80 % of the rows."""
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


def _elbow(ks: Sequence[int], found: Mapping[str, Curve], _: Sequence[float]) -> int:
    """Return the point farthest below the chord of the curve of inertia."""
    y, x = np.array(found["elbow"], float), np.array(ks, float)
    height, width = max(np.ptp(y), 1e-12), max(np.ptp(x), 1e-12)
    return ks[int(np.argmax((y.max() - y) / height - (x - x[0]) / width))]


def _gap(ks: Sequence[int], found: Mapping[str, Curve], error: Sequence[float]) -> int:
    """Return the smallest number whose gap is within four standard errors of the widest.

    Dudoit & Fridlyand 2002: the first number that the next one does not surpass can be 1 for
    clusters that are all equally far apart, as no split in two is better than another. On uniform
    noise the widest of ten gaps surpasses the first by up to 2.3 errors, on blobs by 30 and more.
    """
    gaps = np.array(found["gap"], float)
    widest = int(np.argmax(gaps))
    return ks[int(np.argmax(gaps >= gaps[widest] - _CLEAR * error[widest]))]


def _best(name: str, sign: int) -> Callable[..., int]:
    def best(ks: Sequence[int], found: Mapping[str, Curve], _: Sequence[float]) -> int:
        return max(_defined(ks, found[name]), key=lambda pair: sign * pair[1])[0]

    return best


def _stablest(ks: Sequence[int], found: Mapping[str, Curve], _: Sequence[float]) -> int:
    pairs = _defined(ks, found["stability"])
    most = max(value for _, value in pairs)
    return max(k for k, value in pairs if value >= most - _NEAR)


METHODS: Mapping[str, Callable[[Sequence[int], Mapping[str, Curve], Sequence[float]], int]] = {
    "elbow": _elbow,
    "silhouette": _best("silhouette", 1),
    "davies_bouldin": _best("davies_bouldin", -1),
    "calinski_harabasz": _best("calinski_harabasz", 1),
    "gap": _gap,
    "bic": _best("bic", -1),
    "stability": _stablest,
}
"""Each method's choice by the curves and the standard error of the gaps."""


def _decide(
    ks: tuple[int, ...], votes: Mapping[str, int], found: Mapping[str, Curve], otherwise: int
) -> Choice:
    if votes["gap"] == 1:
        reason = "no structure: the gap statistic finds no more than one cluster"
        return Choice(otherwise, False, reason, ks, votes, found)
    stable = dict(_defined(ks, found["stability"]))
    counted = Counter(k for k in votes.values() if k > 1 and stable[k] >= STABLE)
    if not counted:
        reason = f"no structure: no number that a method chose has a stability of {STABLE}"
        return Choice(otherwise, False, reason, ks, votes, found)
    silhouette = dict(_defined(ks, found["silhouette"]))
    k, n = max(counted.items(), key=lambda pair: (pair[1], silhouette[pair[0]]))
    return Choice(
        k, True, f"{n} of {len(votes)} methods, stability {stable[k]:.2f}", ks, votes, found
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
