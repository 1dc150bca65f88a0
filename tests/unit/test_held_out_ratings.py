"""What is held out of the RatingPredictor's training, and for what."""

import numpy as np

from marquee.features.interactions import RatingRows
from marquee_testing import checkerboard
from neural.training.holdout import hide, set_aside
from neural.training.rating_split import only


def drawn(share: float = 0.1, seed: int = 0):
    rows = RatingRows.of(checkerboard(users=120))
    hidden, viewers = hide(rows, 8, 0.2, seed)
    return rows, hidden, viewers, set_aside(rows, hidden, 24, share, seed)


def test_ratings_for_the_confidence_do_not_choose_the_epoch():
    _, hidden, _, unseen = drawn()
    assert 0 < unseen.asked.sum() < hidden.sum()
    assert not (unseen.asked & ~hidden).any()


def test_viewers_set_aside_are_not_those_who_choose_the_epoch():
    _, _, viewers, unseen = drawn()
    assert len(unseen.viewers) == 12
    assert not set(unseen.viewers.tolist()) & set(viewers.tolist())


def test_nothing_of_a_viewer_or_film_set_aside_is_left():
    rows, _, _, unseen = drawn()
    left = only(rows, ~unseen.ratings(rows))
    assert len(left) == len(rows)
    assert not left.sizes[unseen.viewers].any()
    assert not np.isin(left.films, unseen.films).any()
    assert len(unseen.films) == 2
    assert len(left.films) > 0.7 * len(rows.films)


def test_the_same_seed_sets_the_same_aside():
    first, again, other = drawn()[3], drawn()[3], drawn(seed=1)[3]
    assert np.array_equal(first.viewers, again.viewers)
    assert np.array_equal(first.asked, again.asked)
    assert not np.array_equal(first.viewers, other.viewers)


def test_without_a_share_only_single_ratings_are_set_aside():
    rows, hidden, _, unseen = drawn(share=0.0)
    assert not len(unseen.viewers)
    assert not len(unseen.films)
    assert np.array_equal(unseen.ratings(rows), unseen.asked)
    assert not (unseen.asked & ~hidden).any()
