"""Which column of a table is what: by its name, or as the user says."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from marquee.errors import DataError
from trainer.datasets.columns.film_details import DETAIL_ROLES

Kind = Literal["ratings", "movies", "tags", "relevances", "links", "credits", "keywords"]
"""What the rows of a table are."""

ROLES: Mapping[str, tuple[str, ...]] = {
    "user": (
        "userid", "user", "uid", "viewerid", "viewer", "customerid", "customer", "memberid",
        "accountid", "profileid", "reviewerid",
    ),
    "movie": ("movieid", "movie", "mid", "itemid", "item", "filmid", "film", "productid", "showid"),
    "rating": ("rating", "score", "stars", "ratingvalue"),
    "time": ("timestamp", "time", "datetime", "date", "ratedat", "createdat", "unixtime", "ts"),
    "title": ("title", "movietitle", "filmtitle", "name", "moviename", "primarytitle"),
    "year": ("year", "releaseyear", "startyear", "releasedate"),
    "genres": ("genres", "genre", "category", "categories", "listedin"),
    "tag": ("tag", "keyword", "label"),
    "relevance": ("relevance",),
    "imdb": ("imdbid",),
    "tmdb": ("tmdbid",),
    "runtime": ("runtime", "runtimeminutes", "runningtime", "duration"),
    "language": ("language", "originallanguage", "lang"),
    "certificate": ("certificate", "certification", "contentrating", "agerating", "mpaarating"),
    "overview": ("overview", "synopsis", "plot", "description", "summary"),
    "poster": ("posterurl", "poster", "posterpath"),
    "cast": ("cast", "actors"),
    "crew": ("crew", "directors", "director"),
    "people": ("people",),
    "keywords": ("keywords", "plotkeywords"),
    "moods": ("moods", "mood"),
    "fields": ("marqueefields",),
}  # fmt: skip
"""Role of a column → names that it may have, in lower case without what is no letter."""

NO_COLUMN = "-"
"""What a user names for a role that no column is to have."""
_ID_ROLES = ("movie",)
_DETAILS = frozenset(DETAIL_ROLES)
_OF_CREDITS = frozenset({"movie", "title", "cast", "crew"})
COLUMNS_NEEDED: Mapping[Kind, tuple[str, ...]] = {
    "tags": ("user", "movie", "tag"),
    "ratings": ("user", "movie", "rating"),
    "movies": ("movie", "title"),
    "relevances": ("movie", "tag", "relevance"),
    "links": ("movie",),
    "credits": ("movie", "cast"),
    "keywords": ("movie", "keywords"),
}
"""Columns by which a table is told; the first kind that fits."""
_IMPLICIT = ("user", "movie")
_LINKS = ("imdb", "tmdb")
"""Columns of which a table of links has one."""


@dataclass(frozen=True)
class Columns:
    """The columns of a table by role, as places in a row, and how wide a row is."""

    kind: Kind
    places: Mapping[str, int]
    header: tuple[str, ...]

    @property
    def width(self) -> int:
        """Number of fields of a row."""
        return len(self.header)

    def place(self, role: str) -> int | None:
        """Return the place of a column, None where the table has none."""
        return self.places.get(role)

    def __str__(self) -> str:
        named = (f"{role}={self.header[place]}" for role, place in self.places.items())
        return ", ".join(named)


def parse_mapping(text: str | None) -> dict[str, str]:
    """Return role → name of a column of `rating=score,user=uid`.

    Raises:
        DataError: A part has another form, or its role is unknown.
    """
    mapping: dict[str, str] = {}
    for part in (text or "").split(","):
        if not part.strip():
            continue
        role, equal, name = (piece.strip() for piece in part.partition("="))
        if not equal or not name or role not in ROLES:
            roles = ", ".join(ROLES)
            raise DataError(
                f"columns {part.strip()!r}: ROLE=COLUMN with a role of {roles}", "columns"
            )
        mapping[role] = name
    return mapping


def columns_of(
    header: Sequence[str], file: str, mapping: Mapping[str, str], every_row_likes: bool = False
) -> Columns | None:
    """Return what the columns of a table are, or None where it is none that is used.

    Args:
        header: Its first row.
        file: Its name, for errors.
        mapping: Role → name of a column, as the user says.
        every_row_likes: Whether ratings need no stars.

    Raises:
        DataError: Two columns may have one role, or ratings lack one.
    """
    names = [name.strip() for name in header]
    places = {role: _place(role, names, mapping, file) for role in ROLES}
    found = {role: place for role, place in places.items() if place is not None}
    for kind, roles in COLUMNS_NEEDED.items():
        wanted = _IMPLICIT if every_row_likes and kind == "ratings" else roles
        if kind == "movies" and "cast" in found and found.keys() <= _OF_CREDITS:
            continue  # TMDB 5000 repeats titles in its table of credits
        if kind == "links" and not has_links(found):
            continue
        if all(role in found for role in wanted):
            return Columns(kind, found, tuple(names))
    if "rating" in found and ("user" in found or "movie" in found):
        missing = "movie" if "user" in found else "user"
        raise DataError(
            f"{file}: ratings without a column for the {missing}: say --columns"
            f" {missing}=COLUMN, one of {', '.join(names)}",
            "columns",
        )
    return None


def has_links(places: Mapping[str, int]) -> bool:
    """Return whether columns, by role, tell a film's ids elsewhere."""
    return "movie" in places and any(role in places for role in _LINKS)


def _place(role: str, names: Sequence[str], mapping: Mapping[str, str], file: str) -> int | None:
    if mapping.get(role) in names:  # another table may call its own column otherwise
        return names.index(mapping[role])
    if mapping.get(role) == NO_COLUMN:
        return None
    taken = set(mapping.values())
    plain = {i: _plain(name) for i, name in enumerate(names) if name not in taken}
    places = [i for i, name in plain.items() if name in ROLES[role]]
    if not places and role in _ID_ROLES:
        places = [i for i, name in plain.items() if name == "id"]
    if role == "year":  # a year says more plainly what a date says too
        places = [i for i in places if plain[i] != "releasedate"] or places
    if role in _DETAILS:  # of several, the one whose name comes first: nothing hangs on them
        places.sort(key=lambda i: ROLES[role].index(plain[i]))
        return places[0] if places else None
    if len(places) > 1:
        distinct = list(dict.fromkeys(names[i] for i in places))
        choices = " or ".join(f"{role}={name}" for name in distinct)
        first = " for the first of one name" if len(distinct) < len(places) else ""
        raise DataError(
            f"{file}: {len(places)} columns may be the {role}: say --columns {choices}{first}",
            "columns",
        )
    return places[0] if places else None


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()
