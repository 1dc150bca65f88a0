"""Calibration of the confidence on ratings that neither trained the network nor chose an epoch."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from marquee.arrays import Floating, Ints, Matrix
from marquee.features.interactions import RatingRows
from neural.confidence import Confidence, fit_confidence
from neural.rating_predictor import NetworkMovieVectors
from neural.training.epochs import MAX_EVALUATED_USERS, TrainedNetwork
from neural.training.holdout import CalibrationHoldout
from neural.training.rating_split import select_ratings

FOLD_IN_SIZES = (1, 3, 5, 10, 20)
"""Ratings that the network is given of a held-out user, beside half of theirs."""

_Ratings = tuple[Ints, npt.NDArray[np.uint8]]
"""Movies (rows) and half stars of one user."""

_MAX_TARGETS = 100
"""Ratings predicted of one user: a long history does not outweigh the others."""


def calibrate(
    rows: RatingRows, holdout: CalibrationHoldout, trained: TrainedNetwork, cold: Matrix, seed: int
) -> Confidence:
    """Return the confidence fitted on the held-out ratings.

    Known users are predicted on known movies and on new ones, held-out users on known movies, from
    few of their ratings and from more.

    Args:
        rows: All ratings.
        holdout: Those held out of the training.
        trained: The network.
        cold: Vectors of all movies, i × d, as if nobody had rated them.
        seed: Of the draw of targets.
    """
    rng = np.random.default_rng([seed, 2])
    samples = [
        *_of_known_users(rows, holdout, trained, cold, rng),
        *_of_new_users(rows, holdout, trained, rng),
    ]
    if not samples:
        return Confidence()
    return fit_confidence(*np.concatenate(samples, axis=1))


def _of_known_users(
    rows: RatingRows,
    holdout: CalibrationHoldout,
    trained: TrainedNetwork,
    cold: Matrix,
    rng: np.random.Generator,
) -> Iterator[Floating]:
    """Yield the samples of users who were trained on: known movies first, then new ones."""
    zeros = np.zeros(len(cold), np.float32)
    new_movies = NetworkMovieVectors(cold, zeros, zeros, zeros)
    of_new_user = np.isin(rows.owners, holdout.users)
    of_new_movie = np.isin(rows.movies, holdout.movies)
    shown = select_ratings(rows, ~holdout.mask(rows))
    tables = ((trained.movies, holdout.single & ~of_new_movie), (new_movies, of_new_movie))
    for table, held_out in tables:
        targets = select_ratings(rows, held_out & ~of_new_user)
        for user in np.flatnonzero(targets.sizes)[:MAX_EVALUATED_USERS].tolist():
            if shown.sizes[user]:
                drawn = rng.permutation(int(targets.sizes[user]))[:_MAX_TARGETS]
                movies, half_stars = targets.of_user(user)
                user_targets = movies[drawn], half_stars[drawn]
                yield _samples(trained, table, shown.of_user(user), user_targets)


def _of_new_users(
    rows: RatingRows,
    holdout: CalibrationHoldout,
    trained: TrainedNetwork,
    rng: np.random.Generator,
) -> Iterator[Floating]:
    """Yield the samples of users who were not trained on, each from several numbers of ratings."""
    known = select_ratings(rows, ~np.isin(rows.movies, holdout.movies))
    for user in holdout.users.tolist():
        movies, half_stars = known.of_user(user)
        order, half = rng.permutation(len(movies)), len(movies) // 2
        target = order[half:][:_MAX_TARGETS]
        for n in sorted({*(n for n in FOLD_IN_SIZES if n < half), half} - {0}):
            inputs = order[:n]
            yield _samples(
                trained,
                trained.movies,
                (movies[inputs], half_stars[inputs]),
                (movies[target], half_stars[target]),
            )


def _samples(
    trained: TrainedNetwork, table: NetworkMovieVectors, given: _Ratings, targets: _Ratings
) -> Floating:
    """Return log counts of user and movie, the spread, and errors in stars, 4 × t targets."""
    movies, half_stars = given
    stars, biases = (half_stars / 2).astype(np.float32), trained.statistics.biases[movies]
    user = trained.predictor.user(movies, stars, biases)
    target_movies = table.of(targets[0])
    predicted = trained.predictor.bounded(trained.predictor.predict(user, target_movies))
    ones = np.ones(len(predicted))
    errors = predicted - targets[1] / 2
    return np.stack([user.log_count * ones, target_movies.log_counts, user.spread * ones, errors])
