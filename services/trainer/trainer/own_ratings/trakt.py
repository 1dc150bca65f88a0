"""Exports of Trakt: JSON lists of ratings and viewings of films, with ids of IMDb and TMDB."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from trainer.datasets.links import imdb_id
from trainer.own_ratings.records import Export, ExportedFilm
from trainer.own_ratings.tables import ExportFile, read_items
from trainer.own_ratings.values import RowFault, half_stars_of, time_of, whole_number, year_of

KIND = "trakt"
READ = re.compile(r"(?:ratings-movies|watched-history|watched-movies)(?:-\d+)?\.json")
"""Base names of the files that are read, in pages where they are long."""


def read_trakt(files: Sequence[ExportFile], export: Export) -> None:
    """Read lists into an export; what is no film is left out.

    Raises:
        DataError: A file is no list.
    """
    for file in files:
        items = read_items(file)
        export.files[file.name] = len(items)
        for where, item in items:
            kind = item.get("type", "movie")
            if kind != "movie":
                export.left_out[f"{kind}s"] += 1
            else:
                with export.row(where):
                    _read(item, export)


def _read(item: Mapping[str, Any], export: Export) -> None:
    film = _film(item.get("movie"))
    if "rating" in item:
        half_stars = half_stars_of("rating", item["rating"], 2)
        export.rate(film, half_stars, time_of("rated_at", item.get("rated_at")))
    else:
        name = "watched_at" if "watched_at" in item else "last_watched_at"
        export.view(film, time_of(name, item.get(name)))


def _film(movie: Any) -> ExportedFilm:
    if not isinstance(movie, dict) or not isinstance(movie.get("ids"), dict):
        raise RowFault("movie", movie, "an object with ids")
    ids, title = movie["ids"], str(movie.get("title") or "")
    imdb, tmdb = imdb_id(ids.get("imdb")), whole_number(ids.get("tmdb"))
    own = ids.get("trakt") or ids.get("slug") or imdb or tmdb
    if not own:
        raise RowFault("movie.ids", ids, "ids of which one is known")
    year = year_of("movie.year", movie.get("year"))
    return ExportedFilm(f"trakt {own}", title, year, imdb=imdb, tmdb=tmdb)
