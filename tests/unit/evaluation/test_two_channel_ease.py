"""EASE of likes and dislikes: what it sees, and that dislikes count."""

import numpy as np
import pytest

from marquee.domain.movies import Movie
from marquee.domain.recommendation import Route
from marquee.features.dataset import make_dataset
from marquee_testing import checkerboard
from trainer.evaluation.baselines.families import EASE_OF_BOTH
from trainer.evaluation.baselines.models import fit_ease
from trainer.evaluation.baselines.tuning import measure_baseline
from trainer.evaluation.baselines.two_channel_ease import two_channel_fold_ins, two_channel_matrix
from trainer.evaluation.protocols.cases import EvaluationCase, draw
from trainer.evaluation.protocols.slices import Slice
from trainer.evaluation.protocols.splits import split_by_user

SLICE = Slice("4", Route.HYBRID, given=4)


def test_liked_and_not_liked_movies_are_in_columns_of_their_own():
    rated = EvaluationCase(1, np.array([3, 8, 5]), np.array([10, 2, 7], np.uint8), np.array([1]))
    viewed = EvaluationCase(
        1, np.array([3, 8]), np.array([10, 2], np.uint8), np.array([1]), viewed=True
    )
    shown = two_channel_fold_ins([rated, viewed], 40)
    assert sorted(shown[0].indices.tolist()) == [3, 45, 48]
    assert sorted(shown[1].indices.tolist()) == [3, 8]
    both = two_channel_matrix(checkerboard(60, 40))
    assert both.shape == (60, 80)
    assert both[:, :40].sum() + both[:, 40:].sum() == both.nnz


def test_dislikes_alone_tell_what_is_liked():
    """On the checkerboard whoever dislikes the odd movies likes the even ones."""
    case = EvaluationCase(1, np.array([1, 3, 5]), np.array([2, 2, 2], np.uint8), np.array([2]))
    scores = fit_ease(two_channel_matrix(checkerboard(200, 40)), 10).scores(
        two_channel_fold_ins([case], 40)
    )[0]
    even, odd = scores[0:40:2], scores[7:40:2]
    assert even.mean() > odd.mean() + 5 * odd.std() / len(odd) ** 0.5


@pytest.mark.parametrize("users", [30, 200])
def test_it_solves_the_checkerboard_and_says_what_was_chosen(users):
    split = split_by_user(checkerboard(users, 60), 0)
    cases = draw(split, (SLICE,))
    outcome = measure_baseline(EASE_OF_BOTH, split, cases, (SLICE,))["4"]
    assert len(cases["4"])
    assert outcome.values[:, 1].mean() > 0.9
    assert "penalty" in outcome.words
    for case, shown in zip(cases["4"], outcome.shown, strict=True):
        assert set(shown.tolist()).isdisjoint(case.movies.tolist())


def test_a_slice_without_a_validation_user_gets_an_answer_all_the_same():
    movies = [Movie(movie_id=i, title=str(i)) for i in range(1, 7)]
    halves = np.array([10, 2, 9, 8, 10, 1], np.uint8)
    ids = np.arange(1, 7)
    train = make_dataset(np.array([1, 1, 1, 2, 2, 2]), ids, halves, ids, movies)
    split = split_by_user(train, 3)
    case = EvaluationCase(9, np.array([0]), np.array([10], np.uint8), np.array([2]))
    slices = (Slice("a", Route.HYBRID, given=3), Slice("b", Route.HYBRID, given=3))
    outcome = measure_baseline(EASE_OF_BOTH, split, {"a": [case], "b": []}, slices)
    assert outcome["a"].shown.shape[0] == 1
    assert outcome["b"].values.shape == (0, 3)
