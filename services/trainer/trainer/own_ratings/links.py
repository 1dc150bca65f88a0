"""Films by their links, and the links that come with the repository."""

from collections.abc import Mapping
from pathlib import Path

from marquee.domain.movie_fields import MovieLinks
from trainer.datasets.columns.titles import split_title
from trainer.datasets.files.layouts import find_layout
from trainer.datasets.files.open_tables import OpenTables
from trainer.datasets.files.options import ImportOptions
from trainer.datasets.files.sources import open_sources
from trainer.datasets.links import Links, read_links
from trainer.own_ratings.titles import title_keys

BUNDLED = Path("data/ml-latest-small.zip")
"""The release that comes with the repository, relative to where the command runs."""
SAME_SHARE = 0.9
"""Share of films with the same id and title by which two catalogues are the same."""
NO_LINKS = MovieLinks()

Titles = Mapping[int, str]


class LinkIndex:
    """Films by their ids elsewhere; an id that two films have leads to neither.

    Attributes:
        by_movie: The links of each film.
    """

    def __init__(self) -> None:
        self.by_movie: dict[int, MovieLinks] = {}
        self._imdb: dict[str, int | None] = {}
        self._tmdb: dict[int, int | None] = {}

    def put(self, movie_id: int, links: MovieLinks) -> None:
        """Add the links of a film; those that it has already stay."""
        if movie_id in self.by_movie:
            return
        self.by_movie[movie_id] = links
        if links.imdb is not None:
            self._imdb[links.imdb] = None if links.imdb in self._imdb else movie_id
        if links.tmdb is not None:
            self._tmdb[links.tmdb] = None if links.tmdb in self._tmdb else movie_id

    def movies(self, imdb: str | None, tmdb: int | None) -> set[int]:
        """Return the films of two ids: none, the one, or two where they disagree."""
        found = (self._imdb.get(imdb or ""), self._tmdb.get(tmdb or 0))
        return {movie_id for movie_id in found if movie_id is not None}


def bundled_links(catalogue: Titles, release: Path = BUNDLED) -> Links:
    """Return the links of the bundled release where the catalogue is that one, else none.

    Args:
        catalogue: Titles by movie id.
        release: The release.
    """
    if not release.is_file():
        return {}
    options = ImportOptions()
    with open_sources([release]) as files:
        tables = OpenTables(find_layout(files, options, str(release)), options)
        table = tables.table("links")
        if table is None or not same_films(_titles(tables), catalogue):
            return {}
        return read_links(tables, table)


def same_films(titles: Titles, catalogue: Titles) -> bool:
    """Return whether most films, titled as MovieLens does, are in the catalogue by their ids."""
    if not titles:
        return False
    same = sum(
        bool(title_keys(split_title(title)[0]) & title_keys(catalogue[movie_id]))
        for movie_id, title in titles.items()
        if movie_id in catalogue
    )
    return same >= SAME_SHARE * len(titles)


def _titles(tables: OpenTables) -> Titles:
    table = tables.layout.tables["movies"]
    movie, title = table.columns.places["movie"], table.columns.places["title"]
    rows = tables.text_rows(table)
    return {tables.film.number(fields[movie]): fields[title] for _, fields, _, _ in rows}
