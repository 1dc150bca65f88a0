"""The data set that models are trained on: ratings as columns, movies as catalogue rows."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from marquee.arrays import Ints, Mask
from marquee.domain.movies import Movie


@dataclass(frozen=True, eq=False)
class Dataset:
    """Ratings of n (user, movie) pairs, one each, and the movies, all of which the catalogue has.

    `user_ids`, `movie_ids` int64 n; `half_stars` uint8 n (1 to 10); `times` int64 n (seconds since
    1970). Rows are ordered by user, then time, then movie; movies by id.
    """

    user_ids: Ints
    movie_ids: Ints
    half_stars: npt.NDArray[np.uint8]
    times: Ints
    movies: tuple[Movie, ...]

    def __len__(self) -> int:
        return len(self.user_ids)

    @cached_property
    def version(self) -> str:
        """The sha256 (hex) of the content in its canonical order: equal data, equal version."""
        digest = hashlib.sha256()
        for name, kind in _COLUMNS.items():
            column = getattr(self, name)
            digest.update(f"{name} {len(column)}\n".encode())
            digest.update(np.ascontiguousarray(column, kind).data)
        for movie in self.movies:
            tags = dict(sorted(movie.tags.items()))
            digest.update(movie.model_copy(update={"tags": tags}).model_dump_json().encode())
        return digest.hexdigest()

    def of_rows(self, rows: Ints | Mask) -> "Dataset":
        """Return the data set of some of the ratings, in their order, with all movies."""
        return replace(self, **{name: getattr(self, name)[rows] for name in _COLUMNS})


_COLUMNS = {"user_ids": "<i8", "movie_ids": "<i8", "half_stars": "u1", "times": "<i8"}


def make_dataset(
    user_ids: Ints,
    movie_ids: Ints,
    half_stars: npt.NDArray[np.uint8],
    times: Ints,
    movies: Iterable[Movie],
) -> Dataset:
    """Return the data set of n rating rows in any order.

    Of several ratings of one movie by one user the last by time is kept; at equal times the later
    row. Ratings of movies that are not among `movies` are left out.
    """
    catalogue = tuple(sorted(movies, key=lambda movie: movie.movie_id))
    known = np.array([movie.movie_id for movie in catalogue], np.int64)
    rows = _in_order(user_ids, movie_ids, times, _latest(user_ids, movie_ids, times, known))
    return Dataset(
        user_ids[rows], movie_ids[rows], half_stars[rows].astype(np.uint8), times[rows], catalogue
    )


def position_in(known: Ints, values: Ints) -> tuple[Ints, Mask]:
    """Return the index of each value in the sorted `known`, and whether it is there at all."""
    if not len(known):
        return np.zeros(len(values), np.int64), np.zeros(len(values), bool)
    index = np.minimum(np.searchsorted(known, values), len(known) - 1)
    return index, known[index] == values


def _latest(user_ids: Ints, movie_ids: Ints, times: Ints, known: Ints) -> Ints:
    """Return the rows to keep, in no particular order."""
    movies, present = position_in(known, movie_ids)
    rows = np.flatnonzero(present)
    _, users = np.unique(user_ids[rows], return_inverse=True)
    pairs = users * max(1, len(known)) + movies[rows]
    if _distinct(pairs):  # as published; finding it out is far cheaper than the order by pair
        return rows
    order = np.lexsort((times[rows], pairs))
    ordered = pairs[order]
    last = np.ones(len(ordered), bool)
    last[:-1] = ordered[1:] != ordered[:-1]
    return rows[order[last]]


def _in_order(user_ids: Ints, movie_ids: Ints, times: Ints, rows: Ints) -> Ints:
    order = rows[np.argsort(user_ids[rows], kind="stable")]
    if _rises(user_ids[order], times[order], movie_ids[order]):  # as a snapshot keeps them
        return order
    return rows[np.lexsort((movie_ids[rows], times[rows], user_ids[rows]))]


def _rises(user_ids: Ints, times: Ints, movie_ids: Ints) -> bool:
    """Return whether the rows of each user are in the order of time, then of movie."""
    step = np.diff(times)
    falls = (step < 0) | ((step == 0) & (np.diff(movie_ids) < 0))
    return not (falls & (np.diff(user_ids) == 0)).any()


def _distinct(pairs: Ints) -> bool:
    ordered = np.sort(pairs)
    return bool((ordered[1:] != ordered[:-1]).all())
