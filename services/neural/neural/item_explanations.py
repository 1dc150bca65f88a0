"""Explanations by item weights: the liked movies that a recommended movie's score comes from."""

import numpy as np

from marquee.arrays import Ints, Matrix, unit
from marquee.features.movie_table import MovieTable
from marquee.scoring.explanations import contributions, strongest
from marquee.scoring.scorers.linear_autoencoder import LinearAutoencoder
from neural.movie_rows import NeuralRowLayout


def explain_items(
    weights: LinearAutoencoder,
    layout: NeuralRowLayout,
    liked: Ints,
    movies: MovieTable,
    rows: Ints,
) -> list[tuple[tuple[int, float], ...]]:
    """Return for each of r movies up to three (id of a liked movie, share): the explanation.

    By item weights; where a movie has none, by cosine of the autoencoder's outputs.
    """
    shares = item_explanations(weights, rows, liked, len(movies))
    unexplained = [i for i, sources in enumerate(shares) if not sources]
    if unexplained:
        outputs = layout.outputs(movies.vectors)
        codes, ones = unit(outputs[rows[unexplained]]), np.ones(len(liked), np.float32)
        similar = contributions(codes, unit(outputs[liked]), ones)
        for i, sources in zip(unexplained, similar, strict=True):
            shares[i] = sources
    ids = movies.movie_ids[liked].tolist()
    return [tuple((ids[i], share) for i, share in sources) for sources in shares]


def item_explanations(
    weights: LinearAutoencoder, rows: Ints, liked: Ints, n_rows: int
) -> list[tuple[tuple[int, float], ...]]:
    """Return for each of r movies up to three (index in `liked`, share), the largest share first.

    Args:
        weights: The item weights; those of the channel of liked movies count.
        rows: Table rows of the recommended movies, r.
        liked: Table rows of the movies that the user liked, l.
        n_rows: Rows of the table.

    Returns:
        Shares of the sum of the positive weights; they add up to 1 at most.
    """
    parts = _positive_weights(weights, rows, liked, n_rows)
    return strongest(parts, parts.sum(axis=1))


def _positive_weights(weights: LinearAutoencoder, rows: Ints, liked: Ints, n_rows: int) -> Matrix:
    """Return the weight of each liked movie on each recommended one, r × l; 0 where negative."""
    output = np.full(n_rows, -1)
    output[rows] = np.arange(len(rows))
    parts = np.zeros((len(rows), len(liked)), np.float32)
    inputs = weights.inputs[liked]
    has_weights = np.flatnonzero(inputs >= 0)
    # For each liked movie with weights, and each of the entries kept of it: the output, or -1.
    outputs = output[weights.columns[0, inputs[has_weights]]]
    source, entry = np.divmod(np.flatnonzero(outputs >= 0), max(1, outputs.shape[1]))
    columns = has_weights[source]
    parts[outputs[source, entry], columns] = weights.values[0, inputs[columns], entry]
    return np.maximum(parts, 0)
