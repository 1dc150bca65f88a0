"""The tables of a data set while they are read: their rows, and what is lost of them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import BinaryIO

from marquee.domain.ids import GivenId
from trainer.datasets.columns.column_formats import is_converted
from trainer.datasets.columns.column_names import Kind
from trainer.datasets.columns.id_columns import IdColumn, IdNumbers
from trainer.datasets.exports.export_file import EXPORT, ExportFile, read_export_file
from trainer.datasets.files.layouts import Layout
from trainer.datasets.files.options import ImportOptions
from trainer.datasets.files.table_heads import TableFile
from trainer.datasets.text.dialects import NAMES
from trainer.datasets.text.encodings import FAULT, Decoded, decode
from trainer.datasets.text.tables import FileReport, Tally, check_losses, read_rows


class OpenTables:
    """Opens the tables of a layout and counts what is lost.

    Attributes:
        layout: Which files are which tables.
        options: What the user says of them.
        user: The column of users' ids, the same for all tables, so that no two have one number.
        film: That of films' ids.
        reports: How each file was read.
    """

    def __init__(self, layout: Layout, options: ImportOptions) -> None:
        self.layout = layout
        self.options = options.of_export() if layout.is_export else options
        self.user = IdColumn.of(IdNumbers("user id"))
        self.film = IdColumn.of(IdNumbers("movie id"))
        self.reports: list[FileReport] = []

    def film_id(self, text: str) -> int:
        """Return the id of a film of the catalogue, as it is given back.

        Raises:
            ValueError: It is no id.
        """
        if text in self._as_text:
            return GivenId(text)
        return self.film.texts.given(self.film.number(text))

    @cached_property
    def export(self) -> ExportFile:
        """What an export tells of itself; of other data sets nothing."""
        if not self.layout.is_export:
            return ExportFile()
        with self.layout.files[EXPORT]() as stream:
            return read_export_file(stream)

    @cached_property
    def _as_text(self) -> frozenset[str]:
        """Whole numbers of an export that are ids given as text."""
        return frozenset(self.export.film_ids_as_text)

    def table(self, kind: Kind) -> TableFile | None:
        """Return the table of a kind, None where there is none."""
        return self.layout.tables.get(kind)

    @contextmanager
    def file(self, name: str, how: str = "") -> Iterator[tuple[BinaryIO, Tally]]:
        """Open a file, and check how many rows are malformed once it is read."""
        tally = Tally(name)
        with self.layout.files[name]() as stream:
            yield stream, tally
        self.add_report(FileReport(tally, how))

    def add_report(self, report: FileReport) -> None:
        """Add how a file was read.

        Raises:
            DataError: More of its rows are malformed than is tolerated.
        """
        tally = report.tally
        examples = [str(example) for example in tally.examples]
        what = f"rows of {tally.file} are malformed"
        check_losses(what, tally.malformed, tally.rows, self.options.max_loss, examples)
        self.reports.append(report)

    def text_rows(self, table: TableFile) -> Iterator[tuple[int, list[str], Tally, Decoded]]:
        """Yield the rows of a table with text, and check how many are malformed.

        Yields:
            The line of a row (from 1), its fields, what counts it, and the text of its file.

        Raises:
            DataError: More rows are malformed than is tolerated, once all are read.
        """
        with self.file(table.name) as (stream, tally):
            fallback = table.encoding if table.is_open_ended else None
            decoded = decode(
                stream.read(),
                table.name,
                self.options.encoding_of(table.name),
                fallback,
                self.layout.encoding,
            )
            rows = read_rows(
                decoded.text, table.columns.width, tally, table.separator, table.first,
                table.is_open_ended,
            )  # fmt: skip
            for line, fields in rows:
                if tuple(fields) == table.columns.header:  # as where files were joined
                    tally.reject(line, "the header again")
                elif decoded.has_faults and any(FAULT in field for field in fields):
                    tally.reject(line, f"the row is not in {decoded.encoding} as most others are")
                else:
                    yield line, fields, tally, decoded
        # The whole text tells its encoding, where the first lines may be plain ASCII.
        how = how_read(replace(table, encoding=decoded.encoding))
        self.reports[-1] = replace(self.reports[-1], how=how)

    def check_joined(self, what: str, lost: int, of: int, ids: Sequence[str]) -> None:
        """Check how many rows are lost because no film has their id.

        Raises:
            DataError: They are more than is tolerated.
        """
        examples = [f"film {text}" for text in ids]
        check_losses(what, lost, of, self.options.max_loss, examples)


def how_read(table: TableFile) -> str:
    """Return in words how a table is read."""
    if is_converted(table.name):
        form = "Parquet" if table.name.endswith(".parquet") else "JSON lines"
        return f"{form}; {table.columns}"
    separator = NAMES.get(table.separator, repr(table.separator))
    encoding = f"{table.encoding}, " if table.encoding else ""
    return f"{encoding}{separator}-separated; {table.columns}"
