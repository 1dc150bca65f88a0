"""Rows of a table of numbers as a stream in UTF-8, and the first ones to tell their form by."""

import codecs
import io
from contextlib import suppress
from typing import BinaryIO, cast

from trainer.datasets.files.table_heads import TableFile
from trainer.datasets.text.codec_names import is_wide
from trainer.datasets.text.dialects import OpenQuoteError, split_rows
from trainer.datasets.text.encodings import decode

_HEAD = 1 << 16


def rows_of(stream: BinaryIO, table: TableFile) -> tuple[BinaryIO, list[list[str]]]:
    """Return a stream of the rows, behind their header, and the fields of the first whole ones."""
    head = stream.read(_HEAD)
    if is_wide(table.encoding):
        head = decode(head + stream.read(), table.name, table.encoding).text.encode()
    elif b"\r" in head and b"\n" not in head:  # lines as old Macintoshes ended them
        head = (head + stream.read()).replace(b"\r", b"\n")
    rows = cast(BinaryIO, io.BufferedReader(_Chained(head, stream)))
    for _ in range(table.first - 1):
        rows.readline()
    return rows, _sample(head[:_HEAD], table)


def _sample(head: bytes, table: TableFile) -> list[list[str]]:
    # Numbers are the same in each encoding that has ASCII in it.
    text = head[: head.rfind(b"\n") + 1].decode("latin-1") or head.decode("latin-1")
    sample: list[list[str]] = []
    with suppress(OpenQuoteError):  # what stands before the quote tells enough
        sample.extend(
            row.fields
            for row in split_rows(text, table.separator)
            if row.line >= table.first and len(row.fields) == table.columns.width
        )
    return sample


class _Chained(io.RawIOBase):
    """A stream whose beginning has been read already."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head, self._rest = io.BytesIO(head.removeprefix(codecs.BOM_UTF8)), rest

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: object) -> int:
        """Read into a buffer; return how many bytes, 0 at the end."""
        view = memoryview(buffer)  # type: ignore[arg-type]
        data = self._head.read(len(view)) or self._rest.read(len(view))
        view[: len(data)] = data
        return len(data)
