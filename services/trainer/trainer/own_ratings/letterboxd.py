"""Exports of Letterboxd: ratings, diary and watched films, joined by title and year.

The site gives no ids. The address of a row is the film's in ratings and watched films, but the
entry's in the diary, so that only title and year name a film in all of them.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from marquee.errors import DataError
from trainer.own_ratings.records import Export, ExportedFilm
from trainer.own_ratings.tables import Table
from trainer.own_ratings.values import RowFault, half_stars_of, time_of, year_of

KIND = "letterboxd"
COLUMNS = frozenset(("name", "year", "letterboxd uri"))
READ = ("diary", "watched", "ratings")
"""Files that are read, in this order: of two ratings of a day that of the ratings counts."""


def read_letterboxd(tables: Sequence[Table], export: Export) -> None:
    """Read tables into an export.

    Raises:
        DataError: A table tells neither ratings nor viewings.
    """
    addresses: dict[str, set[str]] = defaultdict(set)
    for part, table in sorted(((_part(t), t) for t in tables), key=lambda p: READ.index(p[0])):
        for where, row in table.rows:
            with export.row(where):
                film = _read(part, row, export)
                if part != "diary" and row["letterboxd uri"]:
                    addresses[film.identity].add(row["letterboxd uri"])
    for identity, films in addresses.items():
        if len(films) > 1:
            export.double(identity)


def _part(table: Table) -> str:
    """Return what a table is: its columns do not tell films seen from films to see."""
    if "review" in table.columns:
        raise DataError(f"{table.file}: reviews are not read; name ratings.csv or the whole zip")
    if "watched date" in table.columns:
        return "diary"
    if "rating" in table.columns:
        return "ratings"
    if table.file.rpartition("/")[2].lower().startswith("watched"):
        return "watched"
    raise DataError(
        f"{table.file}: a list of films tells not whether they were seen; name ratings.csv,"
        " diary.csv or watched.csv"
    )


def _read(part: str, row: Mapping[str, str], export: Export) -> ExportedFilm:
    title, year = row["name"], year_of("Year", row["year"])
    if not title:
        raise RowFault("Name", title, "a title")
    film = ExportedFilm(f"{title.casefold()} ({year})", title, year)
    date = time_of("Date", row.get("date"))
    if row.get("rating"):
        export.rate(film, half_stars_of("Rating", row["rating"], 1), date)
    if part == "ratings" and not row.get("rating"):
        raise RowFault("Rating", "", "0.5 to 5 stars")
    if part != "ratings":
        export.view(film, time_of("Watched Date", row.get("watched date")) or date)
    return film
