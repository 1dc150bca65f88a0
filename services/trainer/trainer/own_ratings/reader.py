"""Reader of a person's export: tells the site by file names and columns, and opens no more."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from marquee.errors import DataError
from trainer.datasets.files.sources import open_sources
from trainer.own_ratings import film_table, imdb, letterboxd, movielens, trakt
from trainer.own_ratings.records import Export
from trainer.own_ratings.tables import ExportFile, Table, read_table

_CLOSED = frozenset(("deleted", "orphaned", "likes", "lists"))
"""Folders of which nothing is read: what was deleted, liked or listed was not seen for that."""
_UNSEEN = ("watchlist", "reviews", "comments", "profile", "lists", "likes")
"""Beginnings of the names of files that are not opened even if named one by one."""
# A table of IMDb has the columns of a plain table too, so that this comes last.
_TABLES = {
    letterboxd.KIND: (letterboxd.COLUMNS, letterboxd.read_letterboxd),
    movielens.KIND: (movielens.COLUMNS, movielens.read_movielens),
    imdb.KIND: (imdb.COLUMNS, imdb.read_imdb),
    film_table.KIND: (film_table.COLUMNS, film_table.read_film_table),
}
_KNOWN = (
    "known are exports of Letterboxd (zip, ratings.csv, diary.csv, watched.csv), IMDb (csv), Trakt"
    " (zip of JSON), MovieLens (csv), and tables of Title, Year, Rating and WatchedDate"
)


def read_export(path: Path) -> Export:
    """Read a person's export: a zip, a folder, or one file.

    Raises:
        DataError: It is of no site that is known, or nothing in it could be read.
    """
    with _listed(path) as files:
        chosen = _chosen(files, path)
        if trakt.READ.fullmatch(chosen[0].base):
            export = Export(trakt.KIND)
            trakt.read_trakt(chosen, export)
        else:
            export = _of_tables([read_table(file) for file in chosen])
    opened = {file.name for file in chosen}
    export.not_opened = sorted(file.name for file in files if file.name not in opened)
    if not export.records():
        fault = export.faults[0] if export.faults else "it has no rating and no viewing of a film"
        raise DataError(f"{path}: nothing could be read: {fault}", "path")
    return export


@contextmanager
def _listed(path: Path) -> Iterator[list[ExportFile]]:
    if path.is_dir():
        found = sorted(file for file in path.rglob("*") if file.is_file())
        names = [(file.relative_to(path), file) for file in found]
        yield [
            ExportFile(name.as_posix(), lambda file=file: file.open("rb"))  # type: ignore[misc]
            for name, file in names
            if not any(part.startswith((".", "__MACOSX")) for part in name.parts)
        ]
        return
    with open_sources([path]) as sources:
        yield [ExportFile(name, opener) for name, opener in sources.items()]


def _chosen(files: Sequence[ExportFile], path: Path) -> list[ExportFile]:
    """Return the files to read, by their names alone."""
    lists = [file for file in files if trakt.READ.fullmatch(file.base)]
    if lists:
        return sorted(lists, key=lambda file: file.base)
    tables = [file for file in files if file.base.endswith(".csv") and not _is_closed(file)]
    if len(files) == 1 and tables and tables[0].base.startswith(_UNSEEN):
        raise DataError(
            f"{path}: {tables[0].base} is not opened: it tells no film seen; name ratings.csv,"
            " diary.csv, watched.csv or the whole zip",
            "path",
        )
    named = [file for file in tables if file.base.removesuffix(".csv") in letterboxd.READ]
    if named:
        top = min((PurePosixPath(file.name).parent for file in named), key=lambda p: len(p.parts))
        return [file for file in named if PurePosixPath(file.name).parent == top]
    open_tables = [file for file in tables if not file.base.startswith(_UNSEEN)]
    if len(open_tables) != 1:
        found = ", ".join(file.base for file in files[:5]) or "nothing"
        raise DataError(f"{path}: no export that is known, found {found}; {_KNOWN}", "path")
    return open_tables


def _is_closed(file: ExportFile) -> bool:
    return any(part.lower() in _CLOSED for part in PurePosixPath(file.name).parts[:-1])


def _of_tables(tables: Sequence[Table]) -> Export:
    kinds = {_kind(table) for table in tables}
    if len(kinds) > 1:
        raise DataError(f"exports of {' and '.join(sorted(kinds))}: name one of them", "path")
    export = Export(kinds.pop())
    for table in tables:
        export.files[table.file] = len(table.rows) + len(table.faults)
        for fault in table.faults:
            export.refuse(fault)
    _TABLES[export.kind][1](tables, export)
    return export


def _kind(table: Table) -> str:
    for kind, (needed, _) in _TABLES.items():
        if needed <= table.columns:
            return kind
    if {"userid", "movieid"} <= table.columns:
        raise DataError(
            f"{table.file}: ratings of many people: marquee data import reads them", "path"
        )
    columns = ", ".join(sorted(table.columns)[:8])
    raise DataError(f"{table.file}: columns {columns} are of no site; {_KNOWN}", "path")
