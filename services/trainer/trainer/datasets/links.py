"""Links of films: their ids at IMDb and TMDB, as `links.csv` of MovieLens has them."""

import re
from collections.abc import Mapping
from pathlib import Path

from marquee.domain.movie_fields import MovieLinks
from marquee.errors import DataError
from trainer.datasets.files.layouts import find_links
from trainer.datasets.files.open_tables import OpenTables
from trainer.datasets.files.options import ImportOptions
from trainer.datasets.files.sources import open_sources
from trainer.datasets.files.table_heads import TableFile
from trainer.datasets.text.numbers import Column

TMDB = Column("tmdb id", "a whole number from 1", 1, 2**53)
"""The column of ids at TMDB."""

_IMDB = re.compile(r"(?:tt)?0*([0-9]{1,10})")
_DIGITS = 7
"""Digits of an id at IMDb at least."""

Links = Mapping[int, MovieLinks]
"""Links by the film's id."""


def read_links(tables: OpenTables, table: TableFile) -> Links:
    """Read a table of links; rows without any are passed over.

    Raises:
        DataError: More rows are malformed than is tolerated.
    """
    places = table.columns.places
    links: dict[int, MovieLinks] = {}
    for line, fields, tally, _ in tables.text_rows(table):
        imdb, tmdb = (
            fields[places[role]].strip() if role in places else "" for role in ("imdb", "tmdb")
        )
        tmdb = tmdb.removesuffix(".0")  # as a column with gaps is often written
        film = fields[places["movie"]]
        reason = tables.film.reason(film) or (TMDB.reason(tmdb) if tmdb else None)
        if reason is None and imdb and imdb_id(imdb) is None:
            reason = f"imdb id {imdb[:40]!r} is not as tt0111161"
        if reason:
            tally.reject(line, reason)
        elif imdb or tmdb:
            links[tables.film_id(film)] = MovieLinks(
                imdb=imdb_id(imdb), tmdb=int(tmdb) if tmdb else None
            )
    return links


def read_links_at(path: Path) -> Links:
    """Read a table of links that is named itself, or lies in a zip or folder as `links.csv`.

    Raises:
        DataError: There is none, or more rows are malformed than is tolerated.
    """
    with open_sources([path]) as files:
        layout = find_links(files)
        if layout is None:
            raise DataError(f"links {path}: no table movieId,imdbId,tmdbId", "links")
        return read_links(OpenTables(layout, ImportOptions()), layout.tables["links"])


def imdb_id(value: object) -> str | None:
    """Return an id at IMDb in its usual form, `tt` and seven digits or more; None if it is none."""
    found = _IMDB.fullmatch(str(value).strip().removesuffix(".0"))
    return f"tt{found[1]:0>{_DIGITS}}" if found and found[1] != "0" else None
