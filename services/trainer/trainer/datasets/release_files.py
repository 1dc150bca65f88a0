"""Files and formats of MovieLens releases, in a folder or a zip."""

import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from marquee.errors import DataError

ReleaseFiles = Mapping[str, Callable[[], BinaryIO]]
"""Openers of the files of a release, by name."""


@dataclass(frozen=True)
class ReleaseFormat:
    """File names and row format of a release."""

    ratings: str
    movies: str
    tags: str
    separator: str
    movie_separator: str
    movie_width: int
    ratings_header: str | None = None
    movies_header: str | None = None
    tags_header: str | None = None


_FORMATS = (
    ReleaseFormat(
        "ratings.csv",
        "movies.csv",
        "tags.csv",
        ",",
        ",",
        3,
        "userId,movieId,rating,timestamp",
        "movieId,title,genres",
        "userId,movieId,tag,timestamp",
    ),
    ReleaseFormat("ratings.dat", "movies.dat", "tags.dat", "::", "::", 3),
    ReleaseFormat("u.data", "u.item", "", "\t", "|", 24),
)


def format_of(files: ReleaseFiles, path: Path) -> ReleaseFormat:
    """Return the format of a release.

    Args:
        files: Its files.
        path: Where they lie, for the error.

    Raises:
        DataError: The files are not those of a release.
    """
    for form in _FORMATS:
        if form.ratings in files and form.movies in files:
            return form
    expected = ", ".join(f"{form.ratings} with {form.movies}" for form in _FORMATS)
    raise DataError(f"{path}: no MovieLens data here; looked for {expected}", "path")


@contextmanager
def open_release(path: Path) -> Iterator[ReleaseFiles]:
    """Yield openers of the files in the folder (or zip) that holds the data, by name.

    Raises:
        DataError: There is no folder or readable zip at `path`.
    """
    if path.is_dir():
        files = (file for file in (*path.glob("*"), *path.glob("*/*")) if file.is_file())
        yield _innermost({file.relative_to(path).as_posix(): _opener(file) for file in files})
    elif path.is_file():
        try:
            with zipfile.ZipFile(path) as archive:
                yield _innermost({name: _zip_opener(archive, name) for name in archive.namelist()})
        except zipfile.BadZipFile as error:
            raise DataError(f"{path}: not a readable zip: {error}", "path") from None
    else:
        raise DataError(f"{path}: no such folder or zip", "path")


def _innermost(members: ReleaseFiles) -> ReleaseFiles:
    """Return the files, by base name, of the topmost folder that holds a release, if any."""
    folders: dict[PurePosixPath, dict[str, Callable[[], BinaryIO]]] = {}
    for name, opener in members.items():
        path = PurePosixPath(name)
        folders.setdefault(path.parent, {})[path.name] = opener
    for _, files in sorted(folders.items(), key=lambda item: (len(item[0].parts), item[0])):
        if any(form.ratings in files and form.movies in files for form in _FORMATS):
            return files
    return {}


def _opener(file: Path) -> Callable[[], BinaryIO]:
    return lambda: file.open("rb")


def _zip_opener(archive: zipfile.ZipFile, name: str) -> Callable[[], BinaryIO]:
    return lambda: cast(BinaryIO, archive.open(name))
