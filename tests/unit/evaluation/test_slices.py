"""Who is tested on which fold-ins, and which route answers them."""

import numpy as np
import pytest

from marquee.domain.movies import Movie
from marquee.domain.recommendation import Route
from marquee.domain.routing import Evidence, Thresholds, decide
from marquee.features.dataset import Dataset, make_dataset
from marquee.features.interactions import RatingRows
from trainer.evaluation.slices import SLICES, EvaluationCase, Slice, draw, draw_slice, route_of
from trainer.evaluation.splits import FOLDS, fold_of, split_by_time, split_by_user

THRESHOLDS = Thresholds()
FEW = Slice("4", Route.HYBRID, given=4)
SOME = Slice("8", Route.USER_CLUSTER, given=8)


def opinions() -> Dataset:
    """Return 60 users who rated all of 40 movies and like every other one, movie after movie."""
    users, movies = (grid.ravel() + 1 for grid in np.indices((60, 40)))
    halves = np.where((users + movies) % 2 == 0, 10, 2).astype(np.uint8)
    catalogue = [Movie(movie_id=i, title=f"Film {i}") for i in range(1, 41)]
    return make_dataset(users, movies, halves, movies * 100 + users, catalogue)


def test_every_user_is_tested_in_exactly_one_fold():
    dataset = opinions()
    tested = [np.unique(split_by_user(dataset, fold).test.user_ids) for fold in range(FOLDS)]
    assert sorted(np.concatenate(tested)) == list(range(1, 61))
    assert np.bincount(fold_of(np.arange(10_000))).min() > 900


def test_a_users_fold_does_not_depend_on_other_users():
    assert fold_of(np.arange(100))[40:50].tolist() == fold_of(np.arange(40, 50)).tolist()


def test_a_cut_by_time_trains_only_what_was_earlier():
    dataset = opinions()
    split = split_by_time(dataset)
    assert split.cut is not None
    assert split.train.times.max() < split.cut
    assert len(split.train) == pytest.approx(0.8 * len(dataset), abs=1)
    cases = draw(split, ())["earlier ones"]
    known = set(zip(split.train.user_ids.tolist(), split.train.movie_ids.tolist(), strict=True))
    assert cases
    for case in cases:
        assert not {(case.user_id, row + 1) for row in case.targets.tolist()} & known


def test_a_case_shows_what_its_slice_says_and_wants_the_other_liked_movies():
    dataset = opinions()
    rows, users = RatingRows.of(dataset), np.unique(dataset.user_ids)
    for case in draw_slice(rows, users, FEW):
        movies, halves = rows.of_user(case.user_id - 1)
        assert len(case.movies) == 4
        assert set(case.targets) == set(movies[halves >= 8]) - set(case.movies)
    share = Slice("80 %", Route.NEURAL, share=0.8, draws=1, at_least=20)
    assert {len(case.movies) for case in draw_slice(rows, users, share)} == {32}
    too_many = Slice("41 and more", Route.NEURAL, share=0.8, at_least=41)
    assert draw_slice(rows, users, too_many) == []


def test_more_ratings_are_the_fewer_ones_and_others():
    dataset = opinions()
    rows, users = RatingRows.of(dataset), np.unique(dataset.user_ids)
    few, some = draw_slice(rows, users, FEW), draw_slice(rows, users, SOME)
    assert all(
        (a.movies == b.movies[:4]).all() for a, b in zip(few, some, strict=True) if a.user_id
    )


def test_cases_are_routed_as_the_gateway_routes_users():
    for n in range(1, 25):
        for positive in range(n + 1):
            halves = np.array([10] * positive + [2] * (n - positive), np.uint8)
            case = EvaluationCase(1, np.arange(n), halves, np.array([99]))
            assert route_of(case, THRESHOLDS) is decide(Evidence(n, positive), THRESHOLDS).route
    viewed = EvaluationCase(1, np.arange(3), np.full(3, 10, np.uint8), np.array([99]), viewed=True)
    assert route_of(viewed, THRESHOLDS) is decide(Evidence(viewed=3), THRESHOLDS).route


def test_each_slice_is_routed_to_the_route_that_it_is_made_for():
    for one in SLICES:
        n = one.size(30)
        case = EvaluationCase(1, np.arange(n), np.full(n, 10, np.uint8), np.array([99]), one.viewed)
        assert route_of(case, THRESHOLDS) is one.route
