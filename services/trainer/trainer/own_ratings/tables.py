"""Tables and lists in the files of an export, read whole, up to a limit of bytes."""

import json
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from marquee.errors import DataError
from trainer.datasets.text.dialects import OpenQuoteError, separator_of, split_rows
from trainer.datasets.text.encodings import decode

MOST_BYTES = 64 << 20
"""Bytes of a file at most, as they are unpacked: the export of a long life has a few MB."""

_OPTION = re.compile(r"^(.*?)(?:;[^;]*--(?:encoding|separator)\b.*)$", re.DOTALL)
"""A reason, and behind it an option that would help an import of a data set."""


@dataclass(frozen=True)
class ExportFile:
    """A file of an export: its name, and how to open it."""

    name: str
    open: Callable[[], BinaryIO]

    @property
    def base(self) -> str:
        """Its name without folders, in lower case."""
        return self.name.rpartition("/")[2].lower()

    def read(self) -> bytes:
        """Return its content.

        Raises:
            DataError: It is too large, encrypted or damaged.
        """
        try:
            with self.open() as stream:
                data = stream.read(MOST_BYTES + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
            raise DataError(f"{self.name}: cannot be unpacked: {error}", "path") from None
        if len(data) > MOST_BYTES:
            raise DataError(
                f"{self.name}: more than {MOST_BYTES >> 20} MiB: no export of one person", "path"
            )
        return data


@dataclass(frozen=True)
class Table:
    """A table of an export.

    Attributes:
        file: Its name.
        columns: The names of its columns in lower case.
        rows: Where each row stands, for faults, and its fields by column.
        faults: Why other rows could not be told apart into fields.
    """

    file: str
    columns: frozenset[str]
    rows: list[tuple[str, Mapping[str, str]]]
    faults: list[str]


def read_table(file: ExportFile) -> Table:
    """Read a table by the names of its columns, in any order.

    Raises:
        DataError: It is no table, or a quote is not closed.
    """
    text, separator = _text(file)
    rows, faults = split_rows(text, separator), []
    table: list[tuple[str, Mapping[str, str]]] = []
    try:
        names = [name.strip().casefold() for name in next(rows).fields]
        for row in rows:
            where = f"{file.name}, line {row.line}"
            if row.fault or len(row.fields) != len(names):
                found = f"{len(names)} fields expected, {len(row.fields)} found"
                faults.append(f"{where}: {row.fault or found}")
            else:
                values = (value.strip() for value in row.fields)
                table.append((where, dict(zip(names, values, strict=True))))
    except OpenQuoteError as quote:
        raise DataError(
            f"{file.name}, line {quote.line}: a quote is not closed; export the file again", "path"
        ) from None
    return Table(file.name, frozenset(names), table, faults)


def _text(file: ExportFile) -> tuple[str, str]:
    """Return the text of a table, and the separator of its fields."""
    try:
        text = decode(file.read(), file.name).text
        if not text.strip():
            raise DataError(f"{file.name}: the file is empty", "path")
        return text, separator_of(text, file.name)
    except DataError as error:
        # What the import of a data set advises has no place here.
        reason, advice, _ = _OPTION.sub(r"\1\n", str(error)).partition("\n")
        remedy = "; save it as CSV with commas, in UTF-8" if advice else ""
        raise DataError(f"{reason}{remedy}", "path") from None


def read_items(file: ExportFile) -> list[tuple[str, Mapping[str, Any]]]:
    """Return where each object of a JSON array stands, for faults, and the object.

    Raises:
        DataError: It is no JSON array of objects.
    """
    try:
        items = json.loads(file.read())
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file.name}: no JSON: {error}; export it again", "path") from None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise DataError(f"{file.name}: must be a JSON array of objects", "path")
    return [(f"{file.name}, item {place}", item) for place, item in enumerate(items, 1)]
