"""What the confidence is fitted on: ratings that neither trained the network nor chose an epoch."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from marquee.arrays import Ints, Matrix, Reals
from marquee.features.interactions import RatingRows
from neural.confidence import Confidence, fit_confidence
from neural.rating_predictor import NetworkMovieVectors
from neural.training.epochs import MAX_JUDGED, Trained
from neural.training.holdout import Unseen
from neural.training.rating_split import only

SHOWN = (1, 3, 5, 10, 20)
"""Sizes to which an unseen user's row is cut, beside half of it."""

_Ratings = tuple[Ints, npt.NDArray[np.uint8]]
"""Movies (rows) and half stars."""

_MAX_TARGETS = 100
"""Ratings asked of one user: a long history does not outweigh the others."""


def calibrate(
    rows: RatingRows, unseen: Unseen, trained: Trained, cold: Matrix, seed: int
) -> Confidence:
    """Return the confidence that the `unseen` of `rows` teach; `cold`: all movies as new, i × d.

    Known users are asked about movies they know and about new ones, unseen users about movies
    that the network knows, from few ratings and from more.
    """
    rng = np.random.default_rng([seed, 2])
    found = [
        *_known_users(rows, unseen, trained, cold, rng),
        *_unseen_users(rows, unseen, trained, rng),
    ]
    if not found:
        return Confidence()
    return fit_confidence(*np.concatenate(found, axis=1))


def _known_users(
    rows: RatingRows, unseen: Unseen, trained: Trained, cold: Matrix, rng: np.random.Generator
) -> Iterator[Reals]:
    zeros = np.zeros(len(cold), np.float32)
    new_movies = NetworkMovieVectors(cold, zeros, zeros, zeros)
    away = unseen.ratings(rows)
    stranger, new = np.isin(rows.owners, unseen.users), np.isin(rows.movies, unseen.movies)
    given = only(rows, ~away)
    for table, asked in ((trained.movies, unseen.asked & ~new), (new_movies, new)):
        targets = only(rows, asked & ~stranger)
        for user in np.flatnonzero(targets.sizes)[:MAX_JUDGED].tolist():
            if given.sizes[user]:
                some = rng.permutation(int(targets.sizes[user]))[:_MAX_TARGETS]
                movies, half_stars = targets.of_user(user)
                yield _errors(trained, table, given.of_user(user), (movies[some], half_stars[some]))


def _unseen_users(
    rows: RatingRows, unseen: Unseen, trained: Trained, rng: np.random.Generator
) -> Iterator[Reals]:
    known = only(rows, ~np.isin(rows.movies, unseen.movies))
    for user in unseen.users.tolist():
        movies, half_stars = known.of_user(user)
        order, half = rng.permutation(len(movies)), len(movies) // 2
        asked = order[half:][:_MAX_TARGETS]
        for n in sorted({*(n for n in SHOWN if n < half), half} - {0}):
            shown = order[:n]
            given, targets = (movies[shown], half_stars[shown]), (movies[asked], half_stars[asked])
            yield _errors(trained, trained.movies, given, targets)


def _errors(
    trained: Trained, table: NetworkMovieVectors, given: _Ratings, asked: _Ratings
) -> Reals:
    """Return log counts of user and movie, the spread, and errors in stars, 4 × ratings asked."""
    movies, half_stars = given
    stars, biases = (half_stars / 2).astype(np.float32), trained.statistics.biases[movies]
    user = trained.predictor.user(movies, stars, biases)
    some = table.of(asked[0])
    predicted = np.clip(trained.predictor.predict(user, some), 0.5, 5)
    ones = np.ones(len(predicted))
    errors = predicted - asked[1] / 2
    return np.stack([user.log_count * ones, some.log_counts, user.spread * ones, errors])
