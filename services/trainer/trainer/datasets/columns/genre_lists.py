"""Lists of genres as catalogues write them: a column of any vocabulary."""

import ast
import json
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping

from marquee.domain.genres import (
    MAX_GENRES,
    MAX_LENGTH,
    NAME,
    distinct_genres,
    frequent_spellings,
    genre_key,
)
from marquee.errors import DataError

ML_100K_GENRES = (
    "unknown|Action|Adventure|Animation|Children's|Comedy|Crime|Documentary|Drama|Fantasy|Film-Noir"
    "|Horror|Musical|Mystery|Romance|Sci-Fi|Thriller|War|Western"
)
"""Genres of the flags in a row of ml-100k's films."""

_OTHER_NAMES = {"Children's": "Children"}
"""Names of older releases of MovieLens."""
_NO_GENRE = frozenset({"", "(no genres listed)", "unknown", "\\n"})
_SEPARATORS = "|;,/"
"""What separates genres in a cell, the first that the column has."""
_SHARE = 0.01
"""Share of the cells that must have a separator: in fewer it is part of a name."""
_SHOWN = 5

Cell = str | list[str]


class GenreColumn:
    """The genres of films by id, told apart once all cells are known.

    Attributes:
        refused: How many films have each name that cannot be a genre's.
    """

    def __init__(self, is_verbatim: bool = False) -> None:
        """Take no film yet; `is_verbatim`: names are as the catalogue has them, whatever they are.

        Then they are not brought to one spelling.
        """
        self.refused: Counter[str] = Counter()
        self._is_verbatim = is_verbatim
        self._cells: dict[int, Cell] = {}

    def add(self, movie_id: int, cell: Cell) -> None:
        """Add the genres of a film: names, or a text.

        In a text they are separated by bars, semicolons, commas or slashes, or are a list in JSON
        or Python, of names or of objects with a `name`.
        """
        names = list_in(cell) if isinstance(cell, str) else cell
        self._cells[movie_id] = cell if names is None else names

    def settled(self) -> dict[int, tuple[str, ...]]:
        """Return the genres of each film, each in its most frequent spelling.

        Raises:
            DataError: They are more than a catalogue may have, and no catalogue has had them.
        """
        separator = _separator_of([cell for cell in self._cells.values() if isinstance(cell, str)])
        self.refused.clear()
        genres = {
            movie_id: self._clean(cell if isinstance(cell, list) else cell.split(separator))
            for movie_id, cell in self._cells.items()
        }
        films_with = Counter(name for names in genres.values() for name in names)
        spellings = frequent_spellings(films_with)
        if self._is_verbatim:
            return {movie_id: tuple(names) for movie_id, names in genres.items()}
        _check_number(films_with, spellings)
        return {
            movie_id: distinct_genres(spellings[genre_key(name)] for name in names)
            for movie_id, names in genres.items()
        }

    def _clean(self, names: Iterable[str]) -> list[str]:
        """Return the names that can be genres; count the others."""
        if self._is_verbatim:
            return [name for name in names if name]
        found = []
        for name in (" ".join(name.split()) for name in names):
            name = _OTHER_NAMES.get(name, name)
            if name.casefold() in _NO_GENRE:
                continue
            if not NAME.allows(name):
                self.refused[name[: MAX_LENGTH + 1]] += 1
            else:
                found.append(name)
        return found


def list_in(text: str) -> list[str] | None:
    """Return the names of a list in JSON or Python, of texts or objects with a `name`.

    None where the text is no list.
    """
    values = objects_in(text)
    if values is None:
        return None
    named = [value.get("name", "") if isinstance(value, dict) else value for value in values]
    return [str(value).encode(errors="replace").decode() for value in named]


def objects_in(text: str) -> list[object] | None:
    """Return the items of a list in JSON or Python, None where the text is no list."""
    text = text.strip()
    if not text.startswith("["):
        return None
    for read in (json.loads, _literal):
        try:
            values = read(text)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            continue
        return values if isinstance(values, list) else None
    return None


def _literal(text: str) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes that Python will not have for ever
        return ast.literal_eval(text)


def _separator_of(cells: list[str]) -> str:
    texts = [cell for cell in cells if cell.strip().casefold() not in _NO_GENRE]
    for separator in _SEPARATORS:
        if sum(separator in text for text in texts) > _SHARE * len(texts):
            return separator
    return _SEPARATORS[0]


def _check_number(films_with: Counter[str], spellings: Mapping[str, str]) -> None:
    if len(spellings) <= MAX_GENRES:
        return
    rare = ", ".join(repr(name) for name, _ in films_with.most_common()[: -_SHOWN - 1 : -1])
    raise DataError(
        f"the films have {len(spellings)} genres, and a catalogue may have {MAX_GENRES}; rare ones"
        f" are {rare}: take them out of the table, or say which column has the genres, --columns"
        " genres=COLUMN (- for none)",
        "columns",
    )
