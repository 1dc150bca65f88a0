"""Rows of a table of films: titles, years and genres as people write them."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from marquee.domain.ids import as_given, id_text
from marquee.domain.movies import YEARS, Movie, kept_movie_of
from trainer.datasets.columns.column_names import Columns
from trainer.datasets.columns.film_details import DETAIL_ROLES, FilmDetails
from trainer.datasets.columns.genre_lists import GenreColumn, list_in
from trainer.datasets.columns.titles import split_title
from trainer.datasets.exports.exported_fields import FIELD_ROLES, read_cell, read_rest

_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of what follows, so that a title reads as another one."""
_FOUR_DIGITS = re.compile(r"(?<![0-9])[0-9]{4}(?=[0-9]{4}(?![0-9])|(?![0-9]))")
"""A year: alone, in a date of whatever order, or as the begin of 20050402."""
_NO_YEAR = frozenset({"", "null", "nan", "none", "n/a", "\\n", "0"})
_FIRST_FLAG = 5
"""Place of the first genre's flag in a row of `u.item`."""
_DATE = 2
"""Place of its date."""


@dataclass(frozen=True)
class MovieRow:
    """A film of a table."""

    title: str
    year: int | None
    genres: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    is_kept: bool = False
    """It was accepted once, and stays as it is."""

    def movie(self, movie_id: int, tags: dict[str, float]) -> Movie:
        """Return the film with an id and tags."""
        fields = {
            "movie_id": as_given(movie_id),
            "title": self.title,
            "year": self.year,
            "genres": self.genres,
            "tags": tags,
            **self.details,
        }
        return kept_movie_of(fields) if self.is_kept else Movie.model_validate(fields)


class MovieRows:
    """The films of a table by id; `settle` gives them their genres and optional fields.

    Attributes:
        by_id: The films.
        genres: Their genres.
        details: Their optional fields, of other tables too.
    """

    def __init__(
        self,
        columns: Columns | None,
        flags: Sequence[str] | None = None,
        is_verbatim: bool = False,
    ) -> None:
        """Take the columns, None where there is no table.

        Args:
            columns: The columns.
            flags: The genres whose flags stand in their place.
            is_verbatim: Titles and genres are as the catalogue has them, whatever they are.
        """
        self.by_id: dict[int, MovieRow] = {}
        self.genres, self.details = GenreColumn(is_verbatim), FilmDetails()
        self._columns, self._flags, self._is_verbatim = columns, flags, is_verbatim

    def add(self, movie_id: int, fields: list[str]) -> str | None:
        """Add a film of a row; return why it is none."""
        if movie_id in self.by_id:
            return f"movie id {id_text(movie_id)} stands in an earlier line"
        title, year = self._field(fields, "title"), None
        if not self._is_verbatim:
            title, year = split_title(title)
        own_year = self._own_year(fields)
        names = self._genres(fields)
        if self._flags is not None:
            own_year = year or _year_of_date(fields[_DATE])
        genres = tuple(names) if self._is_verbatim else ()
        row = MovieRow(title, own_year or year, genres, is_kept=self._is_verbatim)
        reason = (None if self._is_verbatim else _control_character(title)) or _reason(row)
        if reason is None:
            self.by_id[movie_id] = row
            self.genres.add(movie_id, names)
            if self._columns:
                self.add_details(movie_id, self._columns, fields)
        return reason

    def add_details(self, movie_id: int, columns: Columns, fields: list[str]) -> None:
        """Add the optional fields that a row of some table tells of a film."""
        places = columns.places
        cells = [(role, fields[places[role]]) for role in DETAIL_ROLES if role in places]
        if self._is_verbatim:
            rest = fields[places["fields"]] if "fields" in places else ""
            self._add_exported(movie_id, cells, rest)
        elif cells and movie_id in self.by_id:
            self.details.add(movie_id, cells)

    def _add_exported(self, movie_id: int, cells: list[tuple[str, str]], rest: str) -> None:
        """Add the optional fields that an export has of a film; a changed cell is as any other."""
        found = self.details.by_id.setdefault(movie_id, {})
        fields = read_rest(rest)
        if fields is None:
            self.details.refuse("fields", rest)
        found |= fields or {}
        for role, text in cells:
            exact = read_cell(role, text) if role in FIELD_ROLES else None
            if exact is None:
                self.details.add(movie_id, [(role, text)])
            else:
                found |= exact

    def settle(self) -> None:
        """Give the films their genres and optional fields: all rows have been added.

        Raises:
            DataError: The genres are more than a catalogue may have.
        """
        for movie_id, genres in self.genres.settled().items():
            details = self.details.by_id.get(movie_id, {})
            self.by_id[movie_id] = replace(self.by_id[movie_id], genres=genres, details=details)

    def telling_titles(self) -> tuple[str, ...]:
        """Return two titles by which an encoding can be judged: those with other than ASCII."""
        titles = [row.title for row in self.by_id.values()]
        return tuple([title for title in titles if not title.isascii()][:2] or titles[:2])

    def _own_year(self, fields: list[str]) -> int | None:
        text = self._field(fields, "year").strip()
        year = _year(text)
        if year is None and text.casefold() not in _NO_YEAR:
            self.details.refuse("year", text)
        return year

    def _genres(self, fields: list[str]) -> str | list[str]:
        if self._flags is None:
            text = self._field(fields, "genres")
            return _exported_genres(text) if self._is_verbatim else text
        flags = zip(self._flags, fields[_FIRST_FLAG:], strict=False)
        return [name for name, flag in flags if flag == "1"]

    def _field(self, fields: list[str], role: str) -> str:
        place = self._columns.place(role) if self._columns else None
        return "" if place is None else fields[place]


def refused_cells(rows: MovieRows) -> dict[str, tuple[int, str]]:
    """Return how many cells of a role are left out as they cannot be what they should, and one."""
    details, genres = rows.details, rows.genres.refused
    refused = {role: (n, details.examples[role]) for role, n in details.refused.most_common()}
    if genres:
        refused["genres"] = (genres.total(), next(iter(genres)))
    return refused


def _reason(row: MovieRow) -> str | None:
    if not row.title:
        return "the title is empty"
    try:
        row.movie(1, {})
    except ValidationError as error:
        first = error.errors()[0]
        return f"{first['loc'][0]}: {first['msg']}"
    return None


def _exported_genres(text: str) -> list[str]:
    names = list_in(text)
    return [name for name in (text.split("|") if names is None else names) if name]


def _control_character(text: str) -> str | None:
    for character in text:
        if unicodedata.category(character) == "Cc" or character in _DIRECTIONS:
            return f"the title has the control character U+{ord(character):04X}"
    return None


def _year(text: str) -> int | None:
    """Return the year of a field with a year or a date, in whatever order; None if not one."""
    years = {int(digits) for digits in _FOUR_DIGITS.findall(text)}
    return years.pop() if len(years) == 1 and years <= {*YEARS} else None


def _year_of_date(date: str) -> int | None:
    try:
        return datetime.strptime(date, "%d-%b-%Y").year
    except ValueError:
        return None
