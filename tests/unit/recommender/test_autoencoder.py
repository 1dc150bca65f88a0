"""Autoencoder training under limits on movies and steps: preferences are still learned."""

import numpy as np

from marquee.features.interactions import RatingRows
from marquee.scoring.scorers.autoencoder import Autoencoder
from marquee.training.scorers.autoencoder import AutoencoderConfig, fit_over_movies, learned_movies
from marquee_testing import checkerboard

N_MOVIES = 24
CONFIG = AutoencoderConfig(width=8, epochs=60, batch_size=16, learning_rate=0.02)


def rows() -> RatingRows:
    return RatingRows.of(checkerboard())


def fitted(**changes: int) -> Autoencoder:
    some = rows()
    config = CONFIG.model_copy(update=changes)
    return fit_over_movies(some, some.sums(N_MOVIES), 1, config, 0)


def lift(network: Autoencoder, movies: np.ndarray) -> float:
    """Return how far movies like the liked ones rise above others, compared with the prior."""
    liked = movies[movies % 2 == 0][:2]
    scores = network.logits(network.code(liked, np.ones(2, bool))) - network.prior
    others = np.setdiff1d(movies, liked)
    return float(scores[others[others % 2 == 0]].mean() - scores[others[others % 2 == 1]].mean())


def test_few_steps_learn_what_kind_of_movies_a_user_likes() -> None:
    assert lift(fitted(steps=40), np.arange(N_MOVIES)) > 0.2


def test_more_steps_than_epochs_have_change_nothing() -> None:
    assert np.array_equal(fitted(steps=10_000).outputs, fitted(steps=20_000).outputs)


def test_only_the_movies_rated_most_often_are_learned() -> None:
    network, sums = fitted(head=12), rows().sums(N_MOVIES)
    learned = learned_movies(sums, 1, 12)
    assert learned.sum() == 12
    assert sums[learned, 0].min() >= sums[~learned, 0].max()
    assert (network.outputs[~learned] == 0).all()
    assert lift(network, np.flatnonzero(learned)) > 0.2


def test_without_a_cap_movies_with_enough_ratings_are_learned() -> None:
    sums = np.array([[5, 3, 40], [2, 1, 10], [0, 0, 0]])
    assert learned_movies(sums, 3, 100).tolist() == [True, False, False]
    assert learned_movies(sums[1:], 3, 100).tolist() == [True, False]
    assert learned_movies(sums[2:], 3, 100).tolist() == [True]
