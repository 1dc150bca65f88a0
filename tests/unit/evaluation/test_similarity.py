"""Measures of similar movies, on data whose figures are computed by hand."""

import math

import numpy as np
import pytest

from marquee.features.interactions import RatingRows
from trainer.evaluation.similarity import (
    MIN_RATINGS,
    neighbor_measures,
    neighbor_quality,
    siblings,
)

pytestmark = pytest.mark.trainer


def rating_rows(users: list[list[int]], half_stars: int = 10) -> RatingRows:
    movies = np.array([movie for user in users for movie in user], np.int64)
    starts = np.concatenate([[0], np.cumsum([len(user) for user in users])])
    return RatingRows(starts, movies, np.full(len(movies), half_stars, np.uint8))


def test_measures_are_those_of_the_counts() -> None:
    rows = rating_rows([[0, 1], [0, 1], [0], [2], [2, 3]])
    measures = neighbor_measures(rows, np.arange(4), 4)
    assert measures["cosine"][0, 1] == pytest.approx(2 / math.sqrt(6))
    assert measures["lift"][0, 1] == pytest.approx(2 * 5 / 6)
    assert measures["lift"][0, 2] == 0
    # Users of both, of the first alone, of the second alone, of none: 2, 1, 0, 2.
    entropy = sum(n * math.log(n) for n in (2, 1, 2)) - 5 * math.log(5)
    margins = sum(n * math.log(n) for n in (3, 2, 2, 3)) - 10 * math.log(5)
    assert measures["log-likelihood ratio"][0, 1] == pytest.approx(2 * (entropy - margins))
    assert measures["log-likelihood ratio"][0, 2] < 0


def test_only_likes_count_where_asked() -> None:
    rows = rating_rows([[0, 1], [0, 1]], half_stars=4)
    assert neighbor_measures(rows, np.arange(2), 2)["cosine"][0, 1] == pytest.approx(1)
    assert neighbor_measures(rows, np.arange(2), 2, only_likes=True)["cosine"][0, 1] == 0


def test_siblings_are_counted_among_the_ten_and_at_the_first_place() -> None:
    likenesses = np.zeros((20, 20))
    likenesses[0, [5, 1]] = 2, 1  # a stranger first, then a sibling
    likenesses[1, [0, 5]] = 2, 1  # a sibling first
    likenesses[2:4, 6:16] = 1  # ten strangers
    found = siblings(lambda row: likenesses[row], {"a": (0, 1), "b": (2, 3)})
    assert found.by_series["a"] == (1.0, 0.5)
    assert found.by_series["b"] == (0.0, 0.0)
    assert (found.in_ten, found.first) == (0.5, 0.25)


def test_perfect_knowledge_of_the_other_half_is_perfect_and_none_is_poor() -> None:
    generator = np.random.default_rng(0)
    users = [
        sorted(set((generator.integers(0, 12, 9) + 12 * (user % 2)).tolist()))
        for user in range(4 * MIN_RATINGS)
    ]
    rows = rating_rows(users)

    def by_kind(_: RatingRows):
        kinds = np.arange(24) // 12
        return lambda movies: np.equal.outer(kinds[movies], kinds[movies]).astype(np.float32)

    def by_id(_: RatingRows):
        return lambda movies: -np.abs(np.subtract.outer(movies, movies[::-1])).astype(np.float32)

    good, poor = (neighbor_quality(fit, rows, 24) for fit in (by_kind, by_id))
    assert min(good.values()) > 0.85
    assert max(poor.values()) < min(good.values()) - 0.3
