"""Linear autoencoder: closed form, both ways to invert its system, and limits of its size."""

from pathlib import Path

import numpy as np
import pytest

from marquee.features.interactions import RatingRows
from marquee.scoring.scorers.linear_autoencoder import LinearAutoencoder
from marquee.training.scorers.linear_autoencoder import (
    LinearAutoencoderConfig,
    _full_inverse,
    _mirrored,
    _woodbury_inverse,
    fit_linear_autoencoder,
)
from marquee.training.scorers.linear_autoencoder_moments import ExpectedGram
from marquee_testing import checkerboard

N_MOVIES = 24
CONFIG = LinearAutoencoderConfig(n=3, penalty=0.5, head=20, kept=20)


def moments(rows: RatingRows) -> ExpectedGram:
    return ExpectedGram.of(rows, N_MOVIES, CONFIG.n, CONFIG.head, CONFIG.channels)


@pytest.fixture(scope="module")
def rows() -> RatingRows:
    return RatingRows.of(checkerboard())


@pytest.fixture(scope="module")
def model(rows: RatingRows) -> LinearAutoencoder:
    return fit_linear_autoencoder(rows, N_MOVIES, CONFIG)


def test_liked_and_disliked_movies_pull_apart(model: LinearAutoencoder) -> None:
    liked = model.deviation(np.array([0]), np.array([10]), N_MOVIES)
    disliked = model.deviation(np.array([0]), np.array([2]), N_MOVIES)
    even = np.arange(N_MOVIES) % 2 == 0
    assert liked[even].mean() > liked[~even].mean()
    assert disliked[even].mean() < disliked[~even].mean()


def test_a_movie_says_nothing_of_itself(model: LinearAutoencoder) -> None:
    for movie in np.flatnonzero(model.inputs >= 0):
        for half in (10, 2):
            assert model.deviation(np.array([movie]), np.array([half]), N_MOVIES)[movie] == 0


def test_movies_outside_the_head_and_past_the_table_add_nothing(model: LinearAutoencoder) -> None:
    outside = np.array([*np.flatnonzero(model.inputs < 0)[:1], N_MOVIES + 5])
    scores = model.scores(outside, np.array([10, 10]), N_MOVIES + 6)
    assert (scores[:N_MOVIES] == model.intercept).all()
    assert (scores[N_MOVIES:] == 0).all()


def test_both_ways_to_solve_agree(rows: RatingRows) -> None:
    problem = moments(rows)
    low_rank, whole = _woodbury_inverse(problem, 0.5), _full_inverse(problem, 0.5)
    assert np.allclose(low_rank.times(problem.cross), whole.times(problem.cross), atol=1e-4)
    first, second = slice(0, 20), slice(20, 40)
    assert np.allclose(low_rank.columns(first), whole.columns(first), atol=1e-4)
    assert np.allclose(low_rank.between(first, second), whole.between(first, second), atol=1e-4)


def test_the_closed_form_is_the_mean_over_random_fold_ins(rows: RatingRows) -> None:
    one = rows.of_users(np.array([20]))
    problem = moments(one)
    movies, half_stars = one.of_user(0)
    place = {int(movie): i for i, movie in enumerate(problem.head)}
    generator = np.random.default_rng(0)
    shown = np.zeros(len(problem.means))
    draws = 20_000
    for _ in range(draws):
        for i in generator.permutation(len(movies))[: CONFIG.n]:
            if (at := place.get(int(movies[i]))) is not None:
                shown[at + (0 if half_stars[i] >= 8 else len(problem.head))] += 1
    expected = shown / draws * len(movies) ** -0.5
    assert np.abs(problem.means - expected).max() < 0.01


def test_one_channel_takes_no_notice_of_the_rating(rows: RatingRows) -> None:
    config = CONFIG.model_copy(update={"channels": 1})
    model = fit_linear_autoencoder(rows, N_MOVIES, config)
    liked = model.scores(np.array([3]), np.array([10]), N_MOVIES)
    assert (liked == model.scores(np.array([3]), np.array([1]), N_MOVIES)).all()


def test_only_the_largest_weights_are_kept(rows: RatingRows) -> None:
    model = fit_linear_autoencoder(rows, N_MOVIES, CONFIG.model_copy(update={"kept": 5}))
    assert model.values.shape == (2, 20, 5)
    assert np.count_nonzero(model.deviation(np.array([4]), np.array([9]), N_MOVIES)) <= 5


def test_what_was_saved_scores_the_same(model: LinearAutoencoder, tmp_path: Path) -> None:
    model.save(tmp_path)
    movies, half_stars = np.array([2, 5]), np.array([9, 3])
    again = LinearAutoencoder.load(tmp_path).scores(movies, half_stars, N_MOVIES)
    assert (again == model.scores(movies, half_stars, N_MOVIES)).all()


def test_a_large_inverse_is_mirrored_block_by_block() -> None:
    symmetric = np.arange(1000 * 1000, dtype=np.float32).reshape(1000, 1000)
    symmetric = symmetric + symmetric.T
    assert (_mirrored(np.triu(symmetric)) == symmetric).all()
