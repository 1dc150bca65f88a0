"""Blocks of rows that pandas' C parser reads as a whole, where no field needs a closer look."""

import csv
import io
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from marquee.arrays import Ints
from trainer.datasets.text.numbers import Column
from trainer.datasets.text.quotes import quotes_enclose

Fields = Sequence[Column | None]
"""The columns of a table in their order; None for one that is not read."""

_NEWLINE, _E = ord("\n"), ord("e")
_LOWER = 0x20
"""The bit by which a letter differs from its capital."""
_POWERS = 10 ** np.arange(1, 19)


class BlockParser:
    """Parses the blocks of one table.

    Ids are parsed as whole numbers first; once a column has others, it is parsed as text, by
    distinct values.
    """

    def __init__(self, columns: Fields, separator: str) -> None:
        """Take all columns, and the separator of the fields."""
        self._used = {str(i): column for i, column in enumerate(columns) if column is not None}
        self._width, self._separator = len(columns), separator
        self._ids = frozenset(name for name, column in self._used.items() if column.is_id)
        self._as_text: frozenset[str] = frozenset()

    def parse(self, block: bytes, lines: int) -> list[npt.NDArray[Any]] | None:
        """Return the columns of a block in their stored types, None if a row is malformed.

        Args:
            block: Whole rows, in UTF-8.
            lines: How many they are.
        """
        separator = self._separator
        block = block.replace(b"\r\n", b"\n")
        if len(separator) > 1:
            if b"\t" in block:
                return None
            block, separator = block.replace(separator.encode(), b"\t"), "\t"
        elif b'"' in block:
            if not quotes_enclose(block, separator, self._width, [int(n) for n in self._used]):
                return None
            block = block.replace(b'"', b"")
        # pandas cuts rows that are too long, so the separators are counted; a row that is too short
        # has a missing number.
        if block.count(separator.encode()) != lines * (self._width - 1):
            return None
        arrays = self._arrays(block, separator, lines, self._as_text)
        if arrays is not None and self._has_plain_ids(arrays, block, separator, lines):
            return list(arrays.values())
        if self._as_text == self._ids:
            return None
        arrays = self._arrays(block, separator, lines, self._ids)
        if arrays is None:
            return None
        self._as_text |= {name for name in self._ids if (arrays[name] < 0).any()}
        return list(arrays.values())

    def _has_plain_ids(
        self, arrays: dict[str, npt.NDArray[Any]], block: bytes, separator: str, lines: int
    ) -> bool:
        """Return whether the ids of a block that were parsed as whole numbers are written so."""
        names = self._ids - self._as_text
        if not names:
            return True
        codes = np.frombuffer(block, np.uint8)
        ends = _ends(codes, separator, lines, self._width)
        if ends is None:
            return False
        powers = np.flatnonzero((codes | _LOWER) == _E)
        with_power = set((np.searchsorted(ends.ravel(), powers) % self._width).tolist())
        return all(
            int(name) not in with_power and _are_plain(arrays[name], ends, int(name))
            for name in names
        )

    def _arrays(
        self, block: bytes, separator: str, lines: int, as_text: frozenset[str]
    ) -> dict[str, npt.NDArray[Any]] | None:
        used = self._used
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                frame = pd.read_csv(
                    io.BytesIO(block),
                    sep=separator,
                    header=None,
                    names=[str(i) for i in range(self._width)],
                    usecols=list(used),
                    engine="c",
                    dtype={n: object if n in as_text else c.dtype for n, c in used.items()},
                    decimal=next((c.decimal for c in used.values() if c.decimal != "."), "."),
                    index_col=False,
                    keep_default_na=False,
                    quoting=csv.QUOTE_NONE,
                )
        except (ValueError, OverflowError, pd.errors.ParserError, Warning):
            return None
        if len(frame) != lines:
            return None
        arrays: dict[str, npt.NDArray[Any]] = {}
        for name, column in used.items():
            values = column.parsed(frame[name])
            if values is None:
                return None
            arrays[name] = values
        return arrays


def _ends(codes: npt.NDArray[np.uint8], separator: str, lines: int, width: int) -> Ints | None:
    """Return where the fields of a block end, lines × width; None if a row has another width."""
    ends = np.flatnonzero((codes == ord(separator)) | (codes == _NEWLINE))
    if codes[-1] != _NEWLINE:
        ends = np.append(ends, len(codes))
    if len(ends) != lines * width:
        return None
    by_row = ends.reshape(lines, width)
    return by_row if (codes[by_row[:-1, -1]] == _NEWLINE).all() else None


def _are_plain(values: Ints, ends: Ints, place: int) -> bool:
    """Return whether each field of a column is as long as its number in digits.

    pandas takes 007, +7, 7.0 and a blank before 7 for 7; as ids they are other ones, or none. 1e2
    is as long as its number, and is looked for apart.
    """
    before = ends[:, place - 1] if place else np.append(-1, ends[:-1, -1])
    digits = np.searchsorted(_POWERS, values, side="right") + 1
    return bool((ends[:, place] - before - 1 == digits).all())
