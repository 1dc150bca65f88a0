"""Measures of ranked lists, by hand-made examples."""

from math import log2

import numpy as np
import pytest

from marquee.training.ranking_metrics import (
    average_precision_at_k,
    mean_ndcg,
    ndcg_at_k,
    recall_at_k,
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
