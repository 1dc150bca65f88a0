"""Compression of a wide autoencoder to the few directions of its layer that move the logits.

With layers c of mean m and covariance S Sᵀ, logits are outputs · S · S⁻¹(c - m) + a constant. The
largest singular values of outputs · S, movies weighted by the root of their likes, give the
directions to keep: a whitened truncated SVD.
"""

from dataclasses import replace

import numpy as np
from scipy import linalg

from marquee.arrays import Ints, Matrix
from marquee.scoring.scorers.autoencoder import Autoencoder, LowRankCode


def compress(network: Autoencoder, layers: Matrix, sums: Ints, width: int) -> Autoencoder:
    """Return the network with codes of at most `width` dimensions.

    Dimensions are scaled by the root of their singular values, so that near codes mean near logits.

    Args:
        network: without a low-rank code.
        layers: float32 m × h, hidden layers as they occur in serving.
        sums: int64 i × 3: ratings, positive ratings, half stars of each movie.
        width: of the codes; from h on the network is returned as it is.
    """
    h = len(network.bias)
    if width >= h or len(layers) < 2:
        return network
    mean = layers.mean(axis=0, dtype=np.float64)
    spread = np.cov(layers.T.astype(np.float64))
    spread[np.diag_indices(h)] += 1e-6 * (1 + np.trace(spread) / h)
    root = np.linalg.cholesky(spread)
    weighted = np.sqrt(sums[:, 1:2] + 1.0) * (network.outputs @ root)
    values, vectors = np.linalg.eigh(weighted.T @ weighted)
    directions = vectors[:, ::-1][:, :width]
    scale = np.sqrt(np.sqrt(np.maximum(values[::-1][:width], 1e-12)))
    scale /= scale.max()
    rows = scale[:, None] * linalg.solve_triangular(root, directions, lower=True, trans="T").T
    outputs = network.outputs @ root @ (directions / scale)
    return replace(
        network,
        outputs=np.ascontiguousarray(outputs, np.float32),
        prior=(network.prior + network.outputs @ mean).astype(np.float32),
        low_rank=LowRankCode(rows.astype(np.float32), mean.astype(np.float32)),
    )
