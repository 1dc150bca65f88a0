"""Report of an import: what was read, how, and what is lost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from marquee.domain.likes import is_like
from marquee.features.dataset import Dataset
from trainer.datasets.rating_scale import rating_warnings
from trainer.datasets.tables import Tally

_SHOWN_GENRES = 10


@dataclass(frozen=True)
class FileReport:
    """How a file was read, and its rows.

    `titles`: two titles of it, where its encoding was recognised by its letters.
    """

    tally: Tally
    how: str
    encoding: str | None = None
    titles: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImportReport:
    """What an import read and left out.

    Attributes:
        read: The files and how they were read.
        ratings: How many are left.
        replaced: Ratings that a later one of the same movie by the same user replaced.
        ratings_without_movie: Ratings of movies that no file describes.
        movies_missing: Two of these movies.
        tags_without_movie: Tags of such movies.
        movies_without_rating: Movies that nobody rated.
        unknown_genres: Movies by genre that is not in the vocabulary.
        unread: Tables that are none of those that are read, each with what it is.
        path: Folder of the files within what was named.
    """

    read: tuple[FileReport, ...]
    ratings: int
    replaced: int
    ratings_without_movie: int
    movies_missing: tuple[int, ...]
    tags_without_movie: int
    movies_without_rating: int
    unknown_genres: Mapping[str, int]
    unread: tuple[str, ...] = ()
    path: str = ""

    @property
    def files(self) -> tuple[Tally, ...]:
        """Counts of the rows of each file."""
        return tuple(file.tally for file in self.read)

    @property
    def malformed(self) -> int:
        """Number of malformed rows in all files."""
        return sum(tally.malformed for tally in self.files)

    def lines(self, dataset: Dataset) -> list[str]:
        """Return the report as lines of text."""
        lines = [f"{len(dataset):,} ratings of {len(dataset.movies):,} films"]
        lines += [f"warning: {warning}" for warning in self.warnings(dataset)]
        lines += [f"read from {self.path}"] if self.path not in ("", ".") else []
        for file in self.read:
            lines += _file_lines(file)
        lines += [f"not read: {table}" for table in self.unread]
        lines += _rating_lines(dataset)
        lines += [f"left out: {count:,} {what}" for what, count in self._left_out() if count]
        return lines

    def warnings(self, dataset: Dataset) -> list[str]:
        """Return what may be other than the user thinks."""
        warnings = rating_warnings(dataset)
        future = int((dataset.times > datetime.now(UTC).timestamp()).sum())
        if future:
            latest = _date(int(dataset.times.max()))
            warnings.append(f"{future:,} ratings are of the future, up to {latest}")
        if self.unknown_genres:
            names = [f"{name} ({n:,} films)" for name, n in self.unknown_genres.items()]
            more = len(names) - _SHOWN_GENRES
            shown = ", ".join(names[:_SHOWN_GENRES]) + (f" and {more:,} more" if more > 0 else "")
            warnings.append(f"unknown genres, left out: {shown}")
        return warnings

    def as_json(self, dataset: Dataset) -> dict[str, object]:
        """Return the report as a JSON object."""
        return {
            "ratings": len(dataset),
            "films": len(dataset.movies),
            "data_version": dataset.version,
            "warnings": self.warnings(dataset),
            "path": self.path,
            "unread": list(self.unread),
            "replaced": self.replaced,
            "ratings_without_film": self.ratings_without_movie,
            "films_missing": list(self.movies_missing),
            "films_without_rating": self.movies_without_rating,
            "tags_without_film": self.tags_without_movie,
            "unknown_genres": dict(self.unknown_genres),
            "values": _values(dataset),
            "files": [
                {
                    "file": file.tally.file,
                    "how": file.how,
                    "encoding": file.encoding,
                    "titles": list(file.titles),
                    "rows": file.tally.rows,
                    "malformed": file.tally.malformed,
                    "hidden": file.tally.hidden,
                    "examples": [str(example) for example in file.tally.examples],
                }
                for file in self.read
            ],
        }

    def _left_out(self) -> Sequence[tuple[str, int]]:
        missing = " and ".join(map(str, self.movies_missing))
        return (
            ("ratings replaced by a later one", self.replaced),
            (f"ratings of unknown films, as {missing}", self.ratings_without_movie),
            ("tags of unknown films", self.tags_without_movie),
        )


def _file_lines(file: FileReport) -> list[str]:
    tally = file.tally
    lost = f", {tally.malformed:,} malformed" if tally.malformed else ""
    how = f" ({file.how})" if file.how else ""
    lines = [f"{tally.file}: {tally.rows:,} rows{lost}{how}"]
    if file.titles:
        titles = " and ".join(repr(title) for title in file.titles)
        lines.append(
            f"  text recognised as {file.encoding}: {titles}; if that is wrong: --encoding"
        )
    return lines + [f"  {example}" for example in tally.examples]


def _rating_lines(dataset: Dataset) -> list[str]:
    if not len(dataset):
        return ["no ratings: films alone, recommended by content and later by what comes in"]
    values = ", ".join(f"{stars} ★ {count:,}" for stars, count in _values(dataset).items())
    likes = int(is_like(dataset.half_stars).sum())
    rated = len(np.unique(dataset.movie_ids))
    lines = [
        f"ratings: {values}; {likes:,} likes",
        f"films without ratings: {len(dataset.movies) - rated:,}",
    ]
    first, last = int(dataset.times.min()), int(dataset.times.max())
    times = f"times: {_date(first)} to {_date(last)}"
    return [*lines, times if last > first else "times: all equal, so ratings have no order"]


def _values(dataset: Dataset) -> dict[str, int]:
    values, counts = np.unique(dataset.half_stars, return_counts=True)
    return {f"{v / 2:g}": n for v, n in zip(values.tolist(), counts.tolist(), strict=True)}


def _date(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
