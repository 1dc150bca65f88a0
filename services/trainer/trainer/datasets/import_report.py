"""Report of an import: what was read, how, and what is lost."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from marquee.counts import counted
from marquee.domain.genres import (
    MAX_GENRES,
    catalogue_genres,
    frequent_spellings,
    genre_key,
)
from marquee.domain.likes import is_like
from marquee.features.dataset import Dataset
from trainer.datasets.id_report import id_lines, id_warnings
from trainer.datasets.links import Links
from trainer.datasets.rating_scale import rating_warnings
from trainer.datasets.text.tables import FileReport, Tally

_SHOWN_GENRES = 20
_SHOWN_NAMES = 5
_EARLIEST = 788_918_400
"""The first second of 1995: ratings of before are rather times that were misread."""


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
        refused: By role of a column, how many cells are left out as they cannot be read, and one.
        unread: Tables that are none of those that are read, each with what it is.
        path: Folder of the files within what was named.
        links: Ids of the films elsewhere, by the film's id.
        unopened: Files that nobody has looked at.
    """

    read: tuple[FileReport, ...]
    ratings: int
    replaced: int
    ratings_without_movie: int
    movies_missing: tuple[int | str, ...]
    tags_without_movie: int
    movies_without_rating: int
    refused: Mapping[str, tuple[int, str]]
    unread: tuple[str, ...] = ()
    path: str = ""
    links: Links = field(default_factory=dict)
    unopened: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[Tally, ...]:
        """Counts of the rows of each file."""
        return tuple(file.tally for file in self.read)

    @property
    def malformed(self) -> int:
        """Number of malformed rows in all files."""
        return sum(tally.malformed for tally in self.files)

    def lines(self, dataset: Dataset, whole: Dataset | None = None) -> list[str]:
        """Return the report as lines of text.

        Args:
            dataset: What was read.
            whole: What it is now a part of, by which its ratings, times and genres are judged.
        """
        lines = [_size(dataset)]
        lines += [f"warning: {warning}" for warning in self.warnings(dataset, whole)]
        lines += [f"read from {self.path}"] if self.path not in ("", ".") else []
        for file in self.read:
            lines += _file_lines(file)
        lines += [f"not read: {table}" for table in self.unread]
        lines += [f"not looked at: {_some(self.unopened)}"] if self.unopened else []
        lines += _film_lines(dataset) + self._rating_lines(dataset, whole) + id_lines(dataset)
        lines += [f"left out: {text}" for text in self._left_out()]
        return lines

    def warnings(self, dataset: Dataset, whole: Dataset | None = None) -> list[str]:
        """Return what may be other than the user thinks; `whole` as in `lines`."""
        warnings = rating_warnings(whole or dataset) + id_warnings(dataset)
        if not len(dataset):
            warnings += [*self._unopened_warnings(), *self._unread_warnings()]
        warnings += _time_warnings(dataset)
        warnings += _genre_warnings(whole or dataset)
        future = int((dataset.times > datetime.now(UTC).timestamp()).sum())
        if future:
            latest = _date(int(dataset.times.max()))
            warnings.append(
                f"{counted(future, 'rating is', 'ratings are')} of the future, up to {latest}"
            )
        for role, (n, example) in self.refused.items():
            warnings.append(f"{role}: {n:,} that cannot be read are left out, as {example!r}")
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
            "unopened": list(self.unopened),
            "replaced": self.replaced,
            "ratings_without_film": self.ratings_without_movie,
            "films_missing": list(self.movies_missing),
            "films_without_rating": self.movies_without_rating,
            "tags_without_film": self.tags_without_movie,
            "genres": film_genres(dataset),
            "fields": film_fields(dataset),
            "refused": {role: n for role, (n, _) in self.refused.items()},
            "links": len(self.links),
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

    def _unopened_warnings(self) -> Iterator[str]:
        """Yield which files nobody has looked at, of which one may have the ratings."""
        if self.unopened:
            yield f"no file of ratings is read; not looked at: {_some(self.unopened)}"

    def _unread_warnings(self) -> Iterator[str]:
        """Yield what may have the ratings of a data set that has none: tables of other columns."""
        for told in self.unread:
            name, is_table, _ = told.partition(": the first line is ")
            if is_table:
                yield (
                    f"no ratings are read; if {name} has them, say which columns they are by"
                    " --columns user=COLUMN,movie=COLUMN,rating=COLUMN"
                )

    def _left_out(self) -> Iterator[str]:
        """Yield what is left out of rows that can be read."""
        missing = " and ".join(map(str, self.movies_missing))
        if self.replaced:
            yield f"{counted(self.replaced, 'rating')} replaced by a later one"
        if self.ratings_without_movie:
            n = counted(self.ratings_without_movie, "rating")
            yield f"{n} of unknown films, as {missing}"
        if self.tags_without_movie:
            yield f"{counted(self.tags_without_movie, 'tag')} of unknown films"

    def _rating_lines(self, dataset: Dataset, whole: Dataset | None) -> list[str]:
        if not len(dataset) and whole:
            return ["no ratings: films alone"]
        if not len(dataset):
            return ["no ratings: films alone, recommended by content and later by what comes in"]
        values = ", ".join(f"{stars} ★ {count:,}" for stars, count in _values(dataset).items())
        likes = int(is_like(dataset.half_stars).sum())
        lines = [
            f"ratings: {values}; {counted(likes, 'like')}",
            f"films without ratings: {self.movies_without_rating:,}",
        ]
        if not np.ptp((whole or dataset).times):
            return [*lines, "times: all equal, so ratings have no order"]
        first, last = int(dataset.times.min()), int(dataset.times.max())
        return [*lines, f"times: {_date(first)} to {_date(last)}"]


