"""Blend weights by evidence: the order that times tell of, and weights between two numbers."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marquee.arrays import load_json, save_json
from marquee.features.interactions import RatingRows, first_fold_ins
from marquee.scoring.evidence_weights import EvidenceWeights, OrderLikelihood
from marquee.training.blending import Validation
from marquee.training.evidence_weights import (
    EvidenceDraw,
    fit_order_likelihood,
    learn_evidence_weights,
)
from marquee_testing import checkerboard

USERS, MOVIES = 60, 40
DAY = 24 * 3600


def histories(gap: int = 10) -> RatingRows:
    """Users who rate twenty movies in one sitting and twenty over the years after it."""
    generator = np.random.default_rng(3)
    movies = np.concatenate([generator.permutation(MOVIES) for _ in range(USERS)])
    own = np.concatenate([np.arange(20) * gap, 10 * DAY + np.arange(20) * 30 * DAY])
    times = np.concatenate([10**9 + own for _ in range(USERS)])
    half_stars = np.where(generator.random(USERS * MOVIES) < 0.6, 9, 4).astype(np.uint8)
    return RatingRows(np.arange(USERS + 1) * MOVIES, movies, half_stars, times)


def test_ratings_of_one_sitting_are_taken_for_first_ones() -> None:
    order = fit_order_likelihood(histories(), 0)
    now = 1_700_000_000
    assert order.of(now + np.arange(10) * 8) > 0.8
    assert order.of(now + np.arange(10) * 40 * DAY) < 0.3
    assert order.of(np.array([now])) == order.of(None) == order.of(np.zeros(9, np.int64)) == 0.5


@pytest.mark.parametrize("time", [10**9, 0], ids=["equal", "none"])
def test_without_usable_times_nothing_is_taken_for_first_ones(time: int) -> None:
    dataset = checkerboard()
    blind = RatingRows.of(replace(dataset, times=np.full(len(dataset), time)))
    assert blind.times is None
    order = fit_order_likelihood(blind, 0)
    assert order.of(np.arange(10) * 8 + 10**9) == order.of(None) == 0


@given(st.integers(1, 5000), st.floats(0, 1))
def test_weights_lie_between_those_of_the_nearest_numbers(n: int, share: float) -> None:
    weights = EvidenceWeights(
        {2: {"a": 1.0}, 20: {"a": 3.0}}, {5: {"a": -2.0, "b": 1.0}}, OrderLikelihood(unknown=share)
    )
    at_random = float(np.interp(np.log(n), np.log([2, 20]), [1.0, 3.0]))
    found = weights.of(n)
    assert found["a"] == pytest.approx(share * -2.0 + (1 - share) * at_random)
    assert found["b"] == pytest.approx(share)


def test_what_is_stored_is_read_again_and_the_form_of_old_bundles_too() -> None:
    weights = EvidenceWeights(
        {1: {"a": 1.0}, 3: {"a": 2.0}}, {1: {"a": 0.5}}, OrderLikelihood(1.0, -2.0, 0.5, 0.5)
    )
    assert EvidenceWeights.from_stored(weights.to_stored()) == weights
    old = EvidenceWeights.from_stored({"a": 1.5, "b": 0.0})
    assert old.of(1) == old.of(400, np.arange(1, 400)) == {"a": 1.5, "b": 0.0}


@given(numbers=st.sets(st.integers(1, 200), min_size=1), n=st.integers(1, 300))
def test_weights_read_from_a_file_are_those_written(
    numbers: set[int], n: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Files have their keys in the order of text: "10" comes before "5"."""
    path = tmp_path_factory.getbasetemp() / "weights.json"
    by_number = {k: {"a": float(k), "b": -1.0 / k} for k in sorted(numbers)}
    written = EvidenceWeights(by_number, by_number)
    save_json(path, written.to_stored())
    read = EvidenceWeights.from_stored(load_json(path))
    assert list(read.at_random) == list(read.in_time) == sorted(numbers)
    assert read.of(n) == written.of(n)


def test_first_fold_ins_show_what_came_first_and_hold_out_later_likes() -> None:
    rows = histories()
    for fold_in in first_fold_ins(rows, 3, (1, 5, 39, 40)):
        n = len(fold_in.inputs)
        movies, half_stars = rows.of_user(3)
        assert fold_in.inputs.tolist() == movies[:n].tolist()
        assert set(fold_in.held_out) == set(movies[n:][half_stars[n:] >= 8])
        assert fold_in.times is not None
        assert (np.diff(fold_in.times) >= 0).all()


def test_each_order_learns_the_signal_that_ranks_in_it() -> None:
    """A signal that finds what is held out of first ratings only gets its weight in time alone."""
    rows = histories()
    drawn = EvidenceDraw.draw(rows, np.arange(USERS), (3, 8), 1, 0)
    in_time = {id(f) for v in drawn.in_time.values() for f in v.fold_ins}
    generator = np.random.default_rng(0)

    def signals(fold_in) -> dict[str, np.ndarray]:
        truth = np.zeros(MOVIES, np.float32)
        truth[fold_in.held_out] = 1
        noise = generator.random(MOVIES).astype(np.float32)
        return {"time": truth if id(fold_in) in in_time else noise, "other": noise}

    start = {"time": 0.0, "other": 1.0}
    order = OrderLikelihood(unknown=0.5)
    learned = learn_evidence_weights(drawn, signals, np.arange(MOVIES), (start, start), {}, order)
    weights = learned.weights
    assert all(found["time"] > 0 for found in weights.in_time.values())
    assert max(found["time"] for found in weights.at_random.values()) <= 0.4


def test_an_evidence_draw_keeps_to_its_limit() -> None:
    drawn = EvidenceDraw.draw(histories(), np.arange(USERS), (1, 2, 5), 2, 0)
    fewer = drawn.at_most(60)
    assert len(fewer.fold_ins) <= 60
    assert {len(f.inputs) for f in fewer.fold_ins} == {1, 2, 5}
    assert isinstance(fewer.at_random[1], Validation)
