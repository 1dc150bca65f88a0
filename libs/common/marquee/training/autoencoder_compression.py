"""Condenses a wide autoencoder: few numbers of a user move its logits, so serving needs no more.

With layers c of mean m and covariance S Sᵀ, logits are outputs · S · S⁻¹(c - m) + a constant; the
singular values of outputs · S, movies weighed by the root of their likes, say which directions tell.
"""

from dataclasses import replace

import numpy as np
from scipy import linalg

from marquee.arrays import Ints, Matrix
from marquee.scoring.autoencoder import Autoencoder, LowRankCode


def compress(network: Autoencoder, layers: Matrix, sums: Ints, width: int) -> Autoencoder:
    """Return the network with codes of at most `width` numbers.

    `layers` m × h: as they come in serving. `sums` i × 3: ratings, positive ones, half stars. A
    code's numbers are scaled by the root of how much they tell, so that near codes are near tastes.
    """
    h = len(network.bias)
    if width >= h or len(layers) < 2:
        return network
    mean = layers.mean(axis=0, dtype=np.float64)
    spread = np.cov(layers.T.astype(np.float64))
    spread[np.diag_indices(h)] += 1e-6 * (1 + np.trace(spread) / h)
    root = np.linalg.cholesky(spread)
    weighed = np.sqrt(sums[:, 1:2] + 1.0) * (network.outputs @ root)
    values, vectors = np.linalg.eigh(weighed.T @ weighed)
    chosen = vectors[:, ::-1][:, :width]
    scale = np.sqrt(np.sqrt(np.maximum(values[::-1][:width], 1e-12)))
    scale /= scale.max()
    rows = scale[:, None] * linalg.solve_triangular(root, chosen, lower=True, trans="T").T
    outputs = network.outputs @ root @ (chosen / scale)
    return replace(
        network,
        outputs=np.ascontiguousarray(outputs, np.float32),
        prior=(network.prior + network.outputs @ mean).astype(np.float32),
        low_rank=LowRankCode(rows.astype(np.float32), mean.astype(np.float32)),
    )
