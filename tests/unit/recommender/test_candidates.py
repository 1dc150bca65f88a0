"""Candidate mask: the movies that a request allows."""

from typing import Any

import numpy as np
import pytest

from marquee.domain.movies import Movie
from marquee.domain.recommendation import MoviesRequest, RecommendRequest, Route
from marquee.features.movie_table import MovieTable
from marquee.scoring.candidates import candidates, filter_mask

YEARS = {1: 1990, 2: 2000, 3: None, 4: 2010, 5: 2010}


@pytest.fixture
def movies() -> MovieTable:
    rows = [
        Movie(movie_id=i, title=f"Film {i}", year=year, genres=("Crime",) if i < 3 else ("Drama",))
        for i, year in YEARS.items()
    ]
    made = MovieTable.of(rows, np.zeros((len(rows), 1), np.float32), np.zeros(len(rows), np.int16))
    made.remove(5)
    return made


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        ({}, {1, 2, 3, 4}),
        ({"only": None}, {1, 2, 3, 4}),
        ({"only": (4, 2, 2)}, {2, 4}),
        ({"only": ()}, set()),
        ({"only": (3, 5, 99)}, {3}),
        ({"only": (1, 2, 4), "genres": ("Crime",), "year_from": 1995}, {2}),
        ({"only": (1, 2, 3), "ratings": ((1, 4.0),), "viewed": (2,)}, {3}),
        ({"only": (1, 2, 3), "dismissed": (3,), "exclude": (1,)}, {2}),
        ({"year_to": 2005}, {1, 2}),
    ],
)
def test_movies_that_exist_are_within_all_filters_and_not_seen(
    movies: MovieTable, asked: dict[str, Any], allowed: set[int]
) -> None:
    request = RecommendRequest(route=Route.HYBRID, **asked)
    assert set(movies.movie_ids[candidates(request, movies)].tolist()) == allowed
    if not asked.keys() & {"ratings", "viewed", "dismissed"}:
        mask = filter_mask(MoviesRequest(**asked), movies)
        assert set(movies.movie_ids[mask].tolist()) == allowed
