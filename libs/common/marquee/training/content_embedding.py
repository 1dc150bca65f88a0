"""Fits the space of movie content: the directions in which the movies that people know differ."""

import numpy as np

from marquee.arrays import Mask, Matrix
from marquee.features.content_embedding import ContentEmbedding
from marquee.features.movie_vector import MovieVectors
from marquee.training.pipeline import fit_encoder


def fit_content_embedding(
    vectors: MovieVectors,
    matrix: Matrix,
    known: Mask,
    dimensions: int,
    seed: int,
) -> ContentEmbedding:
    """Return the space of n × d movie vectors, learned where `known` (n) holds, or from all.

    Movies that hardly anybody rated are left out where there are others: they are many, and the
    directions in which they differ say little of what people choose between.
    """
    chosen = matrix[known] if known.sum() > 1 else matrix
    if not len(chosen):
        chosen = np.zeros((1, vectors.d), np.float32)
    content = vectors.content
    scaler, encoder = fit_encoder(
        chosen[:, content],
        vectors.column_weights(1.0)[content],
        dimensions,
        seed,
        vectors.variance_floor(chosen)[content],
    )
    return ContentEmbedding(scaler, encoder)
