"""The sample of users that a large training is measured on."""

import numpy as np

from marquee_testing import checkerboard
from trainer.evaluation.sampling import sample_of


def test_a_small_data_set_is_measured_whole() -> None:
    dataset = checkerboard()
    assert sample_of(dataset) is dataset


def test_a_sample_has_whole_users_and_all_movies() -> None:
    dataset = checkerboard()
    sample = sample_of(dataset, 200)
    assert 150 < len(sample) <= 200
    assert sample.movies == dataset.movies
    for user in np.unique(sample.user_ids):
        assert (sample.user_ids == user).sum() == (dataset.user_ids == user).sum()


def test_the_same_users_are_drawn_again() -> None:
    first, second = sample_of(checkerboard(), 200), sample_of(checkerboard(), 200)
    assert np.array_equal(first.user_ids, second.user_ids)


def test_one_user_is_left_of_the_smallest_sample() -> None:
    assert len(np.unique(sample_of(checkerboard(), 1).user_ids)) == 1
