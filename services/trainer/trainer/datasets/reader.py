"""Reader of data sets: MovieLens releases as published, and tables of other origin."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt

from marquee.arrays import Ints
from marquee.errors import DataError
from marquee.features.dataset import Dataset, make_dataset, position_in
from trainer.datasets.dialects import NAMES, split_rows
from trainer.datasets.encodings import Decoded, decode
from trainer.datasets.genre_lists import ML_100K_GENRES
from trainer.datasets.import_report import FileReport, ImportReport
from trainer.datasets.layouts import TMDB_MOVIES, Layout, TableFile, find_layout
from trainer.datasets.movie_rows import MovieRow, MovieRows
from trainer.datasets.numbers import Column, time_column
from trainer.datasets.options import ImportOptions
from trainer.datasets.rating_columns import rating_column
from trainer.datasets.row_streams import rows_of
from trainer.datasets.sources import open_sources
from trainer.datasets.tables import Fields, Tally, check_losses, read_numbers, read_rows
from trainer.datasets.tag_relevance import MAX_LENGTH, Tags, clean_tag, genome_tags, user_tags

_USER = Column("user id", "a whole number from 1", 1, 2**63 - 1)
_MOVIE = Column("movie id", "a whole number from 1 to 2147483647", 1, 2**31 - 1)
_TAG = Column("tag id", "a whole number from 1", 1, 2**31 - 1)
_RELEVANCE = Column("relevance", "between 0 and 1", 0, 1, whole=False)
_LIKE = 10
"""Half stars of a row that is a like whatever it says."""
_GENOME = (
    ("genome-scores.csv", "genome-tags.csv"),
    ("genome_scores.csv", "genome_tags.csv"),
)


def read_dataset(
    paths: Path | Sequence[Path], options: ImportOptions | None = None
) -> tuple[Dataset, ImportReport]:
    """Read a data set.

    Its tables are those of films, of ratings and of tags that users gave; the tag genome of
    MovieLens is read too. Movies that the genome does not cover get their tags from users.

    Args:
        paths: A folder, a zip, or files.
        options: What is not recognised of itself.

    Returns:
        The data set, and a report on how it was read and what is lost.

    Raises:
        DataError: There are no films, something is ambiguous, or more is lost than is tolerated.
    """
    options = options or ImportOptions()
    paths = [paths] if isinstance(paths, Path) else list(paths)
    with open_sources(paths) as files:
        layout = find_layout(files, options, ", ".join(map(str, paths)))
        return _Reader(layout, options).run()


class _Reader:
    """Reads the tables of a layout and counts what is lost."""

    def __init__(self, layout: Layout, options: ImportOptions) -> None:
        self._layout, self._options = layout, options
        self._read: list[FileReport] = []
        self._tags_without_movie = 0

    def run(self) -> tuple[Dataset, ImportReport]:
        rows = self._movies()
        if self._layout.tables["movies"].name == TMDB_MOVIES and "links" in self._layout.tables:
            rows.by_id = self._by_link(rows.by_id)
        user_ids, movie_ids, half_stars, times = self._ratings()
        tags = self._tags(set(rows.by_id)) | self._genome()
        movies = [
            row.movie(movie_id, tags.get(movie_id, {})) for movie_id, row in rows.by_id.items()
        ]
        dataset = make_dataset(user_ids, movie_ids, half_stars, times, movies)
        known = np.fromiter(sorted(rows.by_id), np.int64, len(rows.by_id))
        is_unknown = ~position_in(known, movie_ids)[1]
        missing = tuple(dict.fromkeys(movie_ids[is_unknown][:1000].tolist()))[:2]
        unknown = int(is_unknown.sum())
        self._check_joined(
            "ratings are of films that no table has", unknown, len(user_ids), missing
        )
        return dataset, ImportReport(
            read=tuple(self._read),
            ratings=len(dataset),
            replaced=len(user_ids) - unknown - len(dataset),
            ratings_without_movie=unknown,
            movies_missing=missing,
            tags_without_movie=self._tags_without_movie,
            movies_without_rating=len(movies) - len(np.unique(dataset.movie_ids)),
            unknown_genres=dict(rows.unknown_genres.most_common()),
            unread=self._layout.unread,
            path=self._layout.folder,
        )

    def _check_joined(self, what: str, lost: int, of: int, ids: Sequence[int]) -> None:
        examples = [f"film {movie_id}" for movie_id in ids]
        check_losses(what, lost, of, self._options.max_loss, examples)

    @contextmanager
    def _file(self, name: str, how: str = "") -> Iterator[tuple[BinaryIO, Tally]]:
        """Open a file, and check how many rows are malformed once it is read."""
        tally = Tally(name)
        with self._layout.files[name]() as stream:
            yield stream, tally
        examples = [str(example) for example in tally.examples]
        what = f"rows of {name} are malformed"
        check_losses(what, tally.malformed, tally.rows, self._options.max_loss, examples)
        self._read.append(FileReport(tally, how))

    def _text_rows(self, table: TableFile) -> Iterator[tuple[int, list[str], Tally, Decoded]]:
        """Yield line and fields of the rows of a table with text."""
        with self._file(table.name) as (stream, tally):
            decoded = decode(stream.read(), table.name, self._options.encoding)
            rows = read_rows(decoded.text, table.columns.width, tally, table.separator, table.first)
            for line, fields in rows:
                yield line, fields, tally, decoded
        # The whole text tells its encoding, where the first lines may be plain ASCII.
        how = _how(replace(table, encoding=decoded.encoding))
        self._read[-1] = replace(self._read[-1], how=how)

    def _movies(self) -> MovieRows:
        table = self._layout.tables["movies"]
        rows = MovieRows(table.columns, self._flag_names())
        encoding = None
        for line, fields, tally, decoded in self._text_rows(table):
            encoding = decoded.encoding if decoded.is_guessed else None
            place = table.columns.places["movie"]
            reason = _MOVIE.reason(fields[place]) or rows.add(int(fields[place]), fields)
            if reason:
                tally.reject(line, reason)
        if not rows.by_id:
            raise DataError(f"{table.name}: no film; nothing is written", "path")
        if encoding is not None:
            titles = rows.telling_titles()
            self._read[-1] = replace(self._read[-1], encoding=encoding, titles=titles)
        return rows

    def _by_link(self, by_tmdb: dict[int, MovieRow]) -> dict[int, MovieRow]:
        """Return films that are known by their ids at TMDB by those of the table of links."""
        table = self._layout.tables["links"]
        movie, tmdb = (table.columns.places[role] for role in ("movie", "tmdb"))
        by_id: dict[int, MovieRow] = {}
        for line, fields, tally, _ in self._text_rows(table):
            text = fields[tmdb].removesuffix(".0")
            reason = _MOVIE.reason(fields[movie]) or (_MOVIE.reason(text) if text else None)
            if reason:
                tally.reject(line, reason)
            elif text and int(text) in by_tmdb:
                by_id[int(fields[movie])] = by_tmdb[int(text)]
        linked = len({id(row) for row in by_id.values()})
        lost = len(by_tmdb) - linked
        self._check_joined(f"films are not in {table.name}", lost, len(by_tmdb), ())
        return by_id

    def _flag_names(self) -> list[str] | None:
        """Return the genres of the flags of ml-100k's films."""
        if not self._layout.has_genre_flags:
            return None
        if "u.genre" not in self._layout.files:
            return ML_100K_GENRES.split("|")
        with self._layout.files["u.genre"]() as stream:
            text = decode(stream.read(), "u.genre").text
        return [row.fields[0] for row in split_rows(text, "|")]

    def _ratings(self) -> tuple[Ints, Ints, npt.NDArray[np.uint8], Ints]:
        table = self._layout.tables.get("ratings")
        if table is None:
            empty = np.zeros(0, np.int64)
            return empty, empty, np.zeros(0, np.uint8), empty
        with self._file(table.name, _how(table)) as (stream, tally):
            rows, sample = rows_of(stream, table)
            by_role = self._rating_columns(table, sample)
            fields: list[Column | None] = [None] * table.columns.width
            for role, column in by_role.items():
                fields[table.columns.places[role]] = column
            arrays = read_numbers(rows, fields, tally, table.separator, table.first)
        order = sorted(by_role, key=lambda role: table.columns.places[role])
        found = dict(zip(order, arrays, strict=True))
        n = len(found["user"])
        half_stars = found.get("rating", np.full(n, _LIKE, np.uint8))
        return found["user"], found["movie"], half_stars, found.get("time", np.zeros(n, np.int64))

    def _rating_columns(self, table: TableFile, sample: list[list[str]]) -> dict[str, Column]:
        """Return the columns that are read, by role; `sample` are the first rows."""
        columns: dict[str, Column] = {"user": _USER, "movie": _MOVIE}
        places = table.columns.places
        if not self._options.every_row_likes:
            texts = [row[places["rating"]] for row in sample]
            columns["rating"] = rating_column(
                table.name, texts, self._options.scale, self._options.max_loss
            )
        if "time" in places:
            columns["time"] = time_column(sample[0][places["time"]] if sample else "")
        return columns

    def _tags(self, known: set[int]) -> Tags:
        """Return the relevance of the tags that users gave to movies of the catalogue."""
        table = self._layout.tables.get("tags")
        if table is None:
            return {}
        user, movie, tag = (table.columns.places[role] for role in ("user", "movie", "tag"))
        given: list[tuple[int, int, str]] = []
        rows = 0
        for line, fields, tally, _ in self._text_rows(table):
            rows += 1
            text = clean_tag(fields[tag])
            reason = _USER.reason(fields[user]) or _MOVIE.reason(fields[movie]) or _tag_reason(text)
            if reason:
                tally.reject(line, reason)
            elif int(fields[movie]) not in known:
                self._tags_without_movie += 1
            else:
                given.append((int(fields[user]), int(fields[movie]), text))
        self._check_joined(
            "tags are of films that no table has", self._tags_without_movie, rows, ()
        )
        return user_tags(given)

    def _genome(self) -> Tags:
        files = self._layout.files
        pair = next((pair for pair in _GENOME if all(name in files for name in pair)), None)
        if pair is None:
            return {}
        names: dict[int, str] = {}
        with self._file(pair[1]) as (stream, tally):
            text = decode(stream.read(), pair[1], self._options.encoding).text
            for line, row in read_rows(text, 2, tally, ",", 2):
                tag = clean_tag(row[1])
                reason = _TAG.reason(row[0]) or _tag_reason(tag)
                if reason:
                    tally.reject(line, reason)
                else:
                    names[int(row[0])] = tag
        with self._file(pair[0]) as (stream, tally):
            stream.readline()
            columns: Fields = (_MOVIE, _TAG, _RELEVANCE)
            scores = read_numbers(stream, columns, tally, ",", 2)
        movie_ids, tag_ids, relevances = cast(tuple[Ints, Ints, npt.NDArray[np.float32]], scores)
        return genome_tags(movie_ids, tag_ids, relevances, names)


def _how(table: TableFile) -> str:
    separator = NAMES.get(table.separator, repr(table.separator))
    encoding = f"{table.encoding}, " if table.encoding else ""
    return f"{encoding}{separator}-separated; {table.columns}"


def _tag_reason(tag: str) -> str | None:
    if not tag:
        return "the tag is empty"
    return f"the tag is longer than {MAX_LENGTH} characters" if len(tag) > MAX_LENGTH else None
