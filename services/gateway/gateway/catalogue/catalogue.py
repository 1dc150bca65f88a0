"""The catalogue in memory: rows, filters and search."""

from collections.abc import Iterable, Iterator, KeysView, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from gateway.catalogue.field_columns import FieldColumns
from gateway.catalogue.genre_index import GenreIndex
from gateway.catalogue.tag_index import TagIndex, fold_tag, relevant_tags
from gateway.catalogue.title_index import TitleIndex
from marquee.domain.genres import GenreVocabulary, catalogue_genres, genre_key
from marquee.domain.ids import as_given, kept_id
from marquee.domain.movie_fields import FIELD_NAMES, free_tags, speaks
from marquee.domain.movies import Movie
from marquee.features.movie_table import MovieTable

_SHORT = ("runtime", "language", "certificate", "poster_url")
"""Optional fields that lists of movies show too."""


@dataclass(frozen=True, slots=True)
class Row:
    """A movie's catalogue row."""

    movie_id: int
    title: str | None
    year: int | None
    genres: tuple[str, ...]
    tags: dict[str, float]
    fields: dict[str, Any] | None = None
    """The optional fields that are known, as in JSON; None where none is."""

    @classmethod
    def of(cls, movie: Movie) -> "Row":
        """Return the row of a movie."""
        fields = movie.present_fields() or None
        return cls(movie.movie_id, movie.title, movie.year, movie.genres, movie.tags, fields)

    @classmethod
    def parse(cls, text: bytes) -> "Row":
        """Parse a stored movie (JSON).

        Without validation, as the consumer has validated it: 60,000 movies load in a second.
        """
        movie = orjson.loads(text)
        genres = tuple(movie["genres"])
        movie_id = kept_id(movie["movie_id"])
        fields = {name: movie[name] for name in movie if name in FIELD_NAMES} or None
        return cls(movie_id, movie["title"], movie["year"], genres, movie["tags"], fields)

    @classmethod
    def unknown(cls, movie_id: int) -> "Row":
        """Return the row of a movie that the catalogue does not have: the id alone."""
        return cls(movie_id, None, None, (), {})

    def is_of(self, keys: frozenset[str]) -> bool:
        """Return whether the movie is of any of these genres (`genre_key`)."""
        return bool(keys) and any(genre_key(name) in keys for name in self.genres)

    @property
    def all_tags(self) -> dict[str, float]:
        """Tags with their relevance, free ones with the highest."""
        if not self.fields:
            return self.tags
        return self.tags | dict.fromkeys(free_tags(self.fields), 1.0)

    @property
    def links(self) -> Mapping[str, Any]:
        """Its ids elsewhere, by site."""
        return (self.fields or {}).get("links") or {}

    def has_tag(self, tag: str) -> bool:
        """Return whether the movie carries a tag, ignoring case."""
        return fold_tag(tag) in relevant_tags(self.all_tags)

    def summary(self) -> dict[str, Any]:
        """Return the fields that lists of movies show."""
        summary = {
            "movie_id": as_given(self.movie_id),
            "title": self.title,
            "year": self.year,
            "genres": self.genres,
        }
        if self.fields:
            summary |= {name: self.fields[name] for name in _SHORT if name in self.fields}
        return summary

    def details(self) -> dict[str, Any]:
        """Return all fields, tags by relevance."""
        tags = sorted(self.tags.items(), key=lambda tag: (-tag[1], tag[0]))
        return self.summary() | {"tags": dict(tags)} | (self.fields or {})


@dataclass(frozen=True)
class MovieFilter:
    """Filter of movies; what is not known of a movie passes no filter of it.

    Attributes:
        genres: Genres of which it must have one; empty: any.
        year_from: First year.
        year_to: Last year.
        tag: Tag that it must carry.
        genres_not: Genres of which it must have none.
        runtime_max: Longest running time in minutes.
        languages: Languages of which one must be its own; empty: any.
        certificates: Certificates, likewise.
        only: Ids of which it must have one; None: any.
    """

    genres: tuple[str, ...] = ()
    year_from: int | None = None
    year_to: int | None = None
    tag: str | None = None
    genres_not: tuple[str, ...] = ()
    runtime_max: int | None = None
    languages: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    only: frozenset[int] | None = None

    @cached_property
    def genre_keys(self) -> frozenset[str]:
        """The genres in the form in which they are compared."""
        return frozenset(map(genre_key, self.genres))

    @cached_property
    def genre_not_keys(self) -> frozenset[str]:
        """The genres that are not wanted, likewise."""
        return frozenset(map(genre_key, self.genres_not))

    @cached_property
    def is_any(self) -> bool:
        """Whether every movie passes."""
        return self == MovieFilter()

    @property
    def by_catalogue(self) -> "MovieFilter":
        """The part that only the catalogue knows: models' rows have genres and years alone."""
        return replace(self, genres=(), year_from=None, year_to=None, genres_not=())

    @property
    def has_fields(self) -> bool:
        """Whether it is by optional fields."""
        return bool(self.runtime_max or self.languages or self.certificates)

    def allows(self, row: Row) -> bool:
        """Return whether a movie passes the filter."""
        if self.only is not None and row.movie_id not in self.only:
            return False
        if row.is_of(self.genre_not_keys) or (self.has_fields and not self._allows_fields(row)):
            return False
        if self.genres and not row.is_of(self.genre_keys):
            return False
        if self.year_from is not None and (row.year is None or row.year < self.year_from):
            return False
        if self.year_to is not None and (row.year is None or row.year > self.year_to):
            return False
        return self.tag is None or row.has_tag(self.tag)

    def _allows_fields(self, row: Row) -> bool:
        fields = row.fields or {}
        runtime, certificate = fields.get("runtime"), fields.get("certificate", "").casefold()
        if self.runtime_max is not None and (runtime is None or runtime > self.runtime_max):
            return False
        if self.certificates and certificate not in map(str.casefold, self.certificates):
            return False
        language = fields.get("language")
        return not self.languages or any(speaks(language, wanted) for wanted in self.languages)


