"""Export of a data set as tables that an import reads back as the same data set."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from marquee.arrays import Ints
from marquee.counts import counted
from marquee.domain.ids import as_given, id_text, number_of
from marquee.domain.movies import Movie
from marquee.errors import Conflict, DataError
from marquee.features.dataset import Dataset
from marquee.files import staged
from trainer.datasets.exports.export_file import EXPORT, ExportFile
from trainer.datasets.exports.exported_fields import field_columns, link_rows

Form = Literal["csv", "parquet"]
"""Format of the tables."""

_CHUNK = 1 << 20
"""Ratings that are turned into text at once."""
_RATINGS = ("userId", "movieId", "rating", "timestamp")
_MOVIES = ("movieId", "title", "year", "genres")
_RELEVANCES = ("movieId", "tag", "relevance")
_LINKS = ("movieId", "imdbId", "tmdbId")


def export_dataset(dataset: Dataset, directory: Path, form: Form = "csv") -> None:
    """Write ratings, films, their links and tags into a new folder, all or nothing.

    Args:
        dataset: The data set.
        directory: The folder; it may be there if it is empty.
        form: Format of the tables.

    Raises:
        Conflict: The folder is not empty, or a file.
        DataError: There are no films, or the text of an id is not known.
    """
    if not dataset.movies:
        raise DataError("there are no films to export: import a data set first")
    if directory.exists() and not (directory.is_dir() and not any(directory.iterdir())):
        raise Conflict(f"{directory}: not an empty folder; name another one")
    with staged(directory) as part:
        part.mkdir()
        _write_ratings(dataset, part / f"ratings.{form}", form)
        header, rows = _movie_rows(dataset.movies, form)
        _write_rows(header, rows, part / f"movies.{form}", form)
        if any(movie.tags for movie in dataset.movies):
            tags = ((_id(m), *tag) for m in dataset.movies for tag in m.tags.items())
            _write_rows(_RELEVANCES, tags, part / f"relevances.{form}", form)
        links = [(_id(movie), imdb, tmdb) for movie, imdb, tmdb in link_rows(dataset.movies)]
        if links:
            _write_rows(_LINKS, links, part / f"links.{form}", form)
        about = ExportFile(
            data_version=dataset.version,
            ratings=len(dataset),
            films=len(dataset.movies),
            film_ids_as_text=_whole_texts(dataset.movies),
        )
        (part / EXPORT).write_text(about.model_dump_json(indent=2) + "\n")
        part.rename(directory)


def _movie_rows(
    movies: Sequence[Movie], form: Form
) -> tuple[Sequence[str], Iterable[tuple[Any, ...]]]:
    """Return the header and the rows of the table of films."""
    rows = ((_id(m), m.title, m.year, _genres(m.genres, form)) for m in movies)
    columns = dict(field_columns(movies, form == "parquet"))
    if not columns:
        return _MOVIES, rows
    cells = zip(*columns.values(), strict=True)
    return (*_MOVIES, *columns), ((*row, *more) for row, more in zip(rows, cells, strict=True))


def _write_ratings(dataset: Dataset, path: Path, form: Form) -> None:
    films = {int(movie.movie_id): _id(movie) for movie in dataset.movies}
    schema = pa.schema(
        [(name, pa.string()) for name in _RATINGS[:2]]
        + [("rating", pa.float64()), ("timestamp", pa.int64())]
    )
    with _opened(path, schema, form) as writer:
        for first in range(0, len(dataset), _CHUNK):
            rows = slice(first, first + _CHUNK)
            columns = [
                _texts(dataset.user_ids[rows], dataset.user_texts, "user"),
                _texts(dataset.movie_ids[rows], films, "film"),
                pa.array(dataset.half_stars[rows] / 2),
                pa.array(dataset.times[rows]),
            ]
            writer.write_table(pa.table(columns, schema=schema))


def _opened(path: Path, schema: Any, form: Form) -> Any:
    if form == "parquet":
        return parquet.ParquetWriter(path, schema, compression="zstd")
    # Neither the names nor ids have anything to quote.
    return arrow_csv.CSVWriter(
        path, schema, write_options=arrow_csv.WriteOptions(quoting_style="none")
    )


def _texts(numbers: Ints, texts: Mapping[int, str], what: str) -> Any:
    """Return the ids of numbers as an array of text."""
    distinct, places = np.unique(numbers, return_inverse=True)
    found = [texts.get(number, str(number)) for number in distinct.tolist()]
    unknown = next((n for n in distinct.tolist() if n < 0 and n not in texts), None)
    if unknown is not None:
        raise DataError(f"{what} {unknown}: the text of the id is not known")
    return pa.array(found, pa.string()).take(pa.array(places))


def _write_rows(
    header: Sequence[str], rows: Iterable[tuple[Any, ...]], path: Path, form: Form
) -> None:
    if form == "parquet":
        columns = zip(*rows, strict=True)
        parquet.write_table(pa.table([pa.array(column) for column in columns], header), path)
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        # A lone CR needs quotes too, which the writer does not give it of itself.
        writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow(header)
        writer.writerows(rows)


def _genres(genres: tuple[str, ...], form: Form) -> Any:
    if form == "parquet":
        return list(genres)
    is_plain = not any("|" in name or name.startswith("[") for name in genres)
    return "|".join(genres) if is_plain else json.dumps(genres, ensure_ascii=False)


def _whole_texts(movies: Iterable[Movie]) -> list[str]:
    """Return the ids that are whole numbers and came as text, as which they are given back."""
    ids = (as_given(movie.movie_id) for movie in movies)
    return [given for given in ids if isinstance(given, str) and number_of(given) > 0]


def _id(movie: Movie) -> str:
    return id_text(movie.movie_id)


def export_lines(dataset: Dataset, form: Form) -> Iterator[str]:
    """Yield what an export has."""
    users = counted(len(np.unique(dataset.user_ids)), "user")
    yield f"ratings.{form}: {counted(len(dataset), 'rating')} of {users}"
    yield f"movies.{form}: {counted(len(dataset.movies), 'film')}"
    tags = sum(len(movie.tags) for movie in dataset.movies)
    if tags:
        yield f"relevances.{form}: {counted(tags, 'tag')} of films"
    links = sum(1 for _ in link_rows(dataset.movies))
    if links:
        yield f"links.{form}: links of {counted(links, 'film')}"
