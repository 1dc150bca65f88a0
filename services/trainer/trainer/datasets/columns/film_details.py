"""Optional fields of films as tables have them: running time, language, people and others."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from marquee.domain.movie_fields import (
    LANGUAGE_PATTERN,
    MAX_CERTIFICATE,
    MAX_FREE_TAGS,
    MAX_NAME,
    MAX_OVERVIEW,
    MAX_RUNTIME,
    MovieFields,
)
from trainer.datasets.columns.genre_lists import list_in, objects_in

_MINUTES = re.compile(r"(\d{1,4})(?:\.0*)?\s*(?:min\w*\.?|m|мин\.?)?", re.IGNORECASE)
_ADDRESS = re.compile(r"https?://\S{1,1990}")
_ABSENT = frozenset({"", "\\n", "nan", "null", "none", "n/a", "[]"})
_ACTORS = 10
"""People of the cast that a film keeps, in their order."""
_KEYWORDS = 100
_DIRECTOR = "director"


def _runtime(text: str) -> int | None:
    match = _MINUTES.fullmatch(text)
    minutes = int(match[1]) if match else -1
    return minutes if 0 <= minutes <= MAX_RUNTIME else None


def _language(text: str) -> str | None:
    return text if re.fullmatch(LANGUAGE_PATTERN, text) else None


def _certificate(text: str) -> str | None:
    return text if len(text) <= MAX_CERTIFICATE else None


def _poster(text: str) -> str | None:
    return text if _ADDRESS.fullmatch(text) else None


_READERS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "runtime": ("runtime", _runtime),
    "language": ("language", _language),
    "certificate": ("certificate", _certificate),
    "overview": ("overview", lambda text: text[:MAX_OVERVIEW]),
    "poster": ("poster_url", _poster),
    "cast": ("people", lambda text: _names(text)[:_ACTORS]),
    "crew": ("people", lambda text: _directors(text)),
    "people": ("people", lambda text: _names(text)[:_KEYWORDS]),
    "keywords": ("keywords", lambda text: _names(text)[:_KEYWORDS]),
    "moods": ("moods", lambda text: _names(text)[:_KEYWORDS]),
}
"""Role of a column → optional field, and what reads its cells (None: it cannot be one)."""

DETAIL_ROLES = tuple(_READERS)
"""Roles of columns with optional fields."""


class FilmDetails:
    """Optional fields of films by id.

    Attributes:
        by_id: The fields of each film.
        refused: How many cells of each role cannot be read, and the first of them.
    """

    def __init__(self) -> None:
        self.by_id: dict[int, dict[str, Any]] = {}
        self.refused: Counter[str] = Counter()
        self.examples: dict[str, str] = {}

    def add(self, movie_id: int, cells: Iterable[tuple[str, str]]) -> None:
        """Add what cells (role, text) tell of a film; of one field in two tables both count."""
        for role, text in cells:
            text = text.strip()
            if text.casefold() in _ABSENT:
                continue
            field, read = _READERS[role]
            value = _valid(field, read(text))
            if value is None:
                self.refuse(role, text)
            elif value:
                fields = self.by_id.setdefault(movie_id, {})
                fields[field] = _joined(fields.get(field), value)

    def refuse(self, role: str, text: str) -> None:
        """Count a cell that cannot be read."""
        self.refused[role] += 1
        self.examples.setdefault(role, text[:40])


def _valid(field: str, value: Any) -> Any:
    """Return the value of a field, None where a film cannot have it."""
    try:
        return value and getattr(MovieFields(**{field: value}), field) and value
    except ValidationError:
        return None


def _joined(known: Any, value: Any) -> Any:
    """Return names with those that are known before them, and any other value as it is."""
    return (
        [*dict.fromkeys([*known, *value])][:MAX_FREE_TAGS]
        if known and isinstance(value, list)
        else value
    )


def _names(text: str) -> list[str]:
    """Return the distinct names of a list, or of a text with bars, semicolons or commas."""
    names = list_in(text)
    if names is None:
        separator = next((mark for mark in "|;," if mark in text), ",")
        names = text.split(separator)
    return _distinct(names)


def _distinct(names: Iterable[str]) -> list[str]:
    found = dict.fromkeys(name.strip()[:MAX_NAME].strip() for name in names if name.strip())
    return [*found][:_KEYWORDS]


def _directors(text: str) -> list[str]:
    """Return the directors of a crew, or all names where no jobs are told."""
    people = objects_in(text) or []
    jobs = [person for person in people if isinstance(person, dict) and "job" in person]
    if not jobs:
        return _names(text)
    names = (str(p.get("name", "")) for p in jobs if str(p["job"]).casefold() == _DIRECTOR)
    return _distinct(names)
