"""Which files of a data set hold what: known by their names, or by their columns."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from marquee.errors import DataError
from trainer.datasets.columns.column_formats import ENDINGS
from trainer.datasets.columns.column_names import (
    COLUMNS_NEEDED,
    NO_COLUMN,
    Columns,
    Kind,
    has_links,
)
from trainer.datasets.exports.export_file import EXPORT
from trainer.datasets.files.options import ImportOptions
from trainer.datasets.files.sources import SourceFiles, by_folder, plain_name
from trainer.datasets.files.table_heads import TableFile, Unread, shared_encoding, table_of
from trainer.datasets.text.packed_files import Opener

_TABLES = (".csv", ".tsv", ".txt", ".tab", *ENDINGS)
"""Endings of files that may be tables with a header."""
TMDB_MOVIES = "movies_metadata.csv"
"""The films of The Movies Dataset, by their ids at TMDB; its ratings are of MovieLens' ids."""
_STANDARD: Mapping[Kind, tuple[str, ...]] = {
    "ratings": ("ratings.csv", "rating.csv"),
    "movies": ("movies.csv", "movie.csv", TMDB_MOVIES, "tmdb_5000_movies.csv"),
    "tags": ("tags.csv", "tag.csv"),
    "relevances": ("relevances.csv", "relevances.parquet"),
    "links": ("links.csv", "link.csv"),
    "credits": ("credits.csv", "tmdb_5000_credits.csv"),
    "keywords": ("keywords.csv",),
}
"""Names of files of well-known data sets, which go before others of the same kind."""
_NEEDED = ("ratings", "movies", "tags", "relevances")
"""Kinds whose absence would be noticed late."""
_NETFLIX_TITLES = ("movie_titles.csv", "movie_titles.txt")
_NETFLIX_RATINGS = re.compile(r"combined_data_\d+\.txt|(?:training_set/)?mv_\d+\.txt")
GENOME = (
    ("genome-scores.csv", "genome-tags.csv"),
    ("genome_scores.csv", "genome_tags.csv"),
)
"""Files of the tag genome: the relevances, and the names of the tags."""
_SHOWN_COLUMNS = 30
_ML_100K_WIDTH = 24


@dataclass(frozen=True)
class Layout:
    """The tables of a data set in a folder.

    Attributes:
        folder: Its path in what the user named.
        files: The files of the folder.
        tables: Those that are read.
        unread: The other tables, each with what it is.
        has_genre_flags: The films are those of ml-100k.
        sections: Files with ratings in sections of one film each, in place of a table.
        is_export: Marquee itself has written it, so that titles and tags stay as they are.
        encoding: What its tables are where their own letters do not tell; None: not known.
    """

    folder: str
    files: SourceFiles
    tables: Mapping[Kind, TableFile]
    unread: tuple[str, ...] = ()
    has_genre_flags: bool = False
    sections: tuple[str, ...] = ()
    is_export: bool = False
    encoding: str | None = None


def find_layout(
    files: SourceFiles, options: ImportOptions, where: str, needs_films: bool = True
) -> Layout:
    """Return the tables of the topmost folder that has films.

    Args:
        files: All files, by path.
        options: What the user says of them.
        where: Where they are, for errors.
        needs_films: Ratings without films are no data set.

    Raises:
        DataError: No folder has films, or two of one depth have, or two files may be one table.
    """
    found: list[Layout] = []
    seen: list[str] = []
    for folder, contents in by_folder(files).items():
        if found and _depth(folder) > _depth(found[0].folder):
            break
        layout = _by_name(folder, contents) or _netflix(folder, contents, files)
        if layout:
            _check_named(options.columns, [t.columns.header for t in layout.tables.values()])
        own = options.of_export() if EXPORT in contents else options
        layout = layout or _by_columns(folder, contents, own, seen, needs_films)
        if layout:
            found.append(replace(layout, is_export=EXPORT in contents))
    if len(found) > 1:
        folders = ", ".join(layout.folder for layout in found)
        raise DataError(
            f"{where}: {len(found)} data sets, in {folders}: name one of them, of a zip once it is"
            " unpacked",
            "path",
        )
    if found:
        return found[0]
    told = f"; found {'; '.join((seen or list(files))[:10])}" if files else ""
    raise DataError(
        f"{where}: no data here; looked for a table with columns movie and title, beside one with"
        " user, movie and rating (MovieLens: ratings.csv with movies.csv, ratings.dat with"
        f" movies.dat, u.data with u.item; Netflix Prize:"
        f" combined_data_1.txt with movie_titles.csv){told}",
        "path",
    )


