"""Columns of numbers in a table, with the values that each may have."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

LATEST = 7_258_118_400
"""The first second of the year 2200."""
_MILLISECONDS = 100_000_000_000
"""Times from this on are in milliseconds: as seconds they would lie beyond the year 5000."""

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
        return None if self._is_good(value) else f"{self.name} {text[:40]!r} is not {self.allowed}"

    def number(self, text: str) -> float:
        """Return the value of a field.

        Raises:
            ValueError: it is not a number.
        """
        text = text.strip()
        if "_" in text:  # Python's own way of writing numbers
            raise ValueError(text)
        return int(text) if self.whole else float(text.replace(self.decimal, "."))

    @property
    def dtype(self) -> Any:
        """The type that pandas parses the column as."""
        return np.int64 if self.whole else np.float64

    def good(self, values: Values) -> bool:
        """Return whether all values are valid; NaN is not."""
        return bool(((values >= self.low) & (values <= self.high)).all())

    def stored(self, values: Values) -> Values:
        """Return the values in their stored type."""
        return values.astype(np.int64 if self.whole else np.float32)

    def _is_good(self, value: float) -> bool:
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
        """The type that pandas parses the column as."""
        return str

    def good(self, values: Values) -> bool:
        """Return whether all values are dates between the years 1970 and 2200."""
        seconds = _seconds(values)
        return seconds is not None and super().good(seconds)

    def stored(self, values: Values) -> Values:
        """Return seconds."""
        if values.dtype.kind in "iuf":
            return values.astype(np.int64)
        seconds = _seconds(values)
        assert seconds is not None
        return seconds


def time_column(example: str) -> Column:
    """Return the column of times of which a field is an example: dates, milliseconds, seconds."""
    text = example.strip()
    if text.lstrip("-").isdigit():
        if int(text) >= _MILLISECONDS:
            allowed = "in milliseconds between the years 1970 and 2200"
            return Milliseconds("time", allowed, 0, 1000 * LATEST)
    elif text and not text.replace(".", "", 1).isdigit():
        return Dates("time", "a date between the years 1970 and 2200", 0, LATEST, whole=False)
    return Column("time", "in seconds between the years 1970 and 2200", 0, LATEST)


def _seconds(values: Values) -> Values | None:
    dates = pd.to_datetime(pd.Series(values), utc=True, format="ISO8601", errors="coerce")
    if dates.isna().any():
        return None
    return dates.to_numpy("datetime64[s]").astype(np.int64)
