"""Exports of IMDb: ratings, or a list with the person's ratings; read by the names of columns."""

from collections.abc import Mapping, Sequence

from trainer.datasets.links import imdb_id
from trainer.own_ratings.records import UNRATED, Export, ExportedFilm
from trainer.own_ratings.tables import Table
from trainer.own_ratings.values import RowFault, half_stars_of, time_of, year_of

KIND = "imdb"
COLUMNS = frozenset(("const", "title", "year"))
_FILMS = frozenset(("movie", "tvmovie", "short", "tvshort", "video", "tvspecial"))
"""Types of titles that are films, as old and new exports write them without blanks."""


def read_imdb(tables: Sequence[Table], export: Export) -> None:
    """Read tables into an export; titles other than films, and films not rated, are left out."""
    for table in tables:
        for where, row in table.rows:
            kind = row.get("title type", "")
            if kind and kind.replace(" ", "").casefold() not in _FILMS:
                export.left_out[kind] += 1
            elif not row.get("your rating"):
                export.left_out[UNRATED] += 1
            else:
                with export.row(where):
                    _read(row, export)


def _read(row: Mapping[str, str], export: Export) -> None:
    imdb = imdb_id(row["const"])
    if imdb is None:
        raise RowFault("Const", row["const"], "an id such as tt0114709")
    film = ExportedFilm(
        identity=f"imdb {imdb}",
        title=row["title"],
        year=year_of("Year", row["year"]),
        other_title=row.get("original title", ""),
        imdb=imdb,
    )
    half_stars = half_stars_of("Your Rating", row["your rating"], 2)
    export.rate(film, half_stars, time_of("Date Rated", row.get("date rated")))
