"""Learns what stands in for evidence where nobody has rated a movie."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from marquee.arrays import Ints, Mask, Matrix
from marquee.features.interactions import FoldIn, RatingRows, draw_fold_ins, split_users
from marquee.scoring.cold_start import NewMovies, with_pairs
from marquee.scoring.linear_autoencoder import LinearAutoencoder
from marquee.scoring.preference import PreferenceScorers
from marquee.scoring.ridge import Ridge, fit_ridge


def fit_predictions(
    content: Matrix,
    positive: Ints,
    factors: Matrix,
    known: Mask,
    penalty: float,
) -> Ridge:
    """Return content → (log popularity, f factors), learned where `known` (n) holds, from n × d
    content rows and their pairs of genres (`with_pairs`).

    Factors weigh by the root of popularity, since those of little known movies are mostly noise;
    popularity itself is learned from all known movies alike. `factors` is n × f, f may be 0.
    """
    content = with_pairs(content)
    log_positive = np.log1p(positive)[:, None].astype(np.float32)
    prior = fit_ridge(content, log_positive, penalty, known.astype(np.float64))
    predicted = fit_ridge(content, factors, penalty, np.sqrt(positive) * known)
    return Ridge(
        np.hstack([prior.weights, predicted.weights]), np.concatenate([prior.bias, predicted.bias])
    )


def intercept_rate(few_ratings: LinearAutoencoder, positive: Ints) -> float:
    """Return the intercept of the model of few ratings per positive rating (least squares)."""
    counts = positive.astype(np.float64)
    squares = float(counts @ counts)
    return float(few_ratings.intercept @ counts) / squares if squares > 0 else 0.0


def fit_slopes(
    new_movies: NewMovies, taste: PreferenceScorers, rows: RatingRows, seed: int, n: int = 3
) -> NewMovies:
    """Return the predictions with how the scores of few ratings follow popularity and ALS."""
    some, _ = split_users(len(rows), 0.0, seed)
    cases = draw_fold_ins(rows, some[:100], (n,), 1, seed)
    items = taste.factors.items

    def als(case: FoldIn) -> Matrix:
        scores: Matrix = items @ taste.factors.fold_in(items[case.movies], case.half_stars)
        return scores

    few, positive = taste.few_ratings, rows.sums(len(items))[:, 1]
    return replace(
        new_movies, rate=intercept_rate(few, positive), slope=deviation_slope(few, cases, als)
    )


def deviation_slope(
    few_ratings: LinearAutoencoder, cases: Sequence[FoldIn], related: Callable[[FoldIn], Matrix]
) -> float:
    """Return the deviation of few ratings per unit of a related signal (least squares)."""
    head = np.flatnonzero(few_ratings.inputs >= 0)
    products = squares = 0.0
    for case in cases:
        signal = related(case)
        unit = signal[head] - signal[head].mean()
        deviation = few_ratings.deviation(case.movies, case.half_stars, len(signal))[head]
        products += float(unit @ deviation)
        squares += float(unit @ unit)
    return products / squares if squares > 0 else 0.0
