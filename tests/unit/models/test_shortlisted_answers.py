"""Models over a table with a shortlist: its rows are scored as in the whole table."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

import content.fit
import hybrid.fit
import user_model.fit
from content.fit import ContentConfig
from hybrid.fit import HybridConfig
from marquee.domain.recommendation import UserHistory
from marquee.features.movie_table import MovieTable
from marquee.features.shortlist import MAX_CANDIDATES
from marquee_testing import checkerboard
from marquee_testing.small_fits import SMALL_TASTE
from user_model.fit import UserModelConfig

N = 22_000
USER = UserHistory.of([(10, 5.0), (12, 4.0), (11, 1.0)], (10, 12))
_SMALL = {"taste": SMALL_TASTE, "clusters": 2}


@cache
def fitted(name: str) -> Any:
    """Return a model of the checkerboard with thousands of rarely liked copies of its movies."""
    fits: dict[str, Callable[[], Any]] = {
        "content": lambda: content.fit.fit(
            checkerboard(), ContentConfig(dimensions=6, new_movie_penalty=1.0, **_SMALL), 0
        ),
        "hybrid": lambda: hybrid.fit.fit(
            checkerboard(), HybridConfig(dimensions=6, new_movie_penalty=1.0, **_SMALL), 0
        ),
        "user-model": lambda: user_model.fit.fit(
            checkerboard(), UserModelConfig(cold_penalty=1.0, sizes=(3, 5), near=10, **_SMALL), 0
        ),
    }
    return grown(fits[name]())


def grown(model: Any) -> Any:
    base, rng = model.base, np.random.default_rng(0)
    source = np.concatenate([np.arange(len(base)), rng.integers(0, len(base), N - len(base))])
    copies = np.arange(N) >= len(base)
    vectors = base.vectors[source]
    vectors[copies] *= 0.5 + 0.4 * rng.random((int(copies.sum()), 1), dtype=np.float32)
    vectors[copies, -1] = 0
    likes = np.where(copies, rng.integers(0, 3, N), model.base_sums[source, 1] + 3)
    movies = MovieTable(
        np.where(copies, 1000 + np.arange(N), base.movie_ids[source]),
        base.genres[source], base.years[source], vectors, base.clusters[source],
    )  # fmt: skip
    return replace(
        model, base=movies, base_sums=np.stack([likes + 1, likes, 8 * likes + 1], axis=1)
    )


def lists(
    model: Any, movies: MovieTable, mask: np.ndarray[Any, np.dtype[np.bool_]], k: int
) -> list[int]:
    return [scored.movie_id for scored in model.recommend(USER, movies, mask, k)]


def check_equal_but_for_rounding(
    model: Any,
    tables: tuple[MovieTable, MovieTable],
    mask: np.ndarray[Any, np.dtype[np.bool_]],
    k: int,
) -> None:
    """Check that both lists of k have equal scores; at one score they may differ in order.

    The shortlist and the whole table add in different orders, so that ties break otherwise.
    """
    one, other = (model.recommend(USER, table, mask, k) for table in tables)
    scores = [[scored.score for scored in items] for items in (one, other)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-4)
    other_scores = {scored.movie_id: scored.score for scored in other}
    for scored in one:
        assert scored.score == pytest.approx(
            other_scores.get(scored.movie_id, scores[1][-1]), abs=1e-4
        )


@pytest.mark.parametrize("name", ["content", "hybrid", "user-model"])
def test_a_list_is_the_best_of_the_shortlist_as_all_rows_score_them(name: str) -> None:
    model = fitted(name)
    movies, every = model.movies(), MovieTable.from_arrays(model.base.arrays())
    mask = ~np.isin(movies.movie_ids, [10, 11, 12])
    chosen = movies.select_rows(mask, 10)
    assert len(chosen.vectors) == MAX_CANDIDATES
    listed = np.zeros(len(movies), bool)
    listed[chosen.rows] = True
    assert lists(model, movies, mask, 10) == lists(model, every, mask & listed, 10)


@pytest.mark.parametrize("name", ["content", "hybrid", "user-model"])
def test_a_mask_of_movies_that_are_not_on_the_shortlist_is_filled_all_the_same(name: str) -> None:
    model = fitted(name)
    movies, every = model.movies(), MovieTable.from_arrays(model.base.arrays())
    mask = np.ones(len(movies), bool)
    mask[movies.select_rows(mask, 10).rows] = False
    found = lists(model, movies, mask, 10)
    assert len(found) == 10
    assert found == lists(model, every, mask, 10)


@pytest.mark.parametrize("name", ["content", "hybrid", "user-model"])
@pytest.mark.parametrize("step", [30, 3_000])
def test_few_movies_that_filters_leave_are_ranked_as_among_all(name: str, step: int) -> None:
    model = fitted(name)
    movies = model.movies()
    mask = np.zeros(len(movies), bool)
    mask[20::step] = True
    [few] = np.nonzero(mask)
    found = model.recommend(USER, movies, mask, 10)
    assert len(movies.select_rows(mask, 10).vectors) == len(few)
    assert len(found) == min(10, len(few))
    elsewhere = np.setdiff1d(np.arange(len(movies)), few)
    mask[elsewhere[: len(movies) // 10]] = True
    assert movies.select_rows(mask, len(movies)).rows == slice(None)
    every = {s.movie_id: s.score for s in model.recommend(USER, movies, mask, len(movies))}
    assert [s.score for s in found] == pytest.approx([every[s.movie_id] for s in found], abs=1e-4)


@pytest.mark.parametrize("name", ["content", "hybrid", "user-model"])
def test_a_new_movie_stands_where_all_rows_would_place_it(name: str) -> None:
    model = fitted(name)
    movies, every = model.movies(), MovieTable.from_arrays(model.base.arrays())
    vector, cluster = model.base.vectors[model.base.index(14)], 0
    for table in (movies, every):
        table.put(500_000, ("Action",), 2020, vector, cluster)
    mask = np.zeros(len(movies), bool)
    mask[movies.select_rows(movies.alive, 10).rows] = True
    assert mask[-1]
    mask[: model.base.index(14) + 1] = False
    wanted = int(mask.sum()) // 10
    assert wanted == MAX_CANDIDATES // 10 - 1
    assert movies.select_rows(mask, wanted).n == len(movies)
    check_equal_but_for_rounding(model, (movies, every), mask, wanted)
