"""Tables in the form that Letterboxd imports, which Marquee and others export."""

from collections.abc import Mapping, Sequence

from marquee.errors import DataError
from trainer.datasets.links import imdb_id
from trainer.own_ratings.records import Export, ExportedFilm
from trainer.own_ratings.tables import Table
from trainer.own_ratings.values import RowFault, half_stars_of, time_of, whole_number, year_of

KIND = "table"
COLUMNS = frozenset(("title", "year"))
_EVIDENCE = frozenset(("rating", "rating10", "watcheddate"))


def read_film_table(tables: Sequence[Table], export: Export) -> None:
    """Read tables into an export; a film without a rating was seen.

    Raises:
        DataError: No column tells that the films were seen.
    """
    for table in tables:
        if not _EVIDENCE & table.columns:
            raise DataError(
                f"{table.file}: no column Rating, Rating10 or WatchedDate tells that the films"
                " were seen"
            )
        for where, row in table.rows:
            with export.row(where):
                _read(row, export)


def _read(row: Mapping[str, str], export: Export) -> None:
    title, year = row["title"], year_of("Year", row["year"])
    imdb, tmdb = imdb_id(row.get("imdbid")), whole_number(row.get("tmdbid"))
    if not (title or imdb or tmdb):
        raise RowFault("Title", title, "a title")
    film = ExportedFilm(f"{title.casefold()} ({year}) {imdb} {tmdb}", title, year, "", imdb, tmdb)
    time = time_of("WatchedDate", row.get("watcheddate"))
    if row.get("rating"):
        export.rate(film, half_stars_of("Rating", row["rating"], 1), time)
    elif row.get("rating10"):
        export.rate(film, half_stars_of("Rating10", row["rating10"], 2), time)
    else:
        export.view(film, time)
