"""Tables by their first lines: how their rows are read, or why they are not."""

import codecs
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from marquee.errors import DataError
from trainer.datasets.columns.column_formats import is_converted
from trainer.datasets.columns.column_names import Columns, columns_of
from trainer.datasets.files.options import ImportOptions
from trainer.datasets.text.codec_names import is_wide
from trainer.datasets.text.dialects import NAMES, OpenQuoteError, separator_of, split_rows
from trainer.datasets.text.encodings import UncertainEncoding, decode, encoding_of_all, is_known
from trainer.datasets.text.packed_files import Opener

_HEAD = 1 << 16
"""Bytes by which a table is known."""
_DEEP = 1 << 24
"""Bytes of a table in which letters are looked for that tell the encoding of another one."""
_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)


@dataclass(frozen=True)
class TableFile:
    """A table, how its rows are read, and the line of the first one.

    `is_open_ended`: The last field goes to the end of its line, whatever it has.
    """

    name: str
    columns: Columns
    separator: str
    encoding: str | None
    first: int
    is_open_ended: bool = False

    def __str__(self) -> str:
        separator = NAMES.get(self.separator, repr(self.separator))
        return f"{self.name}: {self.columns.kind}; separator {separator}; {self.columns}"


class Unread(NamedTuple):
    """Why a table is not read, its header if it has one, and whether it may be of ratings."""

    reason: str
    header: tuple[str, ...] = ()
    may_be_ratings: bool = False


def table_of(
    name: str, stream: BinaryIO, options: ImportOptions, others: str | None = None
) -> TableFile | Unread:
    """Return a table by its header, or why it is not read.

    Args:
        name: The name of the file.
        stream: Its content.
        options: What the user says of it.
        others: The encoding of the tables beside it, as `shared_encoding` tells it.

    Raises:
        DataError: Two columns may have one role, or ratings lack one.
    """
    encoding = options.encoding_of(name)
    try:
        decoded = decode(_head(stream, _HEAD, encoding), name, encoding, others=others)
    except UncertainEncoding as error:
        return Unread(_without(name, error), may_be_ratings=True)
    if not decoded.text.strip():
        return Unread("it is empty")
    try:
        separator = options.separator_of(name) or separator_of(decoded.text, name)
        header = next(split_rows(decoded.text, separator), None)
    except DataError as error:
        return Unread(_without(name, error))
    except OpenQuoteError:
        return Unread("a quote in the first line is not closed")
    if header is None:
        return Unread("empty")
    columns = columns_of(header.fields, name, options.columns, options.every_row_likes)
    if columns is None:
        return _unknown(name, header.fields, separator, options)
    first = header.line + sum(field.count("\n") for field in header.fields) + 1
    return TableFile(name, columns, separator, decoded.encoding, first)


def shared_encoding(tables: Mapping[str, Opener]) -> str | None:
    """Return the encoding that tables share, if their letters tell one; else None."""
    openers = [opener for name, opener in tables.items() if not is_converted(name)]
    if all(is_known(_begin(opener, _HEAD)) for opener in openers):
        return None
    return encoding_of_all(_begin(opener, _DEEP) for opener in openers)


def _unknown(name: str, header: list[str], separator: str, options: ImportOptions) -> Unread:
    """Return what to tell of a table whose header is that of no kind."""
    reason = f"the first line is {separator.join(header)[:80]!r}"
    names = tuple(field.strip() for field in header)
    if columns_of(header, name, options.columns, every_row_likes=True) is None:
        return Unread(reason, names)
    remedy = "say --columns rating=COLUMN, or --likes if each row is a like"
    return Unread(f"{reason}, a user and a movie without a rating: {remedy}", names, True)


def _without(name: str, error: DataError) -> str:
    return str(error).removeprefix(f"{name}: ")


def _begin(opener: Opener, size: int) -> bytes:
    with opener() as stream:
        return _head(stream, size)


def _head(stream: BinaryIO, size: int, encoding: str | None = None) -> bytes:
    """Return the first whole lines of a file."""
    head = stream.read(size)
    if is_wide(encoding) or head.startswith(_WIDE_MARKS):
        return head + stream.read()  # a byte of a line's end may belong to another letter
    if len(head) < size:
        return head
    return head[: head.rfind(b"\n") + 1] or head
