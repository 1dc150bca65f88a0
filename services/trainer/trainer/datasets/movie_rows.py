"""Rows of a table of films: titles, years and genres as people write them."""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from marquee.domain.movies import Movie
from trainer.datasets.column_names import Columns
from trainer.datasets.genre_lists import split_genres
from trainer.datasets.titles import split_title

_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of what follows, so that a title reads as another one."""
_FIRST_FLAG = 5
"""Place of the first genre's flag in a row of `u.item`."""
_DATE = 2
"""Place of its date."""


@dataclass(frozen=True)
class MovieRow:
    """A film of a table."""

    title: str
    year: int | None
    genres: tuple[str, ...]

    def movie(self, movie_id: int, tags: dict[str, float]) -> Movie:
        """Return the film with an id and tags."""
        return Movie(
            movie_id=movie_id, title=self.title, year=self.year, genres=self.genres, tags=tags
        )


class MovieRows:
    """The films of a table by id, and the genres that are not in the vocabulary.

    Attributes:
        by_id: The films.
        unknown_genres: How many films have each.
    """

    def __init__(self, columns: Columns, flags: Sequence[str] | None = None) -> None:
        """Take the columns; `flags` are the genres whose flags stand in their place."""
        self.by_id: dict[int, MovieRow] = {}
        self.unknown_genres: Counter[str] = Counter()
        self._columns, self._flags = columns, flags

    def add(self, movie_id: int, fields: list[str]) -> str | None:
        """Add a film of a row; return why it is none."""
        if movie_id in self.by_id:
            return f"movie id {movie_id} stands in an earlier line"
        title, year = split_title(self._field(fields, "title"))
        own_year = _year(self._field(fields, "year"))
        names = self._genres(fields)
        if self._flags is not None:
            own_year = year or _year_of_date(fields[_DATE])
        genres, unknown = split_genres(names)
        row = MovieRow(title, own_year or year, genres)
        reason = _control_character(title) or _reason(row)
        if reason is None:
            self.by_id[movie_id] = row
            self.unknown_genres.update(unknown)
        return reason

    def telling_titles(self) -> tuple[str, ...]:
        """Return two titles by which an encoding can be judged: those with other than ASCII."""
        titles = [row.title for row in self.by_id.values()]
        return tuple([title for title in titles if not title.isascii()][:2] or titles[:2])

    def _genres(self, fields: list[str]) -> str | list[str]:
        if self._flags is None:
            return self._field(fields, "genres")
        flags = zip(self._flags, fields[_FIRST_FLAG:], strict=False)
        return [name for name, flag in flags if flag == "1"]

    def _field(self, fields: list[str], role: str) -> str:
        place = self._columns.place(role)
        return "" if place is None else fields[place]


def _reason(row: MovieRow) -> str | None:
    if not row.title:
        return "the title is empty"
    try:
        row.movie(1, {})
    except ValidationError as error:
        first = error.errors()[0]
        return f"{first['loc'][0]}: {first['msg']}"
    return None


def _control_character(text: str) -> str | None:
    for character in text:
        if unicodedata.category(character) == "Cc" or character in _DIRECTIONS:
            return f"the title has the control character U+{ord(character):04X}"
    return None


def _year(text: str) -> int | None:
    """Return the year of a field with a year or a date."""
    digits = text.strip()[:4]
    if len(digits) == 4 and digits.isdecimal() and 1850 <= int(digits) <= 2200:
        return int(digits)
    return None


def _year_of_date(date: str) -> int | None:
    try:
        return datetime.strptime(date, "%d-%b-%Y").year
    except ValueError:
        return None
