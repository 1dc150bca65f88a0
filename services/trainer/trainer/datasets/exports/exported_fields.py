"""Optional fields of films in an export: columns that anybody can read, and give back exactly."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from marquee.domain.movie_fields import KINDS, kept_fields
from marquee.domain.movies import Movie

REST = "marqueeFields"
"""Column of what no other column can have, as JSON; there where any film has something."""
_COLUMNS: Mapping[str, tuple[str, str]] = {
    "runtime": ("runtime", "runtime"),
    "language": ("language", "language"),
    "certificate": ("certificate", "certificate"),
    "overview": ("overview", "overview"),
    "poster": ("poster_url", "posterUrl"),
    **{kind: (kind, kind) for kind in KINDS},
}
"""Role of a column → optional field, and name of the column."""
FIELD_ROLES = tuple(_COLUMNS)
"""Roles of the columns."""


def field_columns(movies: Sequence[Movie], as_lists: bool) -> Iterator[tuple[str, Sequence[Any]]]:
    """Yield name and cells of each column of optional fields that any film has.

    Args:
        movies: The films.
        as_lists: Lists stay lists; else they are JSON.
    """
    fields = [movie.present_fields() for movie in movies]
    for role, (_, name) in _COLUMNS.items():
        values = [_column_value(role, of_one) for of_one in fields]
        if any(value is not None for value in values):
            yield name, values if as_lists else [_text(value) for value in values]
    rests = [_rest(of_one) for of_one in fields]
    if any(rests):
        yield REST, [json.dumps(rest, ensure_ascii=False) if rest else "" for rest in rests]


def link_rows(movies: Sequence[Movie]) -> Iterator[tuple[Movie, str, int | None]]:
    """Yield the films whose links a table of links can have, with their ids elsewhere."""
    for movie in movies:
        if movie.links is not None and _has_link_row(movie.present_fields()["links"]):
            yield movie, movie.links.imdb or "", movie.links.tmdb


def read_cell(role: str, text: str) -> dict[str, Any] | None:
    """Return the field of a cell of an export, {} for none, None where the cell is no such."""
    field, _ = _COLUMNS[role]
    if text == "":
        return {}
    try:
        value = json.loads(text) if field in (*KINDS, "runtime") else text
        return kept_fields({field: value}).present_fields()
    except (ValueError, RecursionError):
        return None


def read_rest(text: str) -> dict[str, Any] | None:
    """Return the fields of a cell of `marqueeFields`, None where it is damaged."""
    try:
        return kept_fields(json.loads(text) if text else {}).present_fields()
    except (ValueError, TypeError, RecursionError):
        return None


def _column_value(role: str, fields: Mapping[str, Any]) -> Any:
    """Return the value that a film has in a column, None where the column cannot give it back."""
    field, _ = _COLUMNS[role]
    value = fields.get(field)
    text = _text(value)
    # A line may end where \r is, and no table has zero bytes.
    is_exact = not {"\r", "\0"} & set(text) and read_cell(role, text) == {field: value}
    return value if is_exact else None


def _text(value: Any) -> str:
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else str(value)


def _rest(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a film that have no column."""
    told = {
        field for role, (field, _) in _COLUMNS.items() if _column_value(role, fields) is not None
    }
    if _has_link_row(fields.get("links")):
        told.add("links")
    return {name: value for name, value in fields.items() if name not in told}


def _has_link_row(links: Mapping[str, Any] | None) -> bool:
    """Return whether a table of links gives these back: an id at IMDb may have zeros before it."""
    if not links:
        return False
    digits = links.get("imdb", "tt1111111").removeprefix("tt")
    return (len(digits) == 7 and int(digits) > 0) or (7 < len(digits) <= 10 and digits[0] != "0")