class Catalogue:
    """All movies by id; `version` grows with each change, to invalidate what is derived from it."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self.version = 0
        self.replace(rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows.values())

    def __contains__(self, movie_id: object) -> bool:
        return movie_id in self._rows

    @property
    def ids(self) -> KeysView[int]:
        """The ids of the movies."""
        return self._rows.keys()

    def get(self, movie_id: int) -> Row | None:
        """Return a movie's row, None when there is no such movie."""
        return self._rows.get(movie_id)

    def given(self, movie_id: int) -> int | str:
        """Return a movie's id as the catalogue gives it, else as the number itself was given."""
        row = self._rows.get(movie_id)
        return as_given(movie_id if row is None else row.movie_id)

    def replace(self, rows: Iterable[Row]) -> None:
        """Replace all movies."""
        self._rows = {row.movie_id: row for row in rows}
        self.table = _table(list(self))
        """The same movies as arrays; a movie keeps its row until all are replaced."""
        self.genres = GenreIndex(row.genres for row in self)
        self._titles = TitleIndex((row.movie_id, row.title or "", row.year) for row in self)
        self._tags = TagIndex((row.movie_id, row.all_tags) for row in self)
        self._fields = FieldColumns(row.fields for row in self)
        self.version += 1

    def put(self, row: Row) -> None:
        """Add a movie or replace its row."""
        self.remove(row.movie_id)
        self._rows[row.movie_id] = row
        self._titles.put(row.movie_id, row.title or "", row.year)
        self._tags.put(row.movie_id, row.all_tags)
        self.genres.put(row.genres)
        place = self.table.put(row.movie_id, row.genres, row.year, _NO_VECTOR, -1)
        self._fields.put(place, row.fields)
        self.version += 1

    def remove(self, movie_id: int) -> None:
        """Take a movie out."""
        row = self._rows.pop(movie_id, None)
        if row is not None:
            self._titles.remove(movie_id, row.title or "", row.year)
            self._tags.remove(movie_id, row.all_tags)
            self.genres.remove(row.genres)
            self.table.remove(movie_id)
            self.version += 1

    def filter_mask(self, allowed: MovieFilter) -> npt.NDArray[np.bool_]:
        """Return the mask of the table's rows that a filter allows, shape (n_rows,)."""
        years, mask = self.table.years, self.table.alive.copy()
        if allowed.tag is not None:
            mask &= self._listed(self.tagged(allowed.tag))
        if allowed.only is not None:
            mask &= self._listed(sorted(allowed.only))
        if allowed.genres:
            mask &= (self.table.genres & self.table.genre_mask(allowed.genres)) != 0
        if allowed.genres_not:
            mask &= (self.table.genres & self.table.genre_mask(allowed.genres_not)) == 0
        if allowed.has_fields:
            limits = allowed.runtime_max, allowed.languages, allowed.certificates
            mask &= self._fields.mask(len(mask), *limits)
        if allowed.year_from is not None:
            mask &= years >= allowed.year_from
        if allowed.year_to is not None:
            mask &= (years <= allowed.year_to) & (years > 0)
        return mask

    def _listed(self, movie_ids: Sequence[int]) -> npt.NDArray[np.bool_]:
        """Return the mask of the table's rows of some movies, shape (n_rows,)."""
        mask = np.zeros(len(self.table.alive), bool)
        mask[self.table.indexes(movie_ids)] = True
        return mask

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages of the films, as codes."""
        return self._fields.languages(self.table.alive)

    @property
    def certificates(self) -> tuple[str, ...]:
        """The certificates of the films."""
        return self._fields.certificates(self.table.alive)

    def numbers(self, mask: npt.NDArray[np.bool_]) -> list[int]:
        """Return the ids of the movies in a mask of the table's rows."""
        ids: list[int] = self.table.movie_ids[mask].tolist()
        return ids

    def tagged(self, tag: str) -> Sequence[int]:
        """Return the ids of the movies that carry a tag, ignoring case; none for an unknown tag."""
        return self._tags.movies(tag)

    def search(self, query: str) -> dict[int, int]:
        """Return movie id → quality of the title match, 0 best (see `TitleIndex.search`)."""
        return self._titles.search(query)


_NO_VECTOR = np.zeros(0, np.float32)


def _table(rows: list[Row]) -> MovieTable:
    names = catalogue_genres(row.genres for row in rows)
    vocabulary = GenreVocabulary(names)
    return MovieTable(
        [row.movie_id for row in rows],
        np.array([vocabulary.add(row.genres) for row in rows], np.uint64),
        np.array([row.year or 0 for row in rows], np.int16),
        np.zeros((len(rows), 0), np.float32),
        np.full(len(rows), -1, np.int16),
        genre_names=names,
    )
