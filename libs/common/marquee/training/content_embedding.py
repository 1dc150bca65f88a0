"""Fit of the content embedding: principal components of the content of known movies."""

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
    """Return the embedding fitted to known movies, or to all where there are not two of them.

    Movies that hardly anybody rated are many, and the directions in which they differ tell little
    about what people choose between.

    Args:
        vectors: vectoriser of movies.
        matrix: float32 n × d, the movies' vectors.
        known: bool n, the movies to fit on.
        dimensions: of the codes, at most.
        seed: of the PCA.
    """
    rows = matrix[known] if known.sum() > 1 else matrix
    if not len(rows):
        rows = np.zeros((1, vectors.d), np.float32)
    content = vectors.content
    scaler, encoder = fit_encoder(
        rows[:, content],
        vectors.column_weights(1.0)[content],
        dimensions,
        seed,
        vectors.variance_floor(rows)[content],
    )
    return ContentEmbedding(scaler, encoder)
