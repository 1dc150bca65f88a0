"""Exports of MovieLens: one table of a person's ratings, with ids and without times."""

from collections.abc import Mapping, Sequence

from trainer.datasets.columns.titles import split_title
from trainer.datasets.links import imdb_id
from trainer.own_ratings.records import UNRATED, Export, ExportedFilm
from trainer.own_ratings.tables import Table
from trainer.own_ratings.values import RowFault, half_stars_of, whole_number

KIND = "movielens"
COLUMNS = frozenset(("movie_id", "rating", "title"))


def read_movielens(tables: Sequence[Table], export: Export) -> None:
    """Read tables into an export; films without a rating are left out."""
    for table in tables:
        for where, row in table.rows:
            if row["rating"] in ("", "0", "0.0", "-1", "-1.0"):
                export.left_out[UNRATED] += 1
            else:
                with export.row(where):
                    _read(row, export)


def _read(row: Mapping[str, str], export: Export) -> None:
    movie_id = whole_number(row["movie_id"])
    if movie_id is None:
        raise RowFault("movie_id", row["movie_id"], "a whole number from 1")
    title, year = split_title(row["title"])
    film = ExportedFilm(
        identity=f"movielens {movie_id}",
        title=title,
        year=year,
        imdb=imdb_id(row.get("imdb_id")),
        tmdb=whole_number(row.get("tmdb_id")),
        movielens=movie_id,
    )
    export.rate(film, half_stars_of("rating", row["rating"], 1), None)
