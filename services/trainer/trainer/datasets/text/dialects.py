"""Dialects of delimited text: the separator of its fields, and its rows with their lines."""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import NamedTuple

from marquee.errors import DataError

SEPARATORS = (",", ";", "\t", "|", "::")
"""Separators that are recognised."""
NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", "::": "double colon"}
"""Their names, for reports and for `--separator`."""

_ROWS = 50
"""Rows by which a separator is recognised."""
_LONGEST = 1 << 27
"""Characters of a field at most, so that an open quote is read to the end of its file."""

csv.field_size_limit(_LONGEST)


class Row(NamedTuple):
    """A row of a table: the line (from 1) in which it begins, and its fields.

    `fault`: why its fields could not be told apart.
    """

    line: int
    fields: list[str]
    fault: str | None = None


class OpenQuoteError(Exception):
    """A quote that is never closed hides the rest of a file; `line` is where its row begins."""

    def __init__(self, line: int, last: int) -> None:
        super().__init__(f"a quote in line {line} is not closed")
        self.line, self.hidden = line, last - line


def separator_of(text: str, file: str) -> str:
    """Return the separator of a table by its first rows.

    It is the one by which most rows have as many fields, two or more, as the first.

    Raises:
        DataError: No separator does, or two do.
    """
    fits = {separator: _fit(text, separator) for separator in SEPARATORS}
    best = max(fits.values())
    found = [separator for separator, fit in fits.items() if fit == best]
    if best <= (0.0, 0):
        first = text.split("\n", 1)[0][:80]
        raise DataError(
            f"{file}: no separator found in the first line {first!r}; name it by --separator",
            "separator",
        )
    if len(found) > 1:
        names = " or ".join(NAMES[separator] for separator in found)
        raise DataError(f"{file}: the separator may be {names}; name it by --separator")
    return found[0]


def separator_named(name: str) -> str:
    """Return the separator of a name, or the character itself.

    Raises:
        DataError: It is neither.
    """
    by_name = {value: key for key, value in NAMES.items()} | {"\\t": "\t"}
    separator = by_name.get(name, name)
    if separator in SEPARATORS or (len(separator) == 1 and not separator.isalnum()):
        return separator
    known = ", ".join(NAMES.values())
    raise DataError(f"separator {name!r}: one character, or one of {known}", "separator")


def split_rows(text: str, separator: str) -> Iterator[Row]:
    """Yield the rows of a text; blank lines are passed over.

    Fields may be quoted, but not where the separator has two characters.

    Raises:
        OpenQuoteError: A quote is not closed.
    """
    if len(separator) > 1:
        yield from split_lines(text, separator)
        return
    # Strict, so that the reader tells the end of the text from the end of a quote.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = 1
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                raise OpenQuoteError(line, reader.line_num) from None
            yield Row(line, [], f"its quotes: {error}")
            row = []
        if any(field.strip() for field in row):
            yield Row(line, row)
        line = reader.line_num + 1


def split_lines(text: str, separator: str, width: int = 0) -> Iterator[Row]:
    """Yield a row for each line that is not blank; quotes mean nothing.

    With `width` the last of so many fields goes to the end of the line.
    """
    for number, content in enumerate(text.split("\n"), 1):
        if content.strip():
            yield Row(number, content.rstrip("\r").split(separator, width - 1))


def _fit(text: str, separator: str) -> tuple[float, int]:
    """Return the share of rows as wide as the first one, and that width; zeros for one column."""
    widths: list[int] = []
    with suppress(OpenQuoteError):  # what stands before the quote tells enough
        widths.extend(len(row.fields) for row in islice(split_rows(text, separator), _ROWS))
    if not widths or widths[0] < 2:
        return 0.0, 0
    return Counter(widths)[widths[0]] / len(widths), widths[0]
