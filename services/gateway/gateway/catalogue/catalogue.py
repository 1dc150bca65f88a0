"""The catalogue in memory: rows, filters, genre counts and search."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from gateway.catalogue.tag_index import TagIndex, fold_tag, relevant_tags
from gateway.catalogue.title_index import TitleIndex
from marquee.domain.movies import GENRES, Movie, genre_mask, genre_matrix
from marquee.features.movie_table import MovieTable


@dataclass(frozen=True, slots=True)
class Row:
    """A movie's catalogue row; `mask` is the bit mask of its genres."""

    movie_id: int
    title: str | None
    year: int | None
    genres: tuple[str, ...]
    tags: dict[str, float]
    mask: int

    @classmethod
    def of(cls, movie: Movie) -> "Row":
        """Return the row of a movie."""
        fields = (movie.movie_id, movie.title, movie.year, movie.genres, movie.tags)
        return cls(*fields, genre_mask(movie.genres))

    @classmethod
    def parse(cls, text: bytes) -> "Row":
        """Parse a stored movie (JSON).

        Without validation, as the consumer has validated it: 60,000 movies load in a second.
        """
        movie = orjson.loads(text)
        genres = tuple(movie["genres"])
        fields = (movie["movie_id"], movie["title"], movie["year"], genres, movie["tags"])
        return cls(*fields, genre_mask(genres))

    @classmethod
    def unknown(cls, movie_id: int) -> "Row":
        """Return the row of a movie that the catalogue does not have: the id alone."""
        return cls(movie_id, None, None, (), {}, 0)

    def has_tag(self, tag: str) -> bool:
        """Return whether the movie carries a tag, ignoring case."""
        return fold_tag(tag) in relevant_tags(self.tags)

    def summary(self) -> dict[str, Any]:
        """Return the fields that lists of movies show."""
        return {
            "movie_id": self.movie_id,
            "title": self.title,
            "year": self.year,
            "genres": self.genres,
        }

    def details(self) -> dict[str, Any]:
        """Return all fields, tags by relevance."""
        tags = sorted(self.tags.items(), key=lambda tag: (-tag[1], tag[0]))
        return self.summary() | {"tags": dict(tags)}


@dataclass(frozen=True)
class MovieFilter:
    """Filter of movies: in any of `genres` (empty: all), within the years, with the tag."""

    genres: tuple[str, ...] = ()
    year_from: int | None = None
    year_to: int | None = None
    tag: str | None = None

    @cached_property
    def mask(self) -> int:
        """The bit mask of the genres; 0 when all are allowed."""
        return genre_mask(self.genres)

    def allows(self, row: Row) -> bool:
        """Return whether a movie passes the filter; one without a year passes no limit of years."""
        if self.mask and not row.mask & self.mask:
            return False
        if self.year_from is not None and (row.year is None or row.year < self.year_from):
            return False
        if self.year_to is not None and (row.year is None or row.year > self.year_to):
            return False
        return self.tag is None or row.has_tag(self.tag)


class Catalogue:
    """All movies by id; `version` grows with each change, to invalidate what is derived from it."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self.version = 0
        self._counts: dict[str, int] = {}
        self._counts_version = -1
        self.replace(rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows.values())

    def __contains__(self, movie_id: object) -> bool:
        return movie_id in self._rows

    def get(self, movie_id: int) -> Row | None:
        """Return a movie's row, None when there is no such movie."""
        return self._rows.get(movie_id)

    def replace(self, rows: Iterable[Row]) -> None:
        """Replace all movies."""
        self._rows = {row.movie_id: row for row in rows}
        self.table = _table(list(self))
        """The same movies as arrays; a movie keeps its row until all are replaced."""
        self._titles = TitleIndex((row.movie_id, row.title or "", row.year) for row in self)
        self._tags = TagIndex((row.movie_id, row.tags) for row in self)
        self.version += 1

    def put(self, row: Row) -> None:
        """Add a movie or replace its row."""
        self.remove(row.movie_id)
        self._rows[row.movie_id] = row
        self._titles.put(row.movie_id, row.title or "", row.year)
        self._tags.put(row.movie_id, row.tags)
        self.table.put(row.movie_id, row.mask, row.year, _NO_VECTOR, -1)
        self.version += 1

    def remove(self, movie_id: int) -> None:
        """Take a movie out."""
        row = self._rows.pop(movie_id, None)
        if row is not None:
            self._titles.remove(movie_id, row.title or "", row.year)
            self._tags.remove(movie_id, row.tags)
            self.table.remove(movie_id)
            self.version += 1

    def filter_mask(self, allowed: MovieFilter) -> npt.NDArray[np.bool_]:
        """Return the mask of the table's rows that a filter allows, shape (n_rows,)."""
        years, mask = self.table.years, self.table.alive.copy()
        if allowed.tag is not None:
            tagged_rows = np.zeros(len(mask), bool)
            tagged_rows[self.table.indexes(self.tagged(allowed.tag))] = True
            mask &= tagged_rows
        if allowed.mask:
            mask &= (self.table.genres & np.uint32(allowed.mask)) != 0
        if allowed.year_from is not None:
            mask &= years >= allowed.year_from
        if allowed.year_to is not None:
            mask &= (years <= allowed.year_to) & (years > 0)
        return mask

    def tagged(self, tag: str) -> Sequence[int]:
        """Return the ids of the movies that carry a tag, ignoring case; none for an unknown tag."""
        return self._tags.movies(tag)

    def genre_counts(self) -> dict[str, int]:
        """Return the number of movies of each genre, in the order of the vocabulary."""
        if self._counts_version != self.version:
            membership = genre_matrix(self.table.genres[self.table.alive])
            self._counts = dict(zip(GENRES, map(int, membership.sum(axis=0)), strict=True))
            self._counts_version = self.version
        return self._counts

    def search(self, query: str) -> dict[int, int]:
        """Return movie id → quality of the title match, 0 best (see `TitleIndex.search`)."""
        return self._titles.search(query)


_NO_VECTOR = np.zeros(0, np.float32)


def _table(rows: list[Row]) -> MovieTable:
    return MovieTable(
        [row.movie_id for row in rows],
        np.array([row.mask for row in rows], np.uint32),
        np.array([row.year or 0 for row in rows], np.int16),
        np.zeros((len(rows), 0), np.float32),
        np.full(len(rows), -1, np.int16),
    )
