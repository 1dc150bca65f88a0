"""What is held out of the RatingPredictor's training, and for what."""

import numpy as np

from marquee.features.interactions import RatingRows
from marquee_testing import checkerboard
from neural.training.holdout import draw_calibration_holdout, hold_out_ratings
from neural.training.rating_split import select_ratings


def drawn(share: float = 0.1, seed: int = 0):
    rows = RatingRows.of(checkerboard(users=120))
    hidden, users = hold_out_ratings(rows, 8, 0.2, seed)
    return rows, hidden, users, draw_calibration_holdout(rows, hidden, 24, share, seed)


def test_ratings_for_the_confidence_do_not_choose_the_epoch():
    _, hidden, _, holdout = drawn()
    assert 0 < holdout.single.sum() < hidden.sum()
    assert not (holdout.single & ~hidden).any()


def test_users_set_aside_are_not_those_who_choose_the_epoch():
    _, _, users, holdout = drawn()
    assert len(holdout.users) == 12
    assert not set(holdout.users.tolist()) & set(users.tolist())


def test_nothing_of_a_user_or_movie_set_aside_is_left():
    rows, _, _, holdout = drawn()
    left = select_ratings(rows, ~holdout.mask(rows))
    assert len(left) == len(rows)
    assert not left.sizes[holdout.users].any()
    assert not np.isin(left.movies, holdout.movies).any()
    assert len(holdout.movies) == 2
    assert len(left.movies) > 0.7 * len(rows.movies)


def test_the_same_seed_sets_the_same_aside():
    first, again, other = drawn()[3], drawn()[3], drawn(seed=1)[3]
    assert np.array_equal(first.users, again.users)
    assert np.array_equal(first.single, again.single)
    assert not np.array_equal(first.users, other.users)


def test_without_a_share_only_single_ratings_are_set_aside():
    rows, hidden, _, holdout = drawn(share=0.0)
    assert not len(holdout.users)
    assert not len(holdout.movies)
    assert np.array_equal(holdout.mask(rows), holdout.single)
    assert not (holdout.single & ~hidden).any()
