"""Files in zips and gzips, whose damage is an error that names them."""

import gzip
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from marquee.errors import DataError

Opener = Callable[[], BinaryIO]

# An encrypted file is a RuntimeError, an unknown compression a NotImplementedError, and a damaged
# offset an OSError in a file and a ValueError in memory.
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
)


def is_gzip(name: str) -> bool:
    """Return whether a file is compressed, by its name."""
    return name.casefold().endswith(".gz")


def open_zip(source: Path | BinaryIO, name: str, closing: ExitStack) -> zipfile.ZipFile:
    """Open a zip, which is closed with others.

    Raises:
        DataError: It is none, or its list of files is damaged.
        OSError: The file cannot be opened.
    """
    stream = closing.enter_context(source.open("rb") if isinstance(source, Path) else source)
    with _named(name):
        return closing.enter_context(zipfile.ZipFile(stream))


def read_packed(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return the content of a file in a zip.

    Raises:
        DataError: It is damaged.
    """
    with _named(name):
        return archive.read(name)


def file_opener(path: Path, name: str) -> Opener:
    """Return an opener of a file, as which its content is read if it is compressed."""
    if not is_gzip(name):
        return lambda: path.open("rb")
    return lambda: _guarded(lambda: gzip.open(path, "rb"), name)


def zip_opener(archive: zipfile.ZipFile, name: str) -> Opener:
    """Return an opener of a file in a zip, which may be compressed once more."""
    if not is_gzip(name):
        return lambda: _guarded(lambda: archive.open(name), name)
    return lambda: _guarded(lambda: gzip.GzipFile(fileobj=archive.open(name)), name)


@contextmanager
def _named(name: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise DataError(f"{name}: not a readable zip or gzip: {error}", "path") from None


def _guarded(opened: Callable[[], object], name: str) -> BinaryIO:
    with _named(name):
        stream = cast(BinaryIO, opened())
    return cast(BinaryIO, io.BufferedReader(_Guarded(stream, name), 1 << 16))


class _Guarded(io.RawIOBase):
    """A stream of what is unpacked."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream, self._name = stream, name

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: object) -> int:
        """Read into a buffer; return how many bytes, 0 at the end."""
        view = memoryview(buffer)  # type: ignore[arg-type]
        with _named(self._name):
            data = self._stream.read(len(view))
        view[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        """Return what is left."""
        with _named(self._name):
            return self._stream.read()

    def close(self) -> None:
        """Close what is read."""
        if not self.closed:
            self._stream.close()
        super().close()
