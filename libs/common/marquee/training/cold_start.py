"""Fit of cold-start predictions: the rating-based columns of a movie, from its content."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from marquee.arrays import Ints, Mask, Matrix, Vector
from marquee.features.interactions import FoldIn, RatingRows, draw_fold_ins, split_users
from marquee.scoring.cold_start import ColdStartModel, with_pairs
from marquee.scoring.ridge import Ridge, fit_ridge
from marquee.scoring.scorers.linear_autoencoder import LinearAutoencoder
from marquee.scoring.scorers.preference import PreferenceScorers

_USERS = 100
"""Users, one fold-in each, that slopes are fitted on."""


def fit_predictions(
    content: Matrix, n_genres: int, positive: Ints, learned: Matrix, known: Mask, penalty: float
) -> Ridge:
    """Return the ridge content → (log popularity, learned columns).

    Learned columns weigh by the root of popularity, since those of little known movies are mostly
    noise; popularity itself is fitted on all known movies alike.

    Args:
        content: float32 n × d content rows; pairs of genres are added to them.
        n_genres: number of genres, the first columns.
        positive: int64 n, positive ratings.
        learned: float32 n × l, what users taught of each movie; l may be 0.
        known: bool n, the movies to fit on.
        penalty: ridge penalty.
    """
    content = with_pairs(content, n_genres)
    log_positive = np.log1p(positive)[:, None].astype(np.float32)
    prior = fit_ridge(content, log_positive, penalty, known.astype(np.float64))
    predicted = fit_ridge(content, learned, penalty, np.sqrt(positive) * known)
    return Ridge(
        np.hstack([prior.weights, predicted.weights]), np.concatenate([prior.bias, predicted.bias])
    )


def intercept_rate(linear: LinearAutoencoder, positive: Ints) -> float:
    """Return the model's intercept per positive rating (least squares)."""
    counts = positive.astype(np.float64)
    squares = float(counts @ counts)
    return float(linear.intercept @ counts) / squares if squares > 0 else 0.0


def fit_slopes(
    cold_start: ColdStartModel, scorers: PreferenceScorers, rows: RatingRows, seed: int, n: int = 3
) -> ColdStartModel:
    """Return the model with `rate` and `slope` fitted on fold-ins of n ratings.

    They tell how scores of the linear autoencoder follow popularity and the scores of ALS.
    """
    users, _ = split_users(len(rows), 0.0, seed)
    fold_ins = draw_fold_ins(rows, users[:_USERS], (n,), 1, seed)
    items = scorers.factors.items

    def als(fold_in: FoldIn) -> Vector:
        factor = scorers.factors.fold_in(items[fold_in.inputs], fold_in.half_stars)
        scores: Vector = items @ factor
        return scores

    linear, positive = scorers.short_history, rows.sums(len(items))[:, 1]
    rate, slope = intercept_rate(linear, positive), deviation_slope(linear, fold_ins, als)
    return replace(cold_start, rate=rate, slope=slope)


def deviation_slope(
    linear: LinearAutoencoder, fold_ins: Sequence[FoldIn], related: Callable[[FoldIn], Vector]
) -> float:
    """Return the model's deviation per unit of a related signal (least squares)."""
    head = np.flatnonzero(linear.inputs >= 0)
    products = squares = 0.0
    for fold_in in fold_ins:
        signal = related(fold_in)
        centred = signal[head] - signal[head].mean()
        deviation = linear.deviation(fold_in.inputs, fold_in.half_stars, len(signal))[head]
        products += float(centred @ deviation)
        squares += float(centred @ centred)
    return products / squares if squares > 0 else 0.0
