"""Rows of delimited tables, checked one by one: malformed rows are counted, not loaded."""

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
from trainer.datasets.dialects import OpenQuoteError, split_rows
from trainer.datasets.numbers import Column

MAX_FEW = 3
"""Rows of a file that may be lost whatever their share is."""

_BLOCK = 1 << 20
_LONGEST_ROW = 1 << 25
"""Bytes behind a quote after which it counts as not closed."""
_EXAMPLES = 20

Fields = Sequence[Column | None]
"""The columns of a table in their order; None for one that is not read."""


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
    """Counts of rows and malformed rows of one file, with the first 20 malformed ones.

    `hidden` rows are those behind a quote that is not closed; they count as malformed too.
    """

    file: str
    rows: int = 0
    malformed: int = 0
    hidden: int = 0
    examples: list[Malformed] = field(default_factory=list)

    def reject(self, line: int, reason: str) -> None:
        """Count a malformed row."""
        self.malformed += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(Malformed(self.file, line, reason))

    def hide(self, quote: OpenQuoteError) -> None:
        """Count the rows behind a quote that is not closed."""
        self.rows += quote.hidden + 1
        self.malformed += quote.hidden
        self.hidden += quote.hidden
        behind = f" and hides the {quote.hidden:,} lines behind it" if quote.hidden else ""
        self.reject(quote.line, f"a quote is not closed{behind}")


def read_numbers(
    stream: BinaryIO, columns: Fields, tally: Tally, separator: str, first: int = 1
) -> list[npt.NDArray[Any]]:
    """Read columns of numbers from a table in UTF-8; malformed rows are left out.

    Blocks without a malformed row go through pandas' C parser; other blocks are read again line by
    line, so that each malformed row is known by its line.

    Args:
        stream: The table, behind its header.
        columns: All columns.
        tally: Counts the rows.
        separator: Separator of the fields.
        first: Line of the first row.

    Returns:
        One array for each column that is read, in its stored type.
    """
    line, used = first, [column for column in columns if column is not None]
    parts: list[list[npt.NDArray[Any]]] = []
    for block in _blocks(stream):
        lines = block.count(b"\n") + (not block.endswith(b"\n"))
        values = _parse_block(block, lines, columns, separator)
        if values is None:
            values = _parse_lines(block, line, columns, separator, tally)
        else:
            tally.rows += lines
        parts.append([c.stored(v) for c, v in zip(used, values, strict=True)])
        line += lines
    if not parts:
        return [column.stored(np.zeros(0)) for column in used]
    return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]


def read_rows(
    text: str, width: int, tally: Tally, separator: str, first: int = 1
) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, fields) of the rows of a text that have `width` fields.

    Args:
        text: The table.
        width: Number of fields of a row.
        tally: Counts the rows.
        separator: Separator of the fields.
        first: Line of the first row that is wanted.
    """
    try:
        for row in split_rows(text, separator):
            if row.line < first:
                continue
            tally.rows += 1
            if row.fault is None and len(row.fields) == width:
                yield row.line, row.fields
            else:
                found = f"{width} fields expected, {len(row.fields)} found"
                tally.reject(row.line, row.fault or found)
    except OpenQuoteError as quote:
        tally.hide(quote)


def check_losses(what: str, lost: int, of: int, max_loss: float, examples: Sequence[str]) -> None:
    """Check how many rows are lost for one cause.

    A few are no cause to refuse a small file, unless nothing is left of it.

    Args:
        what: The rows that are lost, and why.
        lost: How many they are.
        of: Out of how many.
        max_loss: Tolerated share.
        examples: Some of them.

    Raises:
        DataError: They are more than is tolerated.
    """
    if lost <= max(max_loss * of, min(MAX_FEW, of - 1)):
        return
    first = f": {'; '.join(examples[:3])}" if examples else ""
    needed = np.ceil(1000 * lost / of) / 10
    raise DataError(
        f"{lost:,} of {of:,} {what}, more than {max_loss:.1%} of them{first}. Nothing is written:"
        f" mend the file, or allow it by --max-loss {needed:g}%",
        "max_loss",
    )


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the remainder of a stream in blocks that end at the end of a row."""
    pending = b""
    while block := stream.read(_BLOCK):
        whole, newline, tail = block.rpartition(b"\n")
        pending += whole + newline
        # An odd number of quotes: the last line ends within a field.
        if newline and (pending.count(b'"') % 2 == 0 or len(pending) > _LONGEST_ROW):
            yield pending
            pending = b""
        pending += tail
    if pending:
        yield pending


def _parse_block(
    block: bytes, lines: int, columns: Fields, separator: str
) -> list[npt.NDArray[Any]] | None:
    """Return the columns of a block without a malformed row, else None."""
    if len(separator) > 1:
        if b"\t" in block:
            return None
        block, separator = block.replace(separator.encode(), b"\t"), "\t"
    elif b'"' in block:  # quotes that hide no separator may go
        block = block.replace(b'"', b"")
    # pandas cuts rows that are too long, so the separators are counted; a row that is too short has
    # a missing number.
    if block.count(separator.encode()) != lines * (len(columns) - 1):
        return None
    used = {str(i): column for i, column in enumerate(columns) if column is not None}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                io.BytesIO(block),
                sep=separator,
                header=None,
                names=[str(i) for i in range(len(columns))],
                usecols=list(used),
                engine="c",
                dtype={name: column.dtype for name, column in used.items()},
                decimal=next((c.decimal for c in used.values() if c.decimal != "."), "."),
                index_col=False,
                keep_default_na=False,
                quoting=csv.QUOTE_NONE,
            )
    except (ValueError, OverflowError, pd.errors.ParserError, pd.errors.ParserWarning):
        return None
    values = [frame[name].to_numpy() for name in used]
    if len(frame) != lines or not all(map(_is_good, used.values(), values)):
        return None
    return values


_is_good: Callable[[Column, npt.NDArray[Any]], bool] = lambda column, values: column.good(values)  # noqa: E731


def _parse_lines(
    block: bytes, first: int, columns: Fields, separator: str, tally: Tally
) -> list[npt.NDArray[Any]]:
    used = {i: column for i, column in enumerate(columns) if column is not None}
    good: list[list[float]] = []
    try:
        for row in split_rows(block.decode("utf-8", "replace"), separator):
            tally.rows += 1
            reason = row.fault or _reason(row.fields, len(columns), used)
            if reason is None:
                good.append([column.number(row.fields[i]) for i, column in used.items()])
            else:
                tally.reject(first + row.line - 1, reason)
    except OpenQuoteError as quote:
        line = first + quote.line - 1
        tally.hide(OpenQuoteError(line, line + quote.hidden))
    return [
        np.array([row[i] for row in good], np.int64 if column.whole else np.float64)
        for i, column in enumerate(used.values())
    ]


def _reason(row: list[str], width: int, used: dict[int, Column]) -> str | None:
    if len(row) != width:
        return f"{width} fields expected, {len(row)} found"
    reasons = (column.reason(row[i]) for i, column in used.items())
    return next((reason for reason in reasons if reason), None)