def _size(dataset: Dataset) -> str:
    return f"{counted(len(dataset), 'rating')} of {counted(len(dataset.movies), 'film')}"


def _time_warnings(dataset: Dataset) -> Iterator[str]:
    """Yield that there are times before anybody rated films online; 0 stands for none."""
    early = dataset.times[(dataset.times > 0) & (dataset.times < _EARLIEST)]
    if len(early):
        yield (
            f"{counted(len(early), 'rating is', 'ratings are')} of before 1995,"
            f" from {_date(int(early.min()))}: times are read as dates, or as seconds or"
            " milliseconds since 1970; if the column has something else, name another one by"
            " --columns time=COLUMN (- for none)"
        )


def _genre_warnings(dataset: Dataset) -> Iterator[str]:
    """Yield which genres have no bit in a mask: those of the fewest films."""
    films_with = Counter(name for movie in dataset.movies for name in movie.genres)
    names = frequent_spellings(films_with)
    if len(names) > MAX_GENRES:
        kept = set(map(genre_key, catalogue_genres(movie.genres for movie in dataset.movies)))
        others = sorted(name for key, name in names.items() if key not in kept)
        yield (
            f"{len(names)} genres, of which the {MAX_GENRES} of the most films filter lists; these"
            f" do not: {_some(others)}"
        )


def _file_lines(file: FileReport) -> list[str]:
    tally = file.tally
    lost = f", {tally.malformed:,} malformed" if tally.malformed else ""
    how = f" ({file.how})" if file.how else ""
    lines = [f"{tally.file}: {counted(tally.rows, 'row')}{lost}{how}"]
    if file.titles:
        titles = " and ".join(repr(title) for title in file.titles)
        lines.append(
            f"  text recognised as {file.encoding}: {titles}; if that is wrong: --encoding"
        )
    return lines + [f"  {example}" for example in tally.examples]


def film_genres(dataset: Dataset) -> dict[str, int]:
    """Return the number of films of each genre, the most frequent first."""
    return dict(Counter(name for movie in dataset.movies for name in movie.genres).most_common())


def film_fields(dataset: Dataset) -> dict[str, int]:
    """Return how many films have each optional field."""
    return dict(Counter(name for movie in dataset.movies for name in movie.present_fields()))


def _film_lines(dataset: Dataset) -> list[str]:
    genres, fields = film_genres(dataset), film_fields(dataset)
    shown = ", ".join(f"{name} {n:,}" for name, n in [*genres.items()][:_SHOWN_GENRES])
    more = len(genres) - _SHOWN_GENRES
    told = f"{counted(len(genres), 'genre')}: {shown}" + (f" and {more:,} more" if more > 0 else "")
    lines = [told if genres else "no film has a genre"]
    if fields:
        lines.append(f"films with {', '.join(f'{name} {n:,}' for name, n in fields.items())}")
    return lines


def _some(names: Sequence[str]) -> str:
    """Return the first of some names, and how many others there are."""
    more = len(names) - _SHOWN_NAMES
    return ", ".join(names[:_SHOWN_NAMES]) + (f" and {more:,} more" if more > 0 else "")


def _values(dataset: Dataset) -> dict[str, int]:
    counts = np.bincount(dataset.half_stars).tolist()
    return {f"{value / 2:g}": count for value, count in enumerate(counts) if count}


def _date(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
