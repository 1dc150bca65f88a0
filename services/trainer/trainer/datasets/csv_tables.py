"""Tables of a MovieLens release, checked row by row: malformed rows are reported, not loaded."""

import csv
import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pandas as pd

from marquee.errors import DataError

_BLOCK = 1 << 20
_EXAMPLES = 20


@dataclass(frozen=True)
class Malformed:
    """A malformed row: the file, its line (from 1), and why."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.reason}"


@dataclass
class Tally:
    """Counts of rows and malformed rows of one file, with the first 20 malformed ones."""

    file: str
    rows: int = 0
    malformed: int = 0
    examples: list[Malformed] = field(default_factory=list)

    def reject(self, line: int, reason: str) -> None:
        """Count a malformed row."""
        self.malformed += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(Malformed(self.file, line, reason))

    def check(self, max_share: float) -> None:
        """Check the share of malformed rows.

        Raises:
            DataError: More than `max_share` of the rows are malformed.
        """
        if self.malformed <= max_share * self.rows:
            return
        first = "; ".join(map(str, self.examples[:3]))
        raise DataError(
            f"{self.malformed:,} of {self.rows:,} rows of {self.file} are malformed, more than"
            f" {max_share:.1%} of them: {first}"
        )


@dataclass(frozen=True)
class Column:
    """A numeric column whose values, times `factor`, lie from `low` to `high`.

    With `whole` they are whole numbers. `allowed` describes the valid values for error messages.
    """

    name: str
    allowed: str
    low: float
    high: float
    factor: int = 1
    whole: bool = True

    def reason(self, text: str) -> str | None:
        """Return why a field is invalid, or None."""
        try:
            value = float(text) if self.factor > 1 or not self.whole else int(text)
        except ValueError:
            return f"{self.name} {text[:40]!r} is not a number"
        scaled = value * self.factor
        if not self.low <= scaled <= self.high or (self.whole and scaled != int(scaled)):
            return f"{self.name} {text[:40]!r} is not {self.allowed}"
        return None

    @property
    def dtype(self) -> type[np.float64] | type[np.int64]:
        """The type that the column is parsed as."""
        return np.float64 if self.factor > 1 or not self.whole else np.int64

    def good(self, values: npt.NDArray[Any]) -> bool:
        """Return whether all values are valid; NaN is not."""
        scaled = values * self.factor if self.factor > 1 else values
        inside = bool(((scaled >= self.low) & (scaled <= self.high)).all())
        if not self.whole or scaled.dtype == np.int64:
            return inside
        return inside and bool((scaled == np.floor(scaled)).all())

    def stored(self, values: npt.NDArray[Any]) -> npt.NDArray[np.generic]:
        """Return the values in their stored type: whole numbers times the factor, or float32."""
        if not self.whole:
            return values.astype(np.float32)
        return (values * self.factor).astype(np.uint8 if self.high <= 255 else np.int64)


def read_numbers(
    stream: BinaryIO, columns: Sequence[Column], tally: Tally, separator: str, header: str | None
) -> list[npt.NDArray[np.generic]]:
    """Read the columns of a numeric table; malformed rows are left out.

    Blocks without a malformed row go through pandas' C parser; other blocks are read again line by
    line, so that each malformed row is known by its line.

    Args:
        stream: The table.
        columns: All columns, in their order.
        tally: Counts the rows.
        separator: Separator of the fields.
        header: Expected first line; None: the table has none.

    Returns:
        One array per column, in its stored type.

    Raises:
        DataError: The first line is not the expected header.
    """
    line = _skip_header(stream, header, tally.file)
    parts: list[list[npt.NDArray[np.generic]]] = []
    for block in _blocks(stream):
        lines = block.count(b"\n") + (not block.endswith(b"\n"))
        values = _parse_block(block, lines, columns, separator)
        if values is None:
            values = _parse_lines(block, line, columns, separator, tally)
        else:
            tally.rows += lines
        parts.append([c.stored(v) for c, v in zip(columns, values, strict=True)])
        line += lines
    if not parts:
        return [column.stored(np.zeros(0, column.dtype)) for column in columns]
    return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]


def read_rows(
    stream: BinaryIO, width: int, tally: Tally, separator: str, header: str | None
) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, fields) of a table with text, in UTF-8 or else in Latin-1.

    Args:
        stream: The table.
        width: Number of fields of a row.
        tally: Counts the rows.
        separator: Separator of the fields.
        header: Expected first line; None: the table has none.

    Raises:
        DataError: The first line is not the expected header.
    """
    text = _text(stream.read())
    lines = _split(text, separator)
    if header is not None:
        _check_header(next(lines, (1, []))[1], header, tally.file)
    for line, row in lines:
        tally.rows += 1
        if len(row) == width:
            yield line, row
        else:
            tally.reject(line, f"{width} fields expected, {len(row)} found")


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _split(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    if separator == ",":
        yield from _split_csv(text)
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, line.rstrip("\r").split(separator)


def _split_csv(text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""))
    line = 1
    for row in reader:
        if row:
            yield line, row
        line = reader.line_num + 1