def find_links(files: SourceFiles) -> Layout | None:
    """Return the topmost table of links: a file that is alone, or one of a standard name."""
    for folder, contents in by_folder(files).items():
        for name, opener in contents.items():
            if name not in _STANDARD["links"] and len(files) > 1:
                continue
            with opener() as stream:
                table = table_of(name, stream, ImportOptions())
            if isinstance(table, TableFile) and has_links(table.columns.places):
                return Layout(folder, contents, {"links": table})
    return None


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


def _netflix(folder: str, contents: SourceFiles, files: SourceFiles) -> Layout | None:
    """Return the layout of the Netflix Prize, whose ratings may lie in a folder of their own."""
    titles = next((name for name in _NETFLIX_TITLES if name in contents), None)
    prefix = "" if folder == "." else f"{folder}/"
    below = {plain_name(name.removeprefix(prefix)): files[name] for name in files}
    sections = {name: opener for name, opener in below.items() if _NETFLIX_RATINGS.fullmatch(name)}
    if titles is None or not sections:
        return None
    names = ("movie", "year", "title")
    columns = Columns("movies", {role: place for place, role in enumerate(names)}, names)
    table = TableFile(titles, columns, ",", "cp1252", 1, is_open_ended=True)
    ordered = tuple(sorted(sections, key=lambda name: (len(name), name)))
    return Layout(folder, {**contents, **sections}, {"movies": table}, sections=ordered)


def _by_columns(
    folder: str,
    files: SourceFiles,
    options: ImportOptions,
    seen: list[str],
    needs_films: bool,
) -> Layout | None:
    """Return the layout of tables with a header; what others are is added to `seen`."""
    candidates = _tables(files)
    encoding = options.encoding or shared_encoding(candidates)
    found: dict[Kind, list[TableFile]] = {}
    unread: dict[str, Unread] = {}
    for name, opener in candidates.items():
        with opener() as stream:
            table = table_of(name, stream, options, encoding)
        if isinstance(table, Unread):
            _check_standard(name, table.reason)
            unread[name] = table
        else:
            found.setdefault(table.columns.kind, []).append(table)
    reasons = tuple(f"{name}: {table.reason}" for name, table in unread.items())
    if "movies" not in found and (needs_films or "ratings" not in found):
        seen += [*reasons, *(f"{table}" for tables in found.values() for table in tables)]
        return None
    headers = [table.columns.header for tables in found.values() for table in tables]
    _check_named(options.columns, [*headers, *(table.header for table in unread.values())])
    if "ratings" not in found:
        _check_no_ratings(unread)
    tables = {kind: _one(kind, tables) for kind, tables in found.items()}
    unused = tuple(_others(found, tables))
    return Layout(folder, files, tables, reasons + unused, encoding=encoding)


def _tables(files: SourceFiles) -> dict[str, Opener]:
    """Return the files that may be tables with a header; those of a genome are known by name."""
    of_genome = {name for pair in GENOME if set(pair) <= set(files) for name in pair}
    return {
        name: opener
        for name, opener in files.items()
        if name.endswith(_TABLES) and name not in of_genome
    }


def _check_named(columns: Mapping[str, str], headers: Sequence[Sequence[str]]) -> None:
    """Check that some table has each column that the user named; `-` names none."""
    there = list(dict.fromkeys(name for header in headers for name in header))
    for role, name in columns.items():
        if name not in (NO_COLUMN, *there):
            raise DataError(
                f"columns {role}={name}: no table has a column {name!r}; there are"
                f" {', '.join(there[:_SHOWN_COLUMNS])}",
                "columns",
            )


def _check_no_ratings(unread: Mapping[str, Unread]) -> None:
    """Check that no table was passed over that may have the ratings of a set that has none."""
    told = [f"{name}: {table.reason}" for name, table in unread.items() if table.may_be_ratings]
    if told:
        raise DataError(
            f"no ratings: not read is {'; '.join(told)}; or name the files of films alone", "path"
        )


def _check_standard(name: str, reason: str) -> None:
    """Check that a file that cannot be read has no standard name: it would be missed."""
    for kind, names in _STANDARD.items():
        if name in names and kind in _NEEDED:
            roles = ", ".join(COLUMNS_NEEDED[kind])
            raise DataError(
                f"{name}: {reason}; wanted is a header with the columns {roles}: add it, or say"
                " which columns they are by --columns",
                "columns",
            )


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


def _others(
    found: Mapping[Kind, list[TableFile]], tables: Mapping[Kind, TableFile]
) -> Iterator[str]:
    """Yield the tables beside those that are read."""
    for kind, of_kind in found.items():
        for table in of_kind:
            if table is not tables[kind]:
                yield f"{table.name}: {kind} too, beside {tables[kind].name}"
