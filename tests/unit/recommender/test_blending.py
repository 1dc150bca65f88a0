"""Blend weights: defaults stay unless validation clearly gains by others."""

import numpy as np
import pytest

from marquee.features.interactions import FoldIn, RatingRows
from marquee.training.blending import BlendWeightSearch, Validation, beyond_noise

MOVIES = 60


def search_of(telling: float, users: int, seed: int = 0) -> BlendWeightSearch:
    """Return a search over noise and a signal that tells of users' likes by a factor."""
    rng = np.random.default_rng(seed)
    relevant = np.zeros((users, MOVIES), bool)
    for row in relevant:
        row[rng.choice(MOVIES, 6, replace=False)] = True
    noise = rng.standard_normal((2, users, MOVIES)).astype(np.float32)
    signals = {"known": noise[0], "other": noise[1] + np.float32(telling) * relevant}
    shown = np.zeros_like(relevant)
    return BlendWeightSearch(signals, shown, relevant, relevant.sum(axis=1), np.arange(users))


def test_without_evidence_the_initial_weights_stay() -> None:
    initial = {"known": 1.0, "other": 0.3}
    assert all(search_of(0.0, 40, seed).search(initial) == initial for seed in range(5))


def test_one_user_is_no_evidence() -> None:
    initial = {"known": 1.0, "other": 0.0}
    assert search_of(5.0, 1).search(initial) == initial


def test_clear_evidence_moves_a_weight() -> None:
    learned = search_of(2.0, 200).search({"known": 1.0, "other": 0.1}, {"known": 1.0})
    assert learned["other"] > 0.25


def test_no_weight_goes_below_its_minimum() -> None:
    learned = search_of(3.0, 200).search({"known": 1.0, "other": 1.0}, {"known": 0.8})
    assert learned["known"] >= 0.8


def test_inputs_of_a_fold_in_are_in_no_list() -> None:
    whole = search_of(2.0, 20)
    shown = whole.relevant.copy()
    hidden = BlendWeightSearch(whole.signals, shown, whole.relevant, whole.n_relevant, whole.users)
    assert hidden.ndcg_by_user(hidden.blended({"other": 1.0})).max() < 0.5
    assert whole.ndcg_by_user(whole.blended({"other": 1.0})).min() > 0


def test_gains_count_once_a_user_however_many_fold_ins_there_are() -> None:
    both = search_of(2.0, 2)
    twice = {name: np.repeat(scores, (3, 1), axis=0) for name, scores in both.signals.items()}
    owners = np.array([0, 0, 0, 1])
    relevant = np.repeat(both.relevant, (3, 1), axis=0)
    again = BlendWeightSearch(
        twice, np.zeros_like(relevant), relevant, relevant.sum(axis=1), owners
    )
    expected = both.ndcg_by_user(both.blended({"other": 1.0}))
    assert again.ndcg_by_user(again.blended({"other": 1.0})) == pytest.approx(expected)


def test_noise_is_told_from_gain() -> None:
    rng = np.random.default_rng(0)
    assert not beyond_noise(rng.standard_normal(100) * 0.1)
    assert beyond_noise(rng.standard_normal(100) * 0.1 + 0.1)
    assert not beyond_noise(np.zeros(100))
    assert not beyond_noise(np.array([1.0]))


def test_fold_ins_know_their_users_and_are_thinned_over_all_of_them() -> None:
    sizes = np.full(10, 8)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    rows = RatingRows(starts, np.tile(np.arange(8), 10), np.full(80, 9, np.uint8))
    drawn = Validation.draw(rows, np.array([2, 5, 7]), (1, 3), 2, 0)
    assert drawn.owners.tolist() == [2] * 4 + [5] * 4 + [7] * 4
    thinned = drawn.at_most(3)
    assert thinned.owners.tolist() == [2, 5, 7]

    def has_three(fold_in: FoldIn) -> bool:
        return len(fold_in.inputs) == 3

    assert {len(fold_in.inputs) for fold_in in drawn.only(has_three).fold_ins} == {3}
