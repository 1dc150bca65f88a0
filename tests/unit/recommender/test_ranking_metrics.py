"""Ranking metrics by hand-made examples, and beside those of scikit-learn."""

from math import log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, ndcg_score

from marquee.arrays import Mask, Matrix
from marquee.training.ranking_metrics import (
    average_precision_at_k,
    graded_ndcg_at_k,
    mean_ndcg,
    ndcg_at_k,
    ndcg_of_rows,
    recall_at_k,
    weighted_recall_at_k,
)

RANKED, RELEVANT = [7, 3, 9, 1, 4], {3, 1, 100}


def test_recall_counts_over_the_smaller_of_k_and_relevant() -> None:
    assert recall_at_k(RANKED, RELEVANT, 2) == pytest.approx(1 / 2)
    assert recall_at_k(RANKED, RELEVANT, 5) == pytest.approx(2 / 3)


def test_ndcg_discounts_by_rank() -> None:
    gain = 1 / log2(3) + 1 / log2(5)
    assert ndcg_at_k(RANKED, RELEVANT, 5) == pytest.approx(gain / (1 + 1 / log2(3) + 1 / 2))


def test_average_precision_takes_precision_where_found() -> None:
    assert average_precision_at_k(RANKED, RELEVANT, 5) == pytest.approx((1 / 2 + 2 / 4) / 3)


@pytest.mark.parametrize("measure", [recall_at_k, ndcg_at_k, average_precision_at_k])
def test_the_best_list_has_1_and_the_worst_0(measure: object) -> None:
    assert callable(measure)
    assert measure([1, 2, 3, 4], [1, 2, 3], 3) == pytest.approx(1)
    assert measure([4, 5, 6], [1, 2, 3], 3) == 0
    assert measure([4, 5, 6], [], 3) == 0
    assert measure([], [1], 3) == 0


def test_weighted_recall_counts_weights_over_the_best_k() -> None:
    relevant, weights = np.array([3, 1, 100]), np.array([1.0, 2.0, 4.0])
    assert weighted_recall_at_k(RANKED, relevant, weights, 2) == pytest.approx(1 / 6)
    assert weighted_recall_at_k(RANKED, relevant, weights, 5) == pytest.approx(3 / 7)
    assert weighted_recall_at_k(RANKED, relevant[:0], weights[:0], 5) == 0
    assert weighted_recall_at_k([], relevant, weights, 5) == 0


@given(
    st.permutations(range(12)),
    st.sets(st.integers(0, 15), min_size=1),
    st.integers(1, 12),
    st.data(),
)
def test_weighted_recall_is_recall_where_weights_are_equal(
    ranked: list[int], relevant: set[int], k: int, data: st.DataObject
) -> None:
    targets = np.array(sorted(relevant))
    equal = np.full(len(targets), 0.3)
    plain = recall_at_k(ranked, relevant, k)
    assert weighted_recall_at_k(ranked, targets, equal, k) == pytest.approx(plain)
    weight = st.floats(0.01, 1)
    weights = np.array(data.draw(st.lists(weight, min_size=len(targets), max_size=len(targets))))
    best = targets[np.argsort(-weights, kind="stable")].tolist()
    assert weighted_recall_at_k(best, targets, weights, k) == pytest.approx(1)
    assert 0 <= weighted_recall_at_k(ranked, targets, weights, k) <= 1 + 1e-9


def test_batched_quality_is_the_mean_of_the_single_measures() -> None:
    generator = np.random.default_rng(0)
    scores = generator.normal(size=(6, 150)).astype(np.float32)
    relevant = generator.random((6, 150)) < 0.2
    single = [
        (ndcg_at_k(order, hits, 10) + ndcg_at_k(order, hits, 100)) / 2
        for order, hits in zip(
            np.argsort(-scores, axis=1), map(np.flatnonzero, relevant), strict=True
        )
    ]
    assert mean_ndcg(scores, relevant, relevant.sum(1)) == pytest.approx(np.mean(single))


@pytest.fixture
def rankings() -> tuple[Matrix, Mask]:
    """Return scores of 20 users for 150 items, and which items are relevant: at least one each."""
    generator = np.random.default_rng(7)
    scores = generator.normal(size=(20, 150)).astype(np.float32)
    relevant = generator.random((20, 150)) < np.linspace(0.01, 0.9, 20)[:, None]
    relevant[np.arange(20), generator.integers(0, 150, 20)] = True
    return scores, relevant


@pytest.mark.parametrize("k", [1, 10, 100])
def test_ndcg_is_that_of_scikit_learn(rankings: tuple[Matrix, Mask], k: int) -> None:
    for scores, relevant in zip(*rankings, strict=True):
        ours = ndcg_at_k(np.argsort(-scores), np.flatnonzero(relevant).tolist(), k)
        assert ours == pytest.approx(ndcg_score([relevant], [scores], k=k))


def test_ndcg_of_many_rankings_is_that_of_scikit_learn(rankings: tuple[Matrix, Mask]) -> None:
    scores, relevant = rankings
    at_10, at_100 = ndcg_of_rows(scores, relevant, relevant.sum(1))
    theirs = [
        [ndcg_score([r], [s], k=k) for s, r in zip(scores, relevant, strict=True)]
        for k in (10, 100)
    ]
    assert np.array([at_10, at_100]) == pytest.approx(np.array(theirs))


def test_graded_ndcg_is_that_of_scikit_learn_with_exponential_gains(
    rankings: tuple[Matrix, Mask],
) -> None:
    generator = np.random.default_rng(8)
    for scores in rankings[0]:
        stars = generator.integers(1, 11, len(scores)) / 2
        ours = graded_ndcg_at_k(scores.astype(np.float64), stars, 10)
        assert ours == pytest.approx(ndcg_score([2**stars - 1], [scores], k=10))


def test_average_precision_of_all_ranks_is_that_of_scikit_learn(
    rankings: tuple[Matrix, Mask],
) -> None:
    for scores, relevant in zip(*rankings, strict=True):
        order, rows = np.argsort(-scores), np.flatnonzero(relevant).tolist()
        ours = average_precision_at_k(order, rows, len(scores))
        assert ours == pytest.approx(average_precision_score(relevant, scores))
