"""Files of a data set: in a folder or zip, nested once, compressed or not, or named one by one."""

import io
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from marquee.errors import DataError
from trainer.datasets.columns.column_formats import converted, is_converted
from trainer.datasets.text.packed_files import (
    Opener,
    file_opener,
    is_gzip,
    open_zip,
    read_packed,
    zip_opener,
)

SourceFiles = Mapping[str, Opener]
"""Openers of files by path, such as `ml-latest/ratings.csv`."""

_PASSED_OVER = ("__MACOSX", ".")
"""Beginnings of folders and files that nobody has put there by intent."""


class Sources(Mapping[str, Opener]):
    """Openers of the files at some paths, which know what has been opened.

    Attributes:
        by_path: The names of the files at each path that the user named.
        opened: The names of those that have been opened.
    """

    def __init__(self, files: SourceFiles, by_path: Mapping[Path, Sequence[str]]) -> None:
        self.by_path, self.opened = by_path, set[str]()
        self._files = files

    def __getitem__(self, name: str) -> Opener:
        opener = self._files[name]

        def open_it() -> BinaryIO:
            self.opened.add(name)
            return opener()

        return open_it

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def unopened(self) -> list[str]:
        """Return the names of the files that nobody has looked at."""
        return [name for name in self if name not in self.opened]


@contextmanager
def open_sources(paths: Sequence[Path]) -> Iterator[Sources]:
    """Yield openers of the files at some paths: of folders and zips those in them.

    Raises:
        DataError: There is nothing at a path, it is no readable zip, or files have one name.
    """
    files: dict[str, Opener] = {}
    by_path: dict[Path, list[str]] = {}
    with ExitStack() as closing:
        for path in {path.resolve(): path for path in paths}.values():
            found = _files_at(path, closing)
            _check_names(found, by_path, path)
            by_path[path] = list(found)
            files |= found
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory()))
        yield Sources({name: _as_table(o, name, folder) for name, o in files.items()}, by_path)


def by_folder(files: SourceFiles) -> dict[str, SourceFiles]:
    """Return the files of each folder by their base names; topmost folders first.

    The names are in lower case and without `.gz`, unless another file has that name.
    """
    folders: dict[PurePosixPath, dict[str, Opener]] = {}
    for name in sorted(files, key=lambda name: (is_gzip(name), name != plain_name(name))):
        if _is_folder(name):
            continue
        path = PurePosixPath(name)
        contents = folders.setdefault(path.parent, {})
        plain = plain_name(path.name)
        contents[path.name if plain in contents else plain] = files[name]
    ordered = sorted(folders.items(), key=lambda item: (len(item[0].parts), str(item[0])))
    return {str(folder): contents for folder, contents in ordered}


def plain_name(name: str) -> str:
    """Return the name by which a file is known: in lower case and without `.gz`."""
    return name.casefold().removesuffix(".gz")


def _check_names(names: Mapping[str, Opener], others: Mapping[Path, list[str]], path: Path) -> None:
    """Check that no file of a path has the name of one at another path.

    Raises:
        DataError: One has.
    """
    for other, taken in others.items():
        if both := sorted(set(names).intersection(taken)):
            raise DataError(
                f"{both[0]} is in both {other} and {path}: read one of them, and add what the other"
                " one has by marquee data import --append",
                "path",
            )


def _as_table(opener: Opener, name: str, folder: Path) -> Opener:
    plain = plain_name(name)
    return converted(opener, plain, folder) if is_converted(plain) else opener


def _files_at(path: Path, closing: ExitStack) -> dict[str, Opener]:
    if path.is_dir():
        return _in_folder(path, closing)
    if not path.is_file():
        raise DataError(f"{path}: no such folder or file", "path")
    if _is_zip(path.name):
        return _in_zip(path, str(path), closing)
    return {path.name: file_opener(path, path.name)}


def _in_folder(path: Path, closing: ExitStack) -> dict[str, Opener]:
    files: dict[str, Opener] = {}
    for file in sorted([*path.glob("*"), *path.glob("*/*")]):
        name = file.relative_to(path).as_posix()
        if not _is_meant(name):
            continue
        if file.is_file():
            files[name] = file_opener(file, name)
        elif file.is_dir() and file.parent != path:  # too deep, which is told
            files[f"{name}/"] = file_opener(file, name)
    if len(files) == 1 and _is_zip(name := next(iter(files))):
        return _in_zip(path / name, str(path / name), closing)
    return files


def _in_zip(
    source: Path | BinaryIO, where: str, closing: ExitStack, depth: int = 0
) -> dict[str, Opener]:
    archive = open_zip(source, where, closing)
    names = [name for name in archive.namelist() if not name.endswith("/") and _is_meant(name)]
    if depth == 0 and len(names) == 1 and _is_zip(names[0]):
        inner = io.BytesIO(read_packed(archive, names[0]))
        return _in_zip(inner, f"{where}: {names[0]}", closing, depth + 1)
    return {name.replace("\\", "/"): zip_opener(archive, name) for name in names}


def _is_folder(name: str) -> bool:
    return name.endswith("/")


def _is_zip(name: str) -> bool:
    return name.casefold().endswith(".zip")


def _is_meant(name: str) -> bool:
    return not any(part.startswith(_PASSED_OVER) for part in PurePosixPath(name).parts)