def _skip_header(stream: BinaryIO, header: str | None, file: str) -> int:
    """Skip the header line, if the format has one; return the line number of the first row."""
    if header is None:
        return 1
    _check_header(_text(stream.readline()).strip().split(","), header, file)
    return 2


def _check_header(fields: list[str], header: str, file: str) -> None:
    if [name.strip().strip('"') for name in fields] != header.split(","):
        names = ",".join(fields)[:100]
        raise DataError(f"{file}: the first line should be {header!r}, but is {names!r}")


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the remainder of a stream in blocks that end at the end of a line."""
    pending = b""
    while block := stream.read(_BLOCK):
        whole, newline, tail = block.rpartition(b"\n")
        if newline:
            yield pending + whole + newline
            pending = tail
        else:
            pending += tail
    if pending:
        yield pending


def _parse_block(
    block: bytes, lines: int, columns: Sequence[Column], separator: str
) -> list[npt.NDArray[np.generic]] | None:
    """Return the columns of a block without a malformed row, else None."""
    if len(separator) > 1:
        if b"," in block:
            return None
        block, separator = block.replace(separator.encode(), b","), ","
    # pandas cuts rows that are too long, so the separators are counted; a row that is too short has
    # a missing number.
    if block.count(separator.encode()) != lines * (len(columns) - 1):
        return None
    names = [column.name for column in columns]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                io.BytesIO(block),
                sep=separator,
                header=None,
                names=names,
                engine="c",
                dtype={column.name: column.dtype for column in columns},
                index_col=False,
                quoting=csv.QUOTE_NONE,
            )
    except (ValueError, OverflowError, pd.errors.ParserError, pd.errors.ParserWarning):
        return None
    values = [frame[name].to_numpy() for name in names]
    if len(frame) != lines or not all(map(Column.good, columns, values)):
        return None
    return values


def _parse_lines(
    block: bytes, first: int, columns: Sequence[Column], separator: str, tally: Tally
) -> list[npt.NDArray[np.generic]]:
    good: list[list[str]] = []
    for number, text in enumerate(block.decode("utf-8", "replace").split("\n"), first):
        if not text.strip():
            continue
        tally.rows += 1
        row = _fields(text.rstrip("\r"), separator)
        reason = _reason(row, columns)
        if reason is None:
            good.append(row)
        else:
            tally.reject(number, reason)
    return [
        np.array([_number(row[i], column) for row in good], column.dtype)
        for i, column in enumerate(columns)
    ]


def _fields(text: str, separator: str) -> list[str]:
    fields = text.split(separator)
    return [field.strip().strip('"') for field in fields] if separator == "," else fields


def _number(text: str, column: Column) -> float:
    return float(text) if column.dtype is np.float64 else int(text)


def _reason(row: list[str], columns: Sequence[Column]) -> str | None:
    if len(row) != len(columns):
        return f"{len(columns)} fields expected, {len(row)} found"
    reasons: Iterator[str | None] = map(_field_reason, columns, row)
    return next((reason for reason in reasons if reason), None)


_field_reason: Callable[[Column, str], str | None] = Column.reason
