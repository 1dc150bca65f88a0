"""Small data sets with known answers, and degenerate ones."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from marquee.domain.ids import GivenId
from marquee.domain.movies import Movie
from marquee.domain.rating_sums import PERIOD_SECONDS
from marquee.features.dataset import Dataset, make_dataset
from marquee.features.popularity import sums_of

DAY = 24 * 3600
YEARS = 730 * DAY
LAST_PERIOD = 700
"""Period in which the ratings of `fashions` end, if no other is asked for."""


def _movies_of_two_kinds(n: int) -> list[Movie]:
    """Return movies 10, 11, …: even ones are of one kind, odd ones of another."""
    return [
        Movie(
            movie_id=10 + i,
            title=f"Film {i}",
            year=1990 + i % 2 * 20,
            genres=("Action",) if i % 2 == 0 else ("Romance",),
            tags={"chase" if i % 2 == 0 else "letters": 0.9},
        )
        for i in range(n)
    ]


def checkerboard(users: int = 40, movies: int = 24) -> Dataset:
    """Return ratings in two halves: even users like even movies, odd users odd ones, a kind each.

    A user leaves out a quarter of the movies of their kind, and rated a quarter of the others too.
    Some movies are less known than others.
    """
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
        _movies_of_two_kinds(movies),
    )


def with_string_ids(dataset: Dataset) -> tuple[Dataset, dict[int, GivenId]]:
    """Return the data set with strings for ids, and the movies' new ids by their old ones.

    The strings' numbers rise as the whole numbers do, so that all ties are resolved alike.
    """
    old = np.array([movie.movie_id for movie in dataset.movies])
    owners = np.unique(dataset.user_ids)
    strings = sorted(map(GivenId, (f"tt{i:07d}" for i in range(len(old) + len(owners)))))
    movie_ids = dict(zip(old.tolist(), strings, strict=False))
    users = np.array(strings[: len(owners)], np.int64)
    movies = tuple(
        movie.model_copy(update={"movie_id": movie_ids[movie.movie_id]}) for movie in dataset.movies
    )
    renamed = replace(
        dataset,
        user_ids=users[np.searchsorted(owners, dataset.user_ids)],
        movie_ids=np.array(strings, np.int64)[np.searchsorted(old, dataset.movie_ids)],
        movies=movies,
    )
    return renamed, movie_ids


def fashions(users: int = 120, movies: int = 24, last_period: int = LAST_PERIOD) -> Dataset:
    """Return two years of ratings in which each movie is in fashion for some months, then less.

    A user begins at a time of their own, rates half of their movies in one sitting and the others
    over the next weeks, in an order of their own, and likes movies of their kind that are in
    fashion. The newest ratings, of several users, lie at the start of `last_period`.
    """
    generator = np.random.default_rng(7)
    peaks = generator.permutation(movies) / movies * YEARS
    rows: list[tuple[int, int, int, float]] = []
    for user in range(users):
        begin = user / users * YEARS
        nearness = np.exp(-np.abs(begin - peaks) / (60 * DAY))
        n = int(generator.integers(8, 15))
        chances = (nearness + 0.15) / (nearness + 0.15).sum()
        rated = generator.choice(movies, n, replace=False, p=chances)
        gaps = np.where(np.arange(n) < n // 2, 12, 30 * DAY // n)
        times = begin + np.cumsum(gaps * generator.uniform(0.5, 1.0, n))
        if times[-1] > YEARS - 30 * DAY:
            times += YEARS - times[-1]
        own = 0.6 + 0.4 * (rated % 2 == user % 2)
        likes = generator.random(n) < own * (0.1 + 0.9 * nearness[rated])
        rows += zip([user + 1] * n, rated + 10, np.where(likes, 10, 4), times, strict=True)
    owners, movie_ids, half_stars, seconds = np.array(rows).astype(np.int64).T
    seconds += last_period * PERIOD_SECONDS - YEARS
    return make_dataset(
        owners, movie_ids, half_stars.astype(np.uint8), seconds, _movies_of_two_kinds(movies)
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
