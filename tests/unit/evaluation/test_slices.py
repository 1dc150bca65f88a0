"""Who is tested on which fold-ins, and which route answers them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marquee.domain.ids import number_of
from marquee.domain.movies import Movie
from marquee.domain.recommendation import Route
from marquee.domain.routing import Evidence, Thresholds, decide
from marquee.features.dataset import Dataset, make_dataset
from trainer.evaluation.protocols.cases import EvaluationCase, draw, draw_slice, route_of
from trainer.evaluation.protocols.slices import AFTER_CUT, FIRST, QUICK, SLICES, Slice
from trainer.evaluation.protocols.splits import (
    CUTS,
    FOLDS,
    fold_of,
    split_by_time,
    split_by_user,
)
from trainer.report.model import Protocol

THRESHOLDS = Thresholds()
FEW = Slice("4", Route.HYBRID, given=4)
SOME = Slice("8", Route.USER_CLUSTER, given=8)
DAY = 86_400


def opinions() -> Dataset:
    """Return 60 users who rated all of 40 movies and like every other one, movie after movie."""
    users, movies = (grid.ravel() + 1 for grid in np.indices((60, 40)))
    halves = np.where((users + movies) % 2 == 0, 10, 2).astype(np.uint8)
    return dataset_of(users, movies, halves, movies * 100 + users)


def dataset_of(users, movies, halves, times) -> Dataset:
    catalogue = [Movie(movie_id=i, title=f"Film {i}") for i in range(1, 41)]
    return make_dataset(
        np.asarray(users), np.asarray(movies), np.asarray(halves, np.uint8), times, catalogue
    )


@st.composite
def histories(draw_value) -> Dataset:
    """Return users who come at any time, rate in bursts with equal seconds, and like any movie."""
    generator = np.random.default_rng(draw_value(st.integers(0, 2**32 - 1)))
    n_users = draw_value(st.integers(1, 25))
    rows = []
    for user in range(1, n_users + 1):
        n, begins = int(generator.integers(1, 41)), int(generator.integers(0, 100 * DAY))
        movies = generator.permutation(40)[:n] + 1
        times = begins + np.sort(generator.integers(0, draw_value(st.integers(1, 60)) * DAY, n))
        times -= times % int(generator.choice([1, 60, DAY]))
        rows += [
            (user, movie, int(generator.integers(1, 11)), time)
            for movie, time in zip(movies.tolist(), times.tolist(), strict=True)
        ]
    users, movies, halves, times = (np.array(column) for column in zip(*rows, strict=True))
    return dataset_of(users, movies, halves, times)


def times_of(dataset: Dataset, case: EvaluationCase, rows) -> list[int]:
    own = dataset.user_ids == case.user_id
    by_movie = dict(zip(dataset.movie_ids[own].tolist(), dataset.times[own].tolist(), strict=True))
    return [by_movie[row + 1] for row in rows.tolist()]


def test_users_whose_ids_are_strings_have_as_many_cases_and_one_fold_each():
    dataset = opinions()
    users = [number_of(f"user-{user}") for user in dataset.user_ids]
    strings = dataset_of(users, dataset.movie_ids, dataset.half_stars, dataset.times)
    for user_slice in (FEW, *SLICES):
        expected = draw_slice(dataset, user_slice, 2000)
        assert len(draw_slice(strings, user_slice, 2000)) == len(expected)
    tested = [np.unique(split_by_user(strings, fold).test.user_ids) for fold in range(FOLDS)]
    assert sorted(np.concatenate(tested)) == sorted(set(users))


def test_every_user_is_tested_in_exactly_one_fold():
    dataset = opinions()
    tested = [np.unique(split_by_user(dataset, fold).test.user_ids) for fold in range(FOLDS)]
    assert sorted(np.concatenate(tested)) == list(range(1, 61))
    assert np.bincount(fold_of(np.arange(10_000))).min() > 900


def test_a_users_fold_does_not_depend_on_other_users():
    assert fold_of(np.arange(100))[40:50].tolist() == fold_of(np.arange(40, 50)).tolist()


@settings(max_examples=60, deadline=None)
@given(histories(), st.sampled_from(FIRST))
def test_no_rating_shown_in_time_is_later_than_what_is_wanted(dataset, user_slice):
    for case in draw_slice(dataset, user_slice):
        shown, wanted = (times_of(dataset, case, rows) for rows in (case.movies, case.targets))
        assert shown == case.times.tolist() == sorted(shown)
        assert max(shown) <= min(wanted)
        assert not set(case.movies) & set(case.targets)
        n = int((dataset.user_ids == case.user_id).sum())
        assert len(shown) == user_slice.size(n)


@settings(max_examples=60, deadline=None)
@given(histories(), st.sampled_from(CUTS), st.booleans())
def test_after_a_cut_nothing_wanted_is_trained_and_users_are_new_or_return(dataset, share, inner):
    split = split_by_time(dataset, share)
    split = split.tuning() if inner else split
    if not len(split.train) or split.cut is None:
        return
    assert split.train.times.max() < split.cut
    trained = set(split.train.user_ids.tolist())
    pairs = set(zip(split.train.user_ids.tolist(), split.train.movie_ids.tolist(), strict=True))
    for name, cases in draw(split, AFTER_CUT).items():
        for case in cases:
            is_returning = name == "returning"
            assert (case.user_id in trained) == is_returning
            assert (case.times < split.cut).all() == is_returning
            assert not {(case.user_id, row + 1) for row in case.targets.tolist()} & pairs
            assert min(times_of(dataset, case, case.targets)) >= max(split.cut, case.times.max())
            if is_returning:
                assert len(case.movies) == (split.train.user_ids == case.user_id).sum()


@settings(max_examples=40, deadline=None)
@given(histories(), st.sampled_from(SLICES))
def test_every_case_carries_the_times_of_what_it_shows_in_their_order(dataset, user_slice):
    for case in draw_slice(dataset, user_slice, cut=50 * DAY):
        assert case.times.dtype == np.int64
        assert case.times.tolist() == times_of(dataset, case, case.movies)
        assert (np.diff(case.times) >= 0).all()


def test_equal_seconds_are_ordered_by_a_draw_that_other_ratings_do_not_change():
    users, movies = (grid.ravel() + 1 for grid in np.indices((200, 40)))
    halves, order = np.full(len(users), 10), np.random.default_rng(1).permutation(len(users))
    whole = dataset_of(users[order], movies[order], halves, np.full(len(users), 7))
    three = next(user_slice for user_slice in FIRST if user_slice.name == "first 3")
    shown = {case.user_id: case.movies.tolist() for case in draw_slice(whole, three)}
    # Drawn, not by id: the mean row of what comes first is that of all rows, and users differ.
    assert np.mean(list(shown.values())) == pytest.approx(19.5, abs=1.5)
    assert len({tuple(rows) for rows in shown.values()}) > 190
    part = whole.of_rows(whole.user_ids % 3 == 0)
    assert all(shown[c.user_id] == c.movies.tolist() for c in draw_slice(part, three))
    without_first = whole.of_rows(~((whole.user_ids == 5) & (whole.movie_ids == shown[5][0] + 1)))
    again = {case.user_id: case.movies.tolist() for case in draw_slice(without_first, three)}
    assert again[5][:2] == shown[5][1:]


def test_the_cuts_hold_the_share_of_ratings_and_are_tuned_at_an_earlier_one():
    dataset = opinions()
    for share in CUTS:
        split = split_by_time(dataset, share)
        assert len(split.train) == pytest.approx(share * len(dataset), abs=1)
        tuning = split.tuning()
        assert split.cut is not None
        assert tuning.cut is not None
        assert tuning.cut < split.cut
        assert len(tuning.train) == pytest.approx(share * len(split.train), abs=1)
        assert tuning.test.times.max() < split.cut


def test_a_case_shows_what_its_slice_says_and_wants_the_other_liked_movies():
    dataset = opinions()
    for case in draw_slice(dataset, FEW):
        own = dataset.user_ids == case.user_id
        liked = dataset.movie_ids[own & (dataset.half_stars >= 8)] - 1
        assert len(case.movies) == 4
        assert set(case.targets) == set(liked) - set(case.movies)
    share = Slice("80 %", Route.NEURAL, share=0.8, draws=1, at_least=20)
    assert {len(case.movies) for case in draw_slice(dataset, share)} == {32}
    too_many = Slice("41 and more", Route.NEURAL, share=0.8, at_least=41)
    assert draw_slice(dataset, too_many) == []


def test_more_random_ratings_are_the_fewer_ones_and_others():
    dataset = opinions()
    few, some = draw_slice(dataset, FEW), draw_slice(dataset, SOME)
    assert few
    assert all(set(a.movies) < set(b.movies) for a, b in zip(few, some, strict=True))


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
        n = one.size(30) or 30
        case = EvaluationCase(1, np.arange(n), np.full(n, 10, np.uint8), np.array([99]), one.viewed)
        assert route_of(case, THRESHOLDS) is one.route


def test_names_are_unique_and_those_in_time_lead():
    names = [one.name for one in SLICES]
    assert len(set(names)) == len(names)
    assert [one.protocol for one in SLICES] == sorted(
        (one.protocol for one in SLICES), key=list(Protocol).index
    )
    for n in (1, 3, 5, 10, 15, 20, 30, 50):
        assert {f"first {n}", f"{n}"} <= set(names)
    assert {one.protocol for one in QUICK} == {Protocol.FIRST, Protocol.RANDOM}
    assert {one.route for one in QUICK if one.protocol is Protocol.FIRST} == {
        Route.SIMILAR,
        Route.HYBRID,
        Route.USER_CLUSTER,
        Route.NEURAL,
    }
