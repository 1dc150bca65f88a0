"""The training data set: ratings as columns, movies as catalogue rows."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from marquee.arrays import Ints, Mask
from marquee.domain.movies import Movie


@dataclass(frozen=True, eq=False)
class Dataset:
    """Ratings, one a (user, movie) pair, ordered by user, then time, then movie; and the movies.

    Attributes:
        user_ids: int64 n.
        movie_ids: int64 n, each the id of one of `movies`.
        half_stars: uint8 n, 1 to 10.
        times: int64 n, seconds since 1970.
        movies: the whole catalogue, by id.
        user_texts: the texts of users' ids that are strings, by number (`marquee.domain.ids`).
    """

    user_ids: Ints
    movie_ids: Ints
    half_stars: npt.NDArray[np.uint8]
    times: Ints
    movies: tuple[Movie, ...]
    user_texts: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.user_ids)

    @cached_property
    def version(self) -> str:
        """Sha256 (hex) of the content in canonical order: equal data, equal version."""
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
        """Return the data set of some ratings (indexes or a mask, in order) and all movies."""
        return replace(self, **{name: getattr(self, name)[rows] for name in _COLUMNS})


_COLUMNS = {"user_ids": "<i8", "movie_ids": "<i8", "half_stars": "u1", "times": "<i8"}


def make_dataset(
    user_ids: Ints,
    movie_ids: Ints,
    half_stars: npt.NDArray[np.uint8],
    times: Ints,
    movies: Iterable[Movie],
    user_texts: Mapping[int, str] | None = None,
) -> Dataset:
    """Return the data set of n rating rows in any order.

    Of several ratings of one movie by one user the latest counts, at equal times the later row.
    Ratings of movies that are not in `movies` are dropped.
    """
    catalogue = tuple(sorted(movies, key=lambda movie: movie.movie_id))
    known = np.array([movie.movie_id for movie in catalogue], np.int64)
    rows = _in_order(user_ids, movie_ids, times, _latest(user_ids, movie_ids, times, known))
    return Dataset(
        user_ids[rows],
        movie_ids[rows],
        half_stars[rows].astype(np.uint8),
        times[rows],
        catalogue,
        user_texts or {},
    )


def position_in(known: Ints, values: Ints) -> tuple[Ints, Mask]:
    """Return the index of each value in the sorted `known`, and a mask of those that it has."""
    if not len(known):
        return np.zeros(len(values), np.int64), np.zeros(len(values), bool)
    index = np.minimum(np.searchsorted(known, values), len(known) - 1)
    return index, known[index] == values


def _latest(user_ids: Ints, movie_ids: Ints, times: Ints, known: Ints) -> Ints:
    """Return the rows of known movies, the latest of each pair, in no particular order."""
    movies, present = position_in(known, movie_ids)
    rows = np.flatnonzero(present)
    pairs = places_of(user_ids[rows]) * max(1, len(known)) + movies[rows]
    if _distinct(pairs):  # as in a release; this check is far cheaper than the sort by pair
        return rows
    order = np.lexsort((times[rows], pairs))
    ordered = pairs[order]
    last = np.ones(len(ordered), bool)
    last[:-1] = ordered[1:] != ordered[:-1]
    return rows[order[last]]


def places_of(ids: Ints) -> Ints:
    """Return the place of each of n ids among the distinct ones in order, from 0."""
    if (ids[1:] >= ids[:-1]).all():  # as in a release
        return np.append(np.zeros(min(1, len(ids)), np.int64), np.cumsum(ids[1:] > ids[:-1]))
    places: Ints = np.unique(ids, return_inverse=True)[1]
    return places


def _in_order(user_ids: Ints, movie_ids: Ints, times: Ints, rows: Ints) -> Ints:
    order = rows[np.argsort(user_ids[rows], kind="stable")]
    if _rises(user_ids[order], times[order], movie_ids[order]):  # as in a snapshot
        return order
    return rows[np.lexsort((movie_ids[rows], times[rows], user_ids[rows]))]


def _rises(user_ids: Ints, times: Ints, movie_ids: Ints) -> bool:
    """Return whether each user's rows are ordered by time, then by movie."""
    step = np.diff(times)
    falls = (step < 0) | ((step == 0) & (movie_ids[1:] < movie_ids[:-1]))  # ids have all 64 bits
    return not (falls & (user_ids[1:] == user_ids[:-1])).any()


def _distinct(pairs: Ints) -> bool:
    ordered = np.sort(pairs)
    return bool((ordered[1:] != ordered[:-1]).all())
