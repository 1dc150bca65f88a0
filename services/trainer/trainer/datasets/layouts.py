"""Which files of a data set hold what: known by their names, or by their columns."""

import codecs
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from marquee.errors import DataError
from trainer.datasets.column_formats import ENDINGS
from trainer.datasets.column_names import COLUMNS_NEEDED, Columns, Kind, columns_of
from trainer.datasets.dialects import NAMES, OpenQuoteError, separator_of, split_rows
from trainer.datasets.encodings import decode
from trainer.datasets.options import ImportOptions
from trainer.datasets.sources import SourceFiles, by_folder

_TABLES = (".csv", ".tsv", ".txt", ".tab", *ENDINGS)
"""Endings of files that may be tables with a header."""
TMDB_MOVIES = "movies_metadata.csv"
"""The films of The Movies Dataset, by their ids at TMDB; its ratings are of MovieLens' ids."""
_STANDARD: Mapping[Kind, tuple[str, ...]] = {
    "ratings": ("ratings.csv", "rating.csv"),
    "movies": ("movies.csv", "movie.csv", TMDB_MOVIES, "tmdb_5000_movies.csv"),
    "tags": ("tags.csv", "tag.csv"),
    "links": ("links.csv", "link.csv"),
}
"""Names of files of well-known data sets, which go before others of the same kind."""
_HEAD = 1 << 16
_ML_100K_WIDTH = 24


@dataclass(frozen=True)
class TableFile:
    """A table, how its rows are read, and the line of the first one."""

    name: str
    columns: Columns
    separator: str
    encoding: str | None
    first: int

    def __str__(self) -> str:
        separator = NAMES.get(self.separator, repr(self.separator))
        return f"{self.name}: {self.columns.kind}; separator {separator}; {self.columns}"


@dataclass(frozen=True)
class Layout:
    """The tables of a data set in a folder.

    Attributes:
        folder: Its path in what the user named.
        files: The files of the folder.
        tables: Those that are read.
        unread: The other tables, each with what it is.
        has_genre_flags: The films are those of ml-100k.
    """

    folder: str
    files: SourceFiles
    tables: Mapping[Kind, TableFile]
    unread: tuple[str, ...] = ()
    has_genre_flags: bool = False


def find_layout(files: SourceFiles, options: ImportOptions, where: str) -> Layout:
    """Return the tables of the topmost folder that has films.

    Args:
        files: All files, by path.
        options: What the user says of them.
        where: Where they are, for errors.

    Raises:
        DataError: No folder has films, or two of one depth have, or two files may be one table.
    """
    found: list[Layout] = []
    seen: list[str] = []
    for folder, contents in by_folder(files).items():
        if found and _depth(folder) > _depth(found[0].folder):
            break
        layout = _by_name(folder, contents) or _by_columns(folder, contents, options, seen)
        if layout:
            found.append(layout)
    if len(found) > 1:
        folders = ", ".join(layout.folder for layout in found)
        raise DataError(f"{where}: {len(found)} data sets, in {folders}: name one of them", "path")
    if found:
        return found[0]
    told = f"; found {'; '.join(seen[:10])}" if seen else ""
    raise DataError(
        f"{where}: no data here; looked for a table with columns movie and title, beside one with"
        " user, movie and rating (MovieLens: ratings.csv with movies.csv, ratings.dat with"
        f" movies.dat, u.data with u.item){told}",
        "path",
    )


def _depth(folder: str) -> int:
    return len(PurePosixPath(folder).parts)


def _by_name(folder: str, files: SourceFiles) -> Layout | None:
    """Return the layout of the releases of MovieLens that have no header."""
    if {"ratings.dat", "movies.dat"} <= set(files):
        tables = {
            "ratings": _fixed("ratings.dat", "ratings", "::", "user movie rating time"),
            "movies": _fixed("movies.dat", "movies", "::", "movie title genres"),
        }
        if "tags.dat" in files:
            tables["tags"] = _fixed("tags.dat", "tags", "::", "user movie tag time")
        return Layout(folder, files, tables)  # type: ignore[arg-type]
    if {"u.data", "u.item"} <= set(files):
        header = " ".join(["movie title", *map(str, range(_ML_100K_WIDTH - 2))])
        tables = {
            "ratings": _fixed("u.data", "ratings", "\t", "user movie rating time"),
            "movies": _fixed("u.item", "movies", "|", header),
        }
        return Layout(folder, files, tables, has_genre_flags=True)  # type: ignore[arg-type]
    return None


def _fixed(name: str, kind: Kind, separator: str, header: str) -> TableFile:
    names = tuple(header.split())
    places = {role: place for place, role in enumerate(names) if not role.isdigit()}
    return TableFile(name, Columns(kind, places, names), separator, None, 1)


def _by_columns(
    folder: str, files: SourceFiles, options: ImportOptions, seen: list[str]
) -> Layout | None:
    """Return the layout of tables with a header; what others are is added to `seen`."""
    found: dict[Kind, list[TableFile]] = {}
    unread: list[str] = []
    for name, opener in files.items():
        if not name.endswith(_TABLES):
            continue
        with opener() as stream:
            table, reason = _look(name, stream, options)
        if table is None:
            _check_standard(name, reason)
            unread.append(f"{name}: {reason}")
        else:
            found.setdefault(table.columns.kind, []).append(table)
    if "movies" not in found:
        seen += [*unread, *(f"{table}" for tables in found.values() for table in tables)]
        return None
    tables = {kind: _one(kind, tables) for kind, tables in found.items()}
    return Layout(folder, files, tables, tuple(unread))


def _check_standard(name: str, reason: str) -> None:
    """Check that a file that cannot be read has no standard name: it would be missed."""
    for kind, names in _STANDARD.items():
        if name in names and kind != "links":
            roles = ", ".join(COLUMNS_NEEDED[kind])
            raise DataError(
                f"{name}: {reason}; wanted is a header with the columns {roles}: add it, or say"
                " which columns they are by --columns",
                "columns",
            )


def _look(name: str, stream: BinaryIO, options: ImportOptions) -> tuple[TableFile | None, str]:
    """Return a table by its header, or None and the reason."""
    decoded = decode(_head(stream), name, options.encoding)
    if not decoded.text.strip():
        return None, "it is empty"
    try:
        separator = options.separator or separator_of(decoded.text, name)
        header = next(split_rows(decoded.text, separator), None)
    except DataError as error:
        return None, str(error).removeprefix(f"{name}: ")
    except OpenQuoteError:
        return None, "a quote in the first line is not closed"
    if header is None:
        return None, "empty"
    columns = columns_of(header.fields, name, options.columns, options.every_row_likes)
    if columns is None:
        return None, f"the first line is {separator.join(header.fields)[:80]!r}"
    first = header.line + sum(field.count("\n") for field in header.fields) + 1
    return TableFile(name, columns, separator, decoded.encoding, first), ""


def _head(stream: BinaryIO) -> bytes:
    """Return the first whole lines of a file."""
    head = stream.read(_HEAD)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return head + stream.read()  # a byte of a line's end may belong to another letter
    if len(head) < _HEAD:
        return head
    return head[: head.rfind(b"\n") + 1] or head


def _one(kind: Kind, tables: list[TableFile]) -> TableFile:
    """Return the one table of a kind, that of a standard name before others.

    Raises:
        DataError: Two may be meant.
    """
    for name in _STANDARD[kind]:
        for table in tables:
            if table.name == name:
                return table
    if len(tables) > 1:
        names = ", ".join(table.name for table in tables)
        raise DataError(f"{len(tables)} tables of {kind}: {names}; name the files to read", "path")
    return tables[0]
