"""Small data sets whose answers are known, and poor ones."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from marquee.domain.movies import Film
from marquee.features.dataset import Dataset, make_dataset
from marquee.features.popularity import sums_of


def checkerboard(users: int = 40, films: int = 24) -> Dataset:
    """Return ratings in two halves: even users like even films, odd users odd ones, a kind each.

    Of the films of his kind a user leaves out a quarter; he has seen a quarter of the others too.
    Some films are less known than others.
    """
    catalogue = [
        Film(
            movie_id=10 + i,
            title=f"Film {i}",
            year=1990 + i % 2 * 20,
            genres=("Action",) if i % 2 == 0 else ("Romance",),
            tags={"chase" if i % 2 == 0 else "letters": 0.9},
        )
        for i in range(films)
    ]
    pairs = [
        (user, i)
        for user in range(users)
        for i in range(films)
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


def sums_of_film(dataset: Dataset, movie_id: int) -> tuple[int, int, int]:
    """Return the sums of a film in a data set, zeros without a rating."""
    return sums_of(dataset.movie_ids, dataset.half_stars).get(movie_id, (0, 0, 0))


def _without_tags() -> Dataset:
    films = tuple(film.model_copy(update={"tags": {}}) for film in checkerboard().films)
    return replace(checkerboard(), films=films)


def _constant() -> Dataset:
    dataset = checkerboard()
    return replace(dataset, half_stars=np.full_like(dataset.half_stars, 6))


def _one_user() -> Dataset:
    dataset = checkerboard()
    return dataset.of_rows(dataset.user_ids == 1)


def _unrated() -> Dataset:
    dataset = checkerboard()
    return dataset.of_rows(np.zeros(len(dataset), bool))


def _one_film() -> Dataset:
    dataset = checkerboard()
    chosen = dataset.of_rows(dataset.movie_ids == 12)
    return replace(chosen, films=tuple(f for f in chosen.films if f.movie_id == 12))


POOR_DATA: Mapping[str, Callable[[], Dataset]] = {
    "one user": _one_user,
    "no tags": _without_tags,
    "constant": _constant,
    "unrated": _unrated,
    "one film": _one_film,
}
"""Data sets that leave a model little to learn from."""
