"""Fit of scaler → PCA → k-means with scikit-learn, as a pipeline that is applied in numpy."""

from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans as SkKMeans
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from marquee.arrays import Floating, Matrix
from marquee.features.pipeline import Encoder, KMeans, Pipeline, Scaler


@dataclass(frozen=True)
class SklearnSteps:
    """The fitted objects of scikit-learn, to compare the pipeline with."""

    scaler: StandardScaler
    reduction: PCA | None
    kmeans: SkKMeans | None


def fit_pipeline(
    rows: Matrix,
    weights: Floating,
    dimensions: int,
    clusters: int,
    seed: int,
    floor: Floating | float = 0.0,
) -> tuple[Pipeline, SklearnSteps]:
    """Return a pipeline fitted to rows, with as many dimensions and clusters as they allow.

    Args:
        rows: float32 n × d.
        weights: d, factors of the standardised columns.
        dimensions: of the codes, at most.
        clusters: at most.
        seed: of PCA and k-means.
        floor: variance, a number or d, that is added to each column's own before scaling.
    """
    scaler, reduction, scaled = _fit_steps(rows, weights, dimensions, seed, floor)
    encoder = _encoder(reduction, rows.shape[1])
    codes = encoder.transform(scaled)
    kmeans = _fit_kmeans(codes, clusters, seed)
    centers = codes[:1] if kmeans is None else kmeans.cluster_centers_
    return (
        Pipeline(
            _scaler(scaler),
            encoder,
            KMeans(np.ascontiguousarray(centers, np.float32)),
        ),
        SklearnSteps(scaler, reduction, kmeans),
    )


def fit_encoder(
    rows: Matrix,
    weights: Floating,
    dimensions: int,
    seed: int,
    floor: Floating | float = 0.0,
) -> tuple[Scaler, Encoder]:
    """Return the first two steps of the pipeline of n × d rows; see `fit_pipeline`."""
    scaler, reduction, _ = _fit_steps(rows, weights, dimensions, seed, floor)
    return _scaler(scaler), _encoder(reduction, rows.shape[1])


def _fit_steps(
    rows: Matrix,
    weights: Floating,
    dimensions: int,
    seed: int,
    floor: Floating | float,
) -> tuple[StandardScaler, PCA | None, Matrix]:
    scaler = _fit_scaler(rows, weights, floor)
    scaled = np.ascontiguousarray(scaler.transform(rows), np.float32)
    return scaler, _fit_reduction(scaled, dimensions, seed), scaled


def _scaler(fitted: StandardScaler) -> Scaler:
    return Scaler(fitted.mean_.astype(np.float32), fitted.scale_.astype(np.float32))


def _fit_scaler(rows: Matrix, weights: Floating, floor: Floating | float) -> StandardScaler:
    scaler = StandardScaler().fit(rows.astype(np.float64))
    deviation = np.sqrt(scaler.var_ + floor)
    deviation[deviation < 1e-9] = 1.0
    # A weight of 0 drops a column; the limit keeps the scale finite.
    scaler.scale_ = deviation / np.maximum(weights, 1e-6)
    return scaler


def _fit_reduction(scaled: Matrix, dimensions: int, seed: int) -> PCA | None:
    """Return the PCA, or None where all rows are equal."""
    limit = min(dimensions, *scaled.shape)
    if limit < 1 or float(scaled.var(axis=0).sum()) < 1e-12:
        return None
    solver = "randomized" if limit < 0.8 * min(scaled.shape) else "full"
    return PCA(limit, svd_solver=solver, random_state=seed).fit(scaled)


def _encoder(reduction: PCA | None, d: int) -> Encoder:
    if reduction is None:
        return Encoder(np.zeros(d, np.float32), np.zeros((1, d), np.float32))
    return Encoder(
        reduction.mean_.astype(np.float32),
        np.ascontiguousarray(reduction.components_, np.float32),
    )


def _fit_kmeans(codes: Matrix, clusters: int, seed: int) -> SkKMeans | None:
    """Return the k-means of at most as many clusters as distinct codes; None for fewer than two."""
    largest = float(np.abs(codes).max()) or 1.0
    limit = min(clusters, len(np.unique((codes / largest).round(4), axis=0)))
    if limit < 2:
        return None
    return SkKMeans(limit, n_init=1, random_state=seed).fit(codes)
