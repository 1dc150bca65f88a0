"""Files of a data set: in a folder or zip, nested once, compressed or not, or named one by one."""

import gzip
import io
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from marquee.errors import DataError
from trainer.datasets.column_formats import ENDINGS, converted

SourceFiles = Mapping[str, Callable[[], BinaryIO]]
"""Openers of files by path, such as `ml-latest/ratings.csv`."""

_DAMAGED = (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError)
_PASSED_OVER = ("__MACOSX", ".")
"""Beginnings of folders and files that nobody has put there by intent."""


@contextmanager
def open_sources(paths: Sequence[Path]) -> Iterator[SourceFiles]:
    """Yield openers of the files at some paths: of folders and zips those in them.

    Raises:
        DataError: There is nothing at a path, or it is no readable zip.
    """
    files: dict[str, Callable[[], BinaryIO]] = {}
    archives: list[zipfile.ZipFile] = []
    try:
        for path in paths:
            files |= _files_at(path, archives)
        with tempfile.TemporaryDirectory() as folder:
            yield {
                name: converted(opener, name.removesuffix(".gz"), Path(folder))
                if name.removesuffix(".gz").endswith(ENDINGS)
                else opener
                for name, opener in files.items()
                if _is_meant(name)
            }
    except _DAMAGED as error:
        named = ", ".join(map(str, paths))
        raise DataError(f"{named}: not a readable zip or gzip: {error}", "path") from None
    finally:
        for archive in archives:
            archive.close()


def by_folder(files: SourceFiles) -> dict[str, SourceFiles]:
    """Return the files of each folder by their base names, without `.gz`; topmost folders first."""
    folders: dict[PurePosixPath, dict[str, Callable[[], BinaryIO]]] = {}
    for name, opener in files.items():
        path = PurePosixPath(name)
        folders.setdefault(path.parent, {})[path.name.removesuffix(".gz")] = opener
    ordered = sorted(folders.items(), key=lambda item: (len(item[0].parts), str(item[0])))
    return {str(folder): contents for folder, contents in ordered}


def _files_at(path: Path, archives: list[zipfile.ZipFile]) -> dict[str, Callable[[], BinaryIO]]:
    if path.is_dir():
        found = (file for file in (*path.glob("*"), *path.glob("*/*")) if file.is_file())
        files = {file.relative_to(path).as_posix(): _opener(file) for file in sorted(found)}
        zips = [name for name in files if name.endswith(".zip")]
        return (
            files if len(files) > len(zips) or len(zips) != 1 else _in_zip(path / zips[0], archives)
        )
    if not path.is_file():
        raise DataError(f"{path}: no such folder or file", "path")
    if path.suffix == ".zip":
        return _in_zip(path, archives)
    return {path.name: _opener(path)}


def _in_zip(
    path: Path | BinaryIO, archives: list[zipfile.ZipFile], depth: int = 0
) -> dict[str, Callable[[], BinaryIO]]:
    archive = zipfile.ZipFile(path)
    archives.append(archive)
    names = [name for name in archive.namelist() if not name.endswith("/") and _is_meant(name)]
    if depth == 0 and len(names) == 1 and names[0].endswith(".zip"):
        return _in_zip(io.BytesIO(archive.read(names[0])), archives, depth + 1)
    return {name: _zip_opener(archive, name) for name in names}


def _is_meant(name: str) -> bool:
    return not any(part.startswith(_PASSED_OVER) for part in PurePosixPath(name).parts)


def _opener(file: Path) -> Callable[[], BinaryIO]:
    if file.suffix == ".gz":
        return lambda: cast(BinaryIO, gzip.open(file, "rb"))
    return lambda: file.open("rb")


def _zip_opener(archive: zipfile.ZipFile, name: str) -> Callable[[], BinaryIO]:
    if name.endswith(".gz"):
        return lambda: cast(BinaryIO, gzip.GzipFile(fileobj=archive.open(name)))
    return lambda: cast(BinaryIO, archive.open(name))
