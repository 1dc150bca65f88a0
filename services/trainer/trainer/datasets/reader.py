"""Reader of data sets: MovieLens releases as published, and tables of other origin."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from marquee.arrays import Ints
from marquee.domain.ids import as_given
from marquee.domain.movies import Movie
from marquee.errors import DataError
from marquee.features.dataset import Dataset, make_dataset, position_in
from trainer.datasets.columns.genre_lists import ML_100K_GENRES
from trainer.datasets.columns.tag_relevance import Tags
from trainer.datasets.files.layouts import TMDB_MOVIES, find_layout
from trainer.datasets.files.open_tables import OpenTables
from trainer.datasets.files.options import ImportOptions
from trainer.datasets.files.sources import open_sources
from trainer.datasets.import_report import ImportReport
from trainer.datasets.links import TMDB, Links, read_links
from trainer.datasets.movie_rows import MovieRow, MovieRows, refused_cells
from trainer.datasets.rating_tables import RatingRows, read_ratings
from trainer.datasets.tag_tables import read_tags
from trainer.datasets.text.dialects import split_lines
from trainer.datasets.text.encodings import decode
from trainer.datasets.unread_files import check_named_are_read


def read_dataset(
    paths: Path | Sequence[Path],
    options: ImportOptions | None = None,
    known: Mapping[int, Movie] | None = None,
) -> tuple[Dataset, ImportReport]:
    """Read a data set.

    Its tables are those of films, of ratings and of tags that users gave; the tag genome of
    MovieLens is read too. Movies that the genome does not cover get their tags from users.

    Args:
        paths: A folder, a zip, or files.
        options: What is not recognised of itself.
        known: Films that need no table, by id: then ratings alone will do. Of these, the data set
            has those that are rated.

    Returns:
        The data set, and a report on how it was read and what is lost.

    Raises:
        DataError: There are no films, something is ambiguous, a file that is named is not read, or
            more is lost than is tolerated.
        IdCollision: Two ids have one number inside.
    """
    options = options or ImportOptions()
    paths = [paths] if isinstance(paths, Path) else list(paths)
    with open_sources(paths) as files:
        where = ", ".join(map(str, paths))
        layout = find_layout(files, options, where, needs_films=not known)
        dataset, report = _Reader(OpenTables(layout, options), known or {}).run()
        check_named_are_read(files, report)
        return dataset, replace(report, unopened=tuple(files.unopened()))


class _Reader:
    """Reads the tables of a layout and joins them."""

    def __init__(self, tables: OpenTables, known: Mapping[int, Movie]) -> None:
        self._tables, self._known = tables, known
        table = tables.table("movies")
        self._is_tmdb = table is not None and table.name == TMDB_MOVIES
        for movie_id in known:
            self._tables.film.texts.add(movie_id)

    def run(self) -> tuple[Dataset, ImportReport]:
        films = self._movies()
        links = self._links(films)
        ratings = read_ratings(self._tables)
        known = set(films.by_id) | set(self._known)
        unknown, missing = self._without_film(ratings.movie_ids, known)
        tags, tags_without_movie = read_tags(self._tables, known)
        movies = [_linked(movie, links) for movie in self._catalogue(films, ratings, tags)]
        dataset = make_dataset(*ratings, movies=movies)
        texts = self._tables.user.texts.texts_of(dataset.user_ids)
        dataset = replace(dataset, user_texts=texts)
        self._tables.export.check_whole(len(dataset), len(movies))
        return dataset, ImportReport(
            read=tuple(self._tables.reports),
            ratings=len(dataset),
            replaced=len(ratings.user_ids) - unknown - len(dataset),
            ratings_without_movie=unknown,
            movies_missing=missing,
            tags_without_movie=tags_without_movie,
            movies_without_rating=len(movies) - len(pd.unique(dataset.movie_ids)),
            refused=refused_cells(films),
            unread=self._tables.layout.unread,
            path=self._tables.layout.folder,
            links=links,
        )

    def _without_film(self, movie_ids: Ints, known: set[int]) -> tuple[int, tuple[int | str, ...]]:
        """Return how many ratings are of films that are not known, and two of these.

        Raises:
            DataError: They are more than is tolerated.
        """
        ids = np.sort(np.fromiter(known, np.int64, len(known)))
        is_unknown = ~position_in(ids, movie_ids)[1]
        lost = int(is_unknown.sum())
        numbers = list(dict.fromkeys(movie_ids[is_unknown][:1000].tolist()))[:2]
        missing = tuple(as_given(self._tables.film.texts.given(number)) for number in numbers)
        what = "ratings are of films that no table has"
        examples = [f"{text}{_decimal_hint(str(text))}" for text in missing]
        self._tables.check_joined(what, lost, len(movie_ids), examples)
        return lost, missing

    def _movies(self) -> MovieRows:
        table = self._tables.table("movies")
        if table is None:
            return MovieRows(None)
        rows = MovieRows(table.columns, self._flag_names(), self._tables.layout.is_export)
        encoding = None
        for line, fields, tally, decoded in self._tables.text_rows(table):
            encoding = decoded.encoding if decoded.is_guessed else None
            text = fields[table.columns.places["movie"]]
            reason = self._fault(text) or rows.add(self._movie_id(text), fields)
            if reason:
                tally.reject(line, reason)
        if not rows.by_id:
            raise DataError(f"{table.name}: no film; nothing is written", "path")
        if encoding is not None:
            reports = self._tables.reports
            titles = rows.telling_titles()
            reports[-1] = replace(reports[-1], encoding=encoding, titles=titles)
        self._add_details(rows)
        rows.settle()
        return rows

    def _add_details(self, rows: MovieRows) -> None:
        """Add the optional fields of films that tables beside theirs have."""
        tables = self._tables.table("credits"), self._tables.table("keywords")
        for table in filter(None, tables):
            for line, fields, tally, _ in self._tables.text_rows(table):
                text = fields[table.columns.places["movie"]]
                if reason := self._fault(text):
                    tally.reject(line, reason)
                else:
                    rows.add_details(self._movie_id(text), table.columns, fields)

    def _fault(self, text: str) -> str | None:
        """Return why a field of the films' tables is no id, or None."""
        return (TMDB if self._is_tmdb else self._tables.film).reason(text)

    def _movie_id(self, text: str) -> int:
        """Return the id in a field of the films' tables: at TMDB, or as it is given back."""
        return int(text) if self._is_tmdb else self._tables.film_id(text)

    def _links(self, films: MovieRows) -> Links:
        """Return the links of the films; films that are known by TMDB's ids are joined by them."""
        table = self._tables.table("links")
        if table is None:
            return {}
        links = read_links(self._tables, table)
        if self._is_tmdb:
            films.by_id = self._by_tmdb(films.by_id, links, table.name)
        return {movie_id: link for movie_id, link in links.items() if movie_id in films.by_id}

    def _by_tmdb(
        self, by_tmdb: dict[int, MovieRow], links: Links, file: str
    ) -> dict[int, MovieRow]:
        """Return films that are known by their ids at TMDB by those of the table of links."""
        by_id = {
            movie_id: by_tmdb[link.tmdb] for movie_id, link in links.items() if link.tmdb in by_tmdb
        }
        lost = len(by_tmdb) - len({id(row) for row in by_id.values()})
        self._tables.check_joined(f"films are not in {file}", lost, len(by_tmdb), ())
        return by_id

    def _catalogue(self, films: MovieRows, ratings: RatingRows, tags: Tags) -> list[Movie]:
        """Return the films of the table, and of the known ones those that are rated."""
        own = [row.movie(movie_id, tags.get(movie_id, {})) for movie_id, row in films.by_id.items()]
        if not self._known:
            return own
        rated = set(pd.unique(ratings.movie_ids).tolist()) | set(tags)
        others = [self._known[i] for i in self._known if i in rated and i not in films.by_id]
        return own + [
            movie.model_copy(update={"tags": tags.get(movie.movie_id) or movie.tags})
            for movie in others
        ]

    def _flag_names(self) -> list[str] | None:
        """Return the genres of the flags of ml-100k's films."""
        layout = self._tables.layout
        if not layout.has_genre_flags:
            return None
        if "u.genre" not in layout.files:
            return ML_100K_GENRES.split("|")
        with layout.files["u.genre"]() as stream:
            text = decode(stream.read(), "u.genre").text
        return [row.fields[0] for row in split_lines(text, "|")]


def _linked(movie: Movie, links: Links) -> Movie:
    """Return a film with its links, those that it has of its own first."""
    link = links.get(movie.movie_id)
    if link is None or movie.links is not None:
        return movie
    return movie.model_copy(update={"links": link})


def _decimal_hint(text: str) -> str:
    whole = text.removesuffix(".0")
    return f" (another id than {whole})" if whole != text and whole.isdecimal() else ""
