"""Reader of MovieLens releases as published, from a folder or a zip."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from marquee.arrays import Ints
from marquee.domain.movies import Movie
from marquee.features.dataset import Dataset, make_dataset, position_in
from trainer.datasets.csv_tables import Column, Tally, read_numbers, read_rows
from trainer.datasets.release_files import (
    ReleaseFiles,
    ReleaseFormat,
    format_of,
    open_release,
)
from trainer.datasets.tag_relevance import MAX_LENGTH, Tags, clean_tag, genome_tags, user_tags
from trainer.datasets.titles import split_genres, split_title

MAX_MALFORMED_SHARE = 0.01
"""Tolerated share of malformed rows of a file."""

_USER = Column("user id", "a whole number from 1", 1, 2**63 - 1)
_MOVIE = Column("movie id", "a whole number from 1 to 2147483647", 1, 2**31 - 1)
_RATING = Column("rating", "0.5 to 5 in half stars", 1, 10, factor=2)
_TIME = Column("time", "in seconds between the years 1970 and 2200", 0, 7_258_118_400)
_TAG = Column("tag id", "a whole number from 1", 1, 2**31 - 1)
_RELEVANCE = Column("relevance", "between 0 and 1", 0, 1, whole=False)


_ML_100K_GENRES = (
    "unknown|Action|Adventure|Animation|Children's|Comedy|Crime|Documentary|Drama|Fantasy|Film-Noir"
    "|Horror|Musical|Mystery|Romance|Sci-Fi|Thriller|War|Western"
)


@dataclass(frozen=True)
class ImportReport:
    """Counts of the rows that an import read and left out."""

    files: tuple[Tally, ...]
    ratings: int
    replaced: int
    """Ratings that a later one of the same movie by the same user replaced."""
    ratings_without_movie: int
    tags_without_movie: int
    unknown_genres: dict[str, int]

    @property
    def malformed(self) -> int:
        """Number of malformed rows in all files."""
        return sum(tally.malformed for tally in self.files)


def read_movielens(
    path: Path, max_malformed_share: float = MAX_MALFORMED_SHARE
) -> tuple[Dataset, ImportReport]:
    """Read a MovieLens release.

    The files are `ratings` and `movies`, and if they exist `tags`, `genome-scores` and
    `genome-tags`. Movies that the tag genome does not cover get their tags from users.

    Args:
        path: A folder or a zip.
        max_malformed_share: Tolerated share of malformed rows of a file.

    Returns:
        The data set, and a report on what was left out.

    Raises:
        DataError: There is no release at `path`, or more than `max_malformed_share` of a file's
            rows are malformed.
    """
    with open_release(path) as files:
        return _ReleaseReader(files, format_of(files, path), max_malformed_share).run()


class _ReleaseReader:
    """Reads one release and counts what is left out."""

    def __init__(
        self, files: ReleaseFiles, form: ReleaseFormat, max_malformed_share: float
    ) -> None:
        self._files = files
        self._format = form
        self._max_share = max_malformed_share
        self._tallies: list[Tally] = []
        self._genres: Counter[str] = Counter()
        self._tags_without_movie = 0

    def run(self) -> tuple[Dataset, ImportReport]:
        rows = self._movies()
        user_ids, movie_ids, half_stars, times = self._ratings()
        tags = self._tags(set(rows)) | self._genome()
        movies = [
            Movie(
                movie_id=movie_id,
                title=title,
                year=year,
                genres=genres,
                tags=tags.get(movie_id, {}),
            )
            for movie_id, (title, year, genres) in rows.items()
        ]
        dataset = make_dataset(user_ids, movie_ids, half_stars, times, movies)
        known = np.fromiter(sorted(rows), np.int64, len(rows))
        unknown = int((~position_in(known, movie_ids)[1]).sum())
        report = ImportReport(
            files=tuple(self._tallies),
            ratings=len(dataset),
            replaced=len(user_ids) - unknown - len(dataset),
            ratings_without_movie=unknown,
            tags_without_movie=self._tags_without_movie,
            unknown_genres=dict(self._genres),
        )
        return dataset, report

    @contextmanager
    def _file(self, name: str) -> Iterator[tuple[BinaryIO, Tally]]:
        """Open a file, and check the share of malformed rows once it is read."""
        tally = Tally(name)
        with self._files[name]() as stream:
            yield stream, tally
        tally.check(self._max_share)
        self._tallies.append(tally)

    def _movies(self) -> dict[int, tuple[str, int | None, tuple[str, ...]]]:
        form = self._format
        parse = self._item_row() if form.movies == "u.item" else self._movie_row
        rows: dict[int, tuple[str, int | None, tuple[str, ...]]] = {}
        with self._file(form.movies) as (stream, tally):
            for line, row in read_rows(
                stream, form.movie_width, tally, form.movie_separator, form.movies_header
            ):
                title, year, names = parse(row)
                genres, unknown = split_genres(names)
                reason = _MOVIE.reason(row[0]) or _movie_reason(title)
                if reason is None and int(row[0]) in rows:
                    reason = f"movie id {row[0]} stands in an earlier line"
                if reason:
                    tally.reject(line, reason)
                    continue
                self._genres.update(unknown)
                rows[int(row[0])] = (title, year, genres)
        return rows

    @staticmethod
    def _movie_row(row: list[str]) -> tuple[str, int | None, list[str]]:
        return *split_title(row[1]), row[2].split("|")

    def _item_row(self) -> Callable[[list[str]], tuple[str, int | None, list[str]]]:
        """Return the parser of rows of `u.item`, which have a date and one column per genre."""
        names = _ML_100K_GENRES.split("|")
        if "u.genre" in self._files:
            with self._files["u.genre"]() as stream:
                names = [row[0] for _, row in read_rows(stream, 2, Tally("u.genre"), "|", None)]

        def parse(row: list[str]) -> tuple[str, int | None, list[str]]:
            title, year = split_title(row[1])
            genres = [name for name, flag in zip(names, row[5:], strict=False) if flag == "1"]
            return title, year or _year_of(row[2]), genres

        return parse

    def _ratings(self) -> tuple[Ints, Ints, npt.NDArray[np.uint8], Ints]:
        form = self._format
        columns = (_USER, _MOVIE, _RATING, _TIME)
        with self._file(form.ratings) as (stream, tally):
            arrays = read_numbers(stream, columns, tally, form.separator, form.ratings_header)
        return cast(tuple[Ints, Ints, npt.NDArray[np.uint8], Ints], tuple(arrays))

    def _tags(self, known: set[int]) -> Tags:
        """Return the relevance of the tags that users gave to movies of the catalogue."""
        form = self._format
        if form.tags not in self._files:
            return {}
        given: list[tuple[int, int, str]] = []
        with self._file(form.tags) as (stream, tally):
            for line, row in read_rows(stream, 4, tally, form.separator, form.tags_header):
                tag = clean_tag(row[2])
                reason = _USER.reason(row[0]) or _MOVIE.reason(row[1]) or _tag_reason(tag)
                if reason:
                    tally.reject(line, reason)
                elif int(row[1]) not in known:
                    self._tags_without_movie += 1
                else:
                    given.append((int(row[0]), int(row[1]), tag))
        return user_tags(given)

    def _genome(self) -> Tags:
        if "genome-scores.csv" not in self._files or "genome-tags.csv" not in self._files:
            return {}
        names: dict[int, str] = {}
        with self._file("genome-tags.csv") as (stream, tally):
            for line, row in read_rows(stream, 2, tally, ",", "tagId,tag"):
                tag = clean_tag(row[1])
                reason = _TAG.reason(row[0]) or _tag_reason(tag)
                if reason:
                    tally.reject(line, reason)
                else:
                    names[int(row[0])] = tag
        with self._file("genome-scores.csv") as (stream, tally):
            columns = (_MOVIE, _TAG, _RELEVANCE)
            scores = read_numbers(stream, columns, tally, ",", "movieId,tagId,relevance")
        movie_ids, tag_ids, relevances = cast(tuple[Ints, Ints, npt.NDArray[np.float32]], scores)
        return genome_tags(movie_ids, tag_ids, relevances, names)


def _movie_reason(title: str) -> str | None:
    try:
        Movie(movie_id=1, title=title)
    except ValidationError as error:
        return f"title: {error.errors()[0]['msg']}"
    return None


def _tag_reason(tag: str) -> str | None:
    if not tag:
        return "the tag is empty"
    return f"the tag is longer than {MAX_LENGTH} characters" if len(tag) > MAX_LENGTH else None


def _year_of(date: str) -> int | None:
    try:
        return datetime.strptime(date, "%d-%b-%Y").year
    except ValueError:
        return None
