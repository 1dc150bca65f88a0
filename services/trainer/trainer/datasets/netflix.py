"""Ratings as the Netflix Prize has them: sections of one film each, in one file or in many."""

import io
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from marquee.counts import counted
from trainer.datasets.columns.rating_columns import rating_column
from trainer.datasets.files.open_tables import OpenTables
from trainer.datasets.text.numbers import time_column
from trainer.datasets.text.tables import FileReport, Tally, blocks_of, read_numbers

_SECTION = re.compile(rb"^([^,\n]*):[ \r]*$\n?", re.MULTILINE)
_DATE = "2005-09-06"
_HOW = "sections of one film each; user, rating, date"


def read_sections(tables: OpenTables) -> list[npt.NDArray[Any]]:
    """Read the ratings of the files with sections.

    Returns:
        Users, movies, half stars and times, n each.

    Raises:
        DataError: More rows are malformed than is tolerated.
    """
    names = tables.layout.sections
    total = Tally(names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}")
    parts: list[list[npt.NDArray[Any]]] = []
    for name in names:
        tally = Tally(name)
        with tables.layout.files[name]() as stream:
            parts += _Sections(tables, tally).read(stream)
        total.add(tally)
    tables.add_report(FileReport(total, _HOW))
    if not parts:
        return [np.zeros(0, kind) for kind in (np.int64, np.int64, np.uint8, np.int64)]
    return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]


class _Sections:
    """Reads the sections of one file; a section may go on in the next block."""

    def __init__(self, tables: OpenTables, tally: Tally) -> None:
        self._film_ids, self._tally, self._film = tables.film, tally, 0
        rating = rating_column(tally.file, [], tables.options.scale, tables.options.max_loss)
        self._columns = (tables.user, rating, time_column(_DATE))

    def read(self, stream: BinaryIO) -> Iterator[list[npt.NDArray[Any]]]:
        """Yield users, movies, half stars and times of a section."""
        line = 1
        for block in blocks_of(stream):
            place = 0
            for found in _SECTION.finditer(block):
                yield from self._rows(block[place : found.start()], line)
                line += block.count(b"\n", place, found.end())
                self._begin(found[1].decode("latin-1"), line - 1)
                place = found.end()
            yield from self._rows(block[place:], line)
            line += block.count(b"\n", place)

    def _begin(self, film: str, line: int) -> None:
        reason = self._film_ids.reason(film)
        self._film = 0 if reason else self._film_ids.number(film)
        if reason:
            self._tally.rows += 1
            self._tally.reject(line, reason)

    def _rows(self, rows: bytes, line: int) -> Iterator[list[npt.NDArray[Any]]]:
        if not rows.strip():
            return
        if not self._film:
            lost = rows.count(b"\n") + (not rows.endswith(b"\n"))
            self._tally.rows += lost
            self._tally.malformed += lost - 1
            self._tally.reject(
                line, f"{counted(lost, 'row')} that no line with a film's id and : is before"
            )
            return
        users, half_stars, times = read_numbers(
            io.BytesIO(rows), self._columns, self._tally, ",", line
        )
        yield [users, np.full(len(users), self._film, np.int64), half_stars, times]
