"""Small data sets with known answers, and degenerate ones."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from marquee.domain.movies import Movie
from marquee.features.dataset import Dataset, make_dataset
from marquee.features.popularity import sums_of


def checkerboard(users: int = 40, movies: int = 24) -> Dataset:
    """Return ratings in two halves: even users like even movies, odd users odd ones, a kind each.

    A user leaves out a quarter of the movies of their kind, and rated a quarter of the others too.
    Some movies are less known than others.
    """
    catalogue = [
        Movie(
            movie_id=10 + i,
            title=f"Film {i}",
            year=1990 + i % 2 * 20,
            genres=("Action",) if i % 2 == 0 else ("Romance",),
            tags={"chase" if i % 2 == 0 else "letters": 0.9},
        )
        for i in range(movies)
    ]
    pairs = [
        (user, i)
        for user in range(users)
        for i in range(movies)
        if ((i + user) % 2 == 1) == ((i // 2 + user // 2) % 4 == 0) and user // 2 >= i // 2 % 5
    ]
    owners, rows = np.array(pairs, np.int64).T
    likes = owners % 2 == rows % 2
    return make_dataset(
        owners + 1,
        rows + 10,
        np.where(likes, 10, 2).astype(np.uint8),
        owners * 100 + rows,
        catalogue,
    )


def sums_of_movie(dataset: Dataset, movie_id: int) -> tuple[int, int, int]:
    """Return the sums of a movie in a data set, zeros without a rating."""
    return sums_of(dataset.movie_ids, dataset.half_stars).get(movie_id, (0, 0, 0))


def _without_tags() -> Dataset:
    movies = tuple(movie.model_copy(update={"tags": {}}) for movie in checkerboard().movies)
    return replace(checkerboard(), movies=movies)


def _constant() -> Dataset:
    dataset = checkerboard()
    return replace(dataset, half_stars=np.full_like(dataset.half_stars, 6))


def _one_user() -> Dataset:
    dataset = checkerboard()
    return dataset.of_rows(dataset.user_ids == 1)


def _unrated() -> Dataset:
    dataset = checkerboard()
    return dataset.of_rows(np.zeros(len(dataset), bool))


def _one_movie() -> Dataset:
    dataset = checkerboard()
    chosen = dataset.of_rows(dataset.movie_ids == 12)
    return replace(chosen, movies=tuple(f for f in chosen.movies if f.movie_id == 12))


POOR_DATA: Mapping[str, Callable[[], Dataset]] = {
    "one user": _one_user,
    "no tags": _without_tags,
    "constant": _constant,
    "unrated": _unrated,
    "one film": _one_movie,
}
"""Data sets that leave a model little to learn from."""
