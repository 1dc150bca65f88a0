"""Lists of genres as catalogues write them."""

import ast
import re

from marquee.domain.movies import GENRES

ML_100K_GENRES = (
    "unknown|Action|Adventure|Animation|Children's|Comedy|Crime|Documentary|Drama|Fantasy|Film-Noir"
    "|Horror|Musical|Mystery|Romance|Sci-Fi|Thriller|War|Western"
)
"""Genres of the flags in a row of ml-100k's films."""

_OTHER_NAMES = {
    "children's": "Children",
    "science fiction": "Sci-Fi",
    "scifi": "Sci-Fi",
    "sci fi": "Sci-Fi",
    "film noir": "Film-Noir",
}
_BY_NAME = {name.casefold(): name for name in GENRES} | _OTHER_NAMES
_NO_GENRE = frozenset({"", "(no genres listed)", "unknown", "\\n"})
_SEPARATORS = re.compile(r"\s*[,;/]\s*")


def split_genres(genres: str | list[str]) -> tuple[tuple[str, ...], list[str]]:
    """Return the genres of the vocabulary, in its spelling, and the names that are not in it.

    A list is separated by bars, commas, semicolons or slashes, or written in JSON or Python, of
    names or of objects with a `name`.
    """
    names = _names(genres) if isinstance(genres, str) else genres
    known: dict[str, None] = {}
    unknown = []
    for name in (name.strip() for name in names):
        if name.casefold() in _BY_NAME:
            known[_BY_NAME[name.casefold()]] = None
        elif name.casefold() not in _NO_GENRE:
            unknown.append(name)
    return tuple(known), unknown


def _names(text: str) -> list[str]:
    text = text.strip()
    if text.startswith("["):
        try:
            values = ast.literal_eval(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return [text]
        named = [value.get("name", "") if isinstance(value, dict) else value for value in values]
        return [str(value) for value in named]
    if "|" in text:
        return text.split("|")
    if text.casefold() in _BY_NAME or text.casefold() in _NO_GENRE:
        return [text]
    return _SEPARATORS.split(text)
