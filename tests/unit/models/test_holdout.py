"""What is held out of the RatingPredictor's training, and for what."""

import numpy as np

from marquee.features.interactions import RatingRows
from marquee_testing import checkerboard
from neural.training.holdout import hide, set_aside
from neural.training.rating_split import only


def drawn(share: float = 0.1, seed: int = 0):
    rows = RatingRows.of(checkerboard(users=120))
    hidden, users = hide(rows, 8, 0.2, seed)
    return rows, hidden, users, set_aside(rows, hidden, 24, share, seed)


def test_ratings_for_the_confidence_do_not_choose_the_epoch():
    _, hidden, _, unseen = drawn()
    assert 0 < unseen.asked.sum() < hidden.sum()
    assert not (unseen.asked & ~hidden).any()


def test_users_set_aside_are_not_those_who_choose_the_epoch():
    _, _, users, unseen = drawn()
    assert len(unseen.users) == 12
    assert not set(unseen.users.tolist()) & set(users.tolist())


def test_nothing_of_a_user_or_movie_set_aside_is_left():
    rows, _, _, unseen = drawn()
    left = only(rows, ~unseen.ratings(rows))
    assert len(left) == len(rows)
    assert not left.sizes[unseen.users].any()
    assert not np.isin(left.movies, unseen.movies).any()
    assert len(unseen.movies) == 2
    assert len(left.movies) > 0.7 * len(rows.movies)


def test_the_same_seed_sets_the_same_aside():
    first, again, other = drawn()[3], drawn()[3], drawn(seed=1)[3]
    assert np.array_equal(first.users, again.users)
    assert np.array_equal(first.asked, again.asked)
    assert not np.array_equal(first.users, other.users)


def test_without_a_share_only_single_ratings_are_set_aside():
    rows, hidden, _, unseen = drawn(share=0.0)
    assert not len(unseen.users)
    assert not len(unseen.movies)
    assert np.array_equal(unseen.ratings(rows), unseen.asked)
    assert not (unseen.asked & ~hidden).any()
