"""Rows of delimited tables, checked one by one: malformed rows are counted, not loaded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from marquee.counts import counted
from marquee.errors import DataError
from trainer.datasets.text.blocks import BlockParser, Fields
from trainer.datasets.text.dialects import OpenQuoteError, split_lines, split_rows
from trainer.datasets.text.numbers import Column

MAX_FEW = 3
"""Rows of a file that may be lost whatever their share is."""

_BLOCK = 1 << 20
_LONGEST_ROW = 1 << 25
"""Bytes behind a quote after which it counts as not closed."""
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
        behind = f" and hides the {counted(quote.hidden, 'line')} behind it" if quote.hidden else ""
        self.reject(quote.line, f"a quote is not closed{behind}")

    def add(self, other: "Tally") -> None:
        """Add the counts of another file, whose malformed rows keep its name."""
        self.rows += other.rows
        self.malformed += other.malformed
        self.hidden += other.hidden
        self.examples += other.examples[: _EXAMPLES - len(self.examples)]


@dataclass(frozen=True)
class FileReport:
    """How a file was read, and its rows.

    `titles`: two titles of it, where its encoding was recognised by its letters.
    """

    tally: Tally
    how: str
    encoding: str | None = None
    titles: tuple[str, ...] = ()


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
    parts: list[list[npt.NDArray[Any]]] = [[] for _ in used]
    parser = BlockParser(columns, separator)
    for block in blocks_of(stream):
        lines = block.count(b"\n") + (not block.endswith(b"\n"))
        arrays = parser.parse(block, lines)
        if arrays is None:
            values = _parse_lines(block, line, columns, separator, tally)
            arrays = [c.stored(v) for c, v in zip(used, values, strict=True)]
        else:
            tally.rows += lines
        for part, array in zip(parts, arrays, strict=True):
            part.append(array)
        line += lines
    return [_joined(part, column) for part, column in zip(parts, used, strict=True)]


def _joined(parts: list[npt.NDArray[Any]], column: Column) -> npt.NDArray[Any]:
    """Return the parts of a column as one array, and free them."""
    joined = np.concatenate(parts) if parts else column.stored(np.zeros(0))
    parts.clear()
    return joined


def read_rows(
    text: str,
    width: int,
    tally: Tally,
    separator: str,
    first: int = 1,
    is_open_ended: bool = False,
) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, fields) of the rows of a text that have `width` fields.

    Args:
        text: The table.
        width: Number of fields of a row.
        tally: Counts the rows.
        separator: Separator of the fields.
        first: Line of the first row that is wanted.
        is_open_ended: The last field goes to the end of its line, separators, quotes and all.
    """
    rows = split_lines(text, separator, width) if is_open_ended else split_rows(text, separator)
    try:
        for row in rows:
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
    remedy = f"mend the file, or allow it by --max-loss {needed:g}%"
    if lost == of:
        remedy = "nothing would be left: mend the file, or say what its columns are by --columns"
    raise DataError(
        f"{lost:,} of {of:,} {what}, more than {max_loss:.1%} of them{first}. Nothing is written:"
        f" {remedy}",
        "max_loss",
    )


def blocks_of(stream: BinaryIO) -> Iterator[bytes]:
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
