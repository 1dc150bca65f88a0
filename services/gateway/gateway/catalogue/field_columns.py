"""Optional fields of the catalogue's films as arrays, for filters."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from marquee.arrays import Mask, lengthened
from marquee.domain.movie_fields import speaks

_NO_FIELDS: Mapping[str, Any] = {}
Codes = npt.NDArray[np.int32]


class FieldColumns:
    """Running time, language and certificate of films, by the rows of the catalogue's table.

    Texts are numbered in the order in which they come, from 1; 0 is an unknown one.
    """

    def __init__(self, films: Iterable[Mapping[str, Any] | None] = ()) -> None:
        """Take the optional fields of each row; None: it has none."""
        self._languages: dict[str, int] = {}
        self._certificates: dict[str, int] = {}
        self._spellings: dict[str, str] = {}
        rows = [self._codes(fields or _NO_FIELDS) for fields in films]
        self._columns: Codes = np.array(rows, np.int32).reshape(len(rows), 3)

    def put(self, row: int, fields: Mapping[str, Any] | None) -> None:
        """Replace the fields of a row, which may be new."""
        if row >= len(self._columns):
            self._columns = lengthened(self._columns, max(64, row + 1 - len(self._columns)))
        self._columns[row] = self._codes(fields or _NO_FIELDS)

    def mask(
        self,
        n: int,
        runtime_max: int | None,
        languages: Collection[str],
        certificates: Collection[str],
    ) -> Mask:
        """Return which of the first n rows pass; what is unknown passes no filter of it.

        Args:
            n: Number of rows.
            runtime_max: Most minutes, or None.
            languages: Languages of which one must be the film's; empty: any.
            certificates: Certificates, likewise.
        """
        runtimes, spoken, certified = self._columns[:n].T
        mask = np.ones(n, bool)
        if runtime_max is not None:
            mask &= (runtimes > 0) & (runtimes <= runtime_max)
        if languages:
            found = [
                code
                for language, code in self._languages.items()
                if any(speaks(language, wanted) for wanted in languages)
            ]
            mask &= np.isin(spoken, found)
        if certificates:
            mask &= np.isin(
                certified, [self._certificates.get(c.casefold(), -1) for c in certificates]
            )
        return mask

    def languages(self, rows: Mask) -> tuple[str, ...]:
        """Return the languages of rows in a mask, as they are written, sorted."""
        return self._values(self._languages, 1, rows)

    def certificates(self, rows: Mask) -> tuple[str, ...]:
        """Return the certificates of rows in a mask, likewise."""
        return self._values(self._certificates, 2, rows)

    def _values(self, codes: Mapping[str, int], column: int, rows: Mask) -> tuple[str, ...]:
        films = np.bincount(self._columns[: len(rows), column][rows], minlength=len(codes) + 1)
        return tuple(sorted(self._spellings[key] for key, code in codes.items() if films[code]))

    def _codes(self, fields: Mapping[str, Any]) -> tuple[int, int, int]:
        if not fields:
            return 0, 0, 0
        return (
            fields.get("runtime") or 0,
            self._code(self._languages, fields.get("language")),
            self._code(self._certificates, fields.get("certificate")),
        )

    def _code(self, codes: dict[str, int], text: str | None) -> int:
        if not text:
            return 0
        key = text.casefold()
        self._spellings.setdefault(key, text)
        return codes.setdefault(key, len(codes) + 1)
