"""Cold start: predictions for movies without ratings, and the offset in a ranking."""

from pathlib import Path

import numpy as np
import pytest

from marquee.domain.genres import GENRES
from marquee.features.interactions import FoldIn, RatingRows, draw_fold_ins, split_users
from marquee.scoring.cold_start import ColdStartModel, log_popularity, with_pairs
from marquee.scoring.explanations import contributions
from marquee.scoring.ridge import fit_ridge
from marquee.training.cold_start import fit_predictions
from marquee.training.cold_start_offset import OffsetSearch, hide_movies
from marquee_testing import checkerboard


def test_ridge_finds_a_line_and_leaves_the_bias_free() -> None:
    x = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    y = (x @ np.array([[1.0], [-2.0], [0.0]]) + 7).astype(np.float32)
    ridge = fit_ridge(x, y, 1e-3, np.ones(200))
    assert np.allclose(ridge.apply(x), y, atol=1e-2)
    flat = fit_ridge(x, y, 1e9, np.ones(200))
    assert flat.apply(x)[0, 0] == pytest.approx(y.mean(), abs=1e-2)


def test_rows_without_importance_do_not_count() -> None:
    x = np.arange(4, dtype=np.float32)[:, None]
    y = np.array([[0], [1], [2], [99]], np.float32)
    ridge = fit_ridge(x, y, 1e-6, np.array([1.0, 1, 1, 0]))
    assert ridge.apply(x)[3, 0] == pytest.approx(3, abs=1e-3)
    assert (fit_ridge(x, y, 1.0, np.zeros(4)).apply(x) == 0).all()


def test_the_prior_counts_as_ratings_in_cold_rows_only() -> None:
    known, prior = np.log1p(np.array([3.0, 0.0, 4.0])), np.log1p(np.array([9, 5, 5], np.float32))
    scores = log_popularity(known, prior, np.array([0, 1, 1], np.float32))
    assert np.expm1(scores) == pytest.approx([3, 5, 9], rel=1e-5)


def test_cold_rows_get_predicted_scores_and_the_others_keep_theirs(tmp_path: Path) -> None:
    ridge = fit_ridge(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32), 1.0, np.ones(2))
    cold_start = ColdStartModel(ridge, rate=0.1, slope=2.0)
    cold_start.save(tmp_path)
    filled = ColdStartModel.load(tmp_path).fill(
        np.array([5, 0], np.float32), np.array([1, 1], np.float32),
        np.log1p(np.array([3, 3], np.float32)), np.array([0, 1], np.float32),
    )  # fmt: skip
    assert filled.tolist() == pytest.approx([5, 0.1 * 3 + 2.0])


def test_a_pair_of_genres_is_liked_for_more_than_the_sum_of_the_two() -> None:
    generator = np.random.default_rng(0)
    content = np.zeros((400, len(GENRES) + 2), np.float32)
    content[:, :2] = generator.integers(0, 2, (400, 2))
    factors = (content[:, :1] * content[:, 1:2]).astype(np.float32)
    positive, known = np.full(400, 9), np.ones(400, bool)
    ridge = fit_predictions(content, len(GENRES), positive, factors, known, 1.0)
    cold_start = ColdStartModel(ridge)
    assert cold_start.predict(content)[1] == pytest.approx(factors, abs=0.02)
    wide = with_pairs(content, len(GENRES))
    assert wide.shape == (400, content.shape[1] + len(GENRES) * (len(GENRES) - 1) // 2)
    assert (wide[:, content.shape[1] :].sum(axis=1) == factors[:, 0]).all()


def test_predictions_of_older_code_have_no_pairs_and_still_hold() -> None:
    content = np.eye(len(GENRES), dtype=np.float32)
    ridge = fit_ridge(content, content[:, :3], 0.1, np.ones(len(GENRES)))
    prior, factors = ColdStartModel(ridge).predict(content)
    assert prior == pytest.approx(np.maximum(ridge.apply(content)[:, 0], 0))
    assert factors == pytest.approx(ridge.apply(content)[:, 1:])


def test_hidden_movies_are_a_share_of_the_rated_and_all_others() -> None:
    rated = np.arange(100) < 80
    known, cold = hide_movies(rated, 0.25, 0)
    assert (cold == ~known).all()
    assert known.sum() == 60
    assert not known[80:].any()


def test_the_offset_lifts_hidden_movies_where_users_want_them() -> None:
    hidden = np.arange(20) >= 10
    wanted, unwanted = OffsetSearch(hidden, 10), OffsetSearch(hidden, 10)
    scores = np.where(hidden, -3.0, 0.0).astype(np.float32)
    for _ in range(5):
        wanted.add(scores, np.ones(20, bool), np.arange(10, 20))
        unwanted.add(scores, np.ones(20, bool), np.arange(0, 10))
    assert wanted.largest() > 3
    assert unwanted.largest() <= 3
    assert OffsetSearch(hidden).largest() == 0


def test_fold_ins_show_n_ratings_and_hold_out_the_other_liked_movies() -> None:
    rows = RatingRows.of(checkerboard())
    users, _ = split_users(len(rows), 0.5, 0)
    for fold_in in draw_fold_ins(rows, users, (2,), 3, 0):
        assert isinstance(fold_in, FoldIn)
        assert len(fold_in.inputs) == 2
        assert not set(fold_in.inputs) & set(fold_in.held_out)
    same = [draw_fold_ins(rows, users, (2,), 1, 5)[0].inputs.tolist() for _ in range(2)]
    assert same[0] == same[1]


def test_users_are_split_into_two_and_one_stays() -> None:
    kept, held_out = split_users(10, 0.3, 1)
    assert sorted([*kept, *held_out]) == list(range(10))
    assert len(held_out) == 3
    assert [len(part) for part in split_users(1, 0.5, 1)] == [1, 0]
    assert [len(part) for part in split_users(0, 0.5, 1)] == [0, 0]


def test_contributions_name_the_nearest_sources_with_shares() -> None:
    codes = np.array([[1, 0], [-1, 0]], np.float32)
    sources = np.array([[0.6, 0.8], [1, 0], [0, 1], [-1, 0]], np.float32)
    first, second = contributions(codes, sources, np.array([1, 1, 1, 0]))
    assert first == ((1, 0.625), (0, 0.375))
    assert second == ()
