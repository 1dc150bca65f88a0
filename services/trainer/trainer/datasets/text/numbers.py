"""Columns of numbers in a table, with the values that each may have."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

LATEST = 7_258_118_400
"""The first second of the year 2200."""
_WHOLE_AS_REAL = re.compile(r"(?<=\d)\.0*$")
_MILLISECONDS = 100_000_000_000
"""Times from this on are in milliseconds: as seconds they would lie beyond the year 5000."""
_COMPACT = re.compile(r"(?:19|20|21)[0-9]{6}")

Values = npt.NDArray[Any]


@dataclass(frozen=True)
class Column:
    """A numeric column whose values lie from `low` to `high`; with `whole` they are whole numbers.

    `allowed` describes the valid values for error messages. `decimal` is the decimal mark.
    """

    name: str
    allowed: str
    low: float
    high: float
    whole: bool = True
    decimal: str = "."

    def reason(self, text: str) -> str | None:
        """Return why a field is invalid, or None."""
        try:
            value = self.number(text)
        except ValueError:
            return f"{self.name} {text[:40]!r} is not a number"
        return None if self.is_good(value) else f"{self.name} {text[:40]!r} is not {self.allowed}"

    def number(self, text: str) -> float:
        """Return the value of a field.

        Raises:
            ValueError: it is not a number.
        """
        text = text.strip()
        if "_" in text:  # Python's own way of writing numbers
            raise ValueError(text)
        if not self.whole:
            return float(text.replace(self.decimal, "."))
        # Tables of pandas write whole numbers so, and its parser reads them.
        return int(_WHOLE_AS_REAL.sub("", text))

    @property
    def dtype(self) -> Any:
        """The type that pandas parses the column as."""
        return np.int64 if self.whole else np.float64

    @property
    def is_id(self) -> bool:
        """Whether its values are names, of which 7 and 07 are two."""
        return False

    def parsed(self, series: "pd.Series[Any]") -> Values | None:
        """Return a column that pandas parsed in its stored type, None where a value is invalid."""
        values = series.to_numpy()
        return self.stored(values) if self.good(values) else None

    def good(self, values: Values) -> bool:
        """Return whether all values are valid; NaN is not."""
        return bool(((values >= self.low) & (values <= self.high)).all())

    def stored(self, values: Values) -> Values:
        """Return the values in their stored type."""
        return values.astype(np.int64 if self.whole else np.float32)

    def is_good(self, value: float) -> bool:
        """Return whether a value is valid."""
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Milliseconds(Column):
    """Times in milliseconds since 1970; stored in seconds."""

    def stored(self, values: Values) -> Values:
        """Return seconds."""
        return values.astype(np.int64) // 1000


@dataclass(frozen=True)
class Dates(Column):
    """Times as ISO 8601 writes them, in UTC where they name no zone; stored in seconds."""

    def number(self, text: str) -> float:
        """Return the seconds since 1970 of a date."""
        date = datetime.fromisoformat(text.strip())
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()

    def reason(self, text: str) -> str | None:
        """Return why a field is invalid, or None."""
        try:
            return super().reason(text) if self.number(text) is not None else None
        except (ValueError, OverflowError):
            return f"{self.name} {text[:40]!r} is not a date, as 2005-04-02 23:53:47"

    @property
    def dtype(self) -> Any:
        """The type that pandas parses the column as: dates repeat, or are cheap enough if not."""
        return object

    def parsed(self, series: "pd.Series[Any]") -> Values | None:
        """Return seconds, None where a field is no date between the years 1970 and 2200."""
        codes, distinct = pd.factorize(series.to_numpy())
        texts = pd.Series(distinct, dtype=object)
        dates = pd.to_datetime(texts, utc=True, format="ISO8601", errors="coerce")
        if dates.isna().any():
            return None
        seconds = dates.to_numpy("datetime64[s]").astype(np.int64)
        return seconds[codes] if self.good(seconds) else None

    def stored(self, values: Values) -> Values:
        """Return seconds."""
        return values.astype(np.int64)


def time_column(example: str) -> Column:
    """Return the column of times of which a field is an example: dates, milliseconds, seconds."""
    text = example.strip()
    if _is_compact_date(text):
        return Dates("time", "a date between the years 1970 and 2200", 0, LATEST, whole=False)
    if text.lstrip("-").isdigit():
        if int(text) >= _MILLISECONDS:
            allowed = "in milliseconds between the years 1970 and 2200"
            return Milliseconds("time", allowed, 0, 1000 * LATEST)
    elif text and not text.replace(".", "", 1).isdigit():
        return Dates("time", "a date between the years 1970 and 2200", 0, LATEST, whole=False)
    return Column("time", "in seconds between the years 1970 and 2200", 0, LATEST)


def _is_compact_date(text: str) -> bool:
    """Return whether a text is a date as 20010909, which as seconds would be of August 1970."""
    try:
        return _COMPACT.fullmatch(text) is not None and bool(datetime.fromisoformat(text))
    except ValueError:
        return False
