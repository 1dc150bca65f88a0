"""Dates of day, month and year in the order of a whole column: 31.12.2024, or 12/31/2024."""

import re
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from marquee.errors import DataError
from trainer.datasets.text.numbers import LATEST, Column, Dates, Values

DateOrder = Literal["day-first", "month-first"]
"""Which of two numbers before a year comes first."""

_DATE = re.compile(
    r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})"
    r"(?:[,T ]\s*(\d{1,2}):(\d\d)(?::(\d\d))?(?:\s*([AP])\.?M\.?)?)?",
    re.IGNORECASE,
)
_MONTHS = 12


def checked_order(text: str | None) -> DateOrder | None:
    """Return an order of dates as it was given.

    Raises:
        DataError: It is none.
    """
    for order in get_args(DateOrder):
        if text == order:
            return order  # type: ignore[no-any-return]
    if text is None:
        return None
    raise DataError(f"date order {text!r}: {' or '.join(get_args(DateOrder))}", "date_order")


def has_order(text: str) -> bool:
    """Return whether a field is a date of which day and month must be told apart."""
    return _DATE.fullmatch(text.strip()) is not None


@dataclass(frozen=True)
class DayMonths(Column):
    """The two numbers before the year of each date, stored as 100 · first + second."""

    @classmethod
    def of_times(cls) -> "DayMonths":
        """Return the column of a table's times."""
        return cls("time", "a date, as 31.12.2024", 0, 9999)

    def number(self, text: str) -> float:
        """Return both numbers as one."""
        match = _DATE.fullmatch(text.strip())
        if match is None:
            raise ValueError(text)
        return 100 * int(match[1]) + int(match[3])

    @property
    def dtype(self) -> Any:
        """The type that pandas parses the column as."""
        return object

    def parsed(self, series: "pd.Series[Any]") -> Values | None:
        """Return the numbers, None where a field is no such date."""
        return _of_distinct(self, series)


def order_of(pairs: Values, file: str) -> DateOrder:
    """Return the order of the dates of a column, by a day above 12.

    Args:
        pairs: 100 · first + second number of each date.
        file: The table, for errors.

    Raises:
        DataError: No day is above 12, or some are first and some second.
    """
    first, second = pairs // 100, pairs % 100
    is_day_first = bool(((first > _MONTHS) & (second <= _MONTHS)).any())
    is_month_first = bool(((second > _MONTHS) & (first <= _MONTHS)).any())
    if is_day_first != is_month_first:
        return "day-first" if is_day_first else "month-first"
    told = "some dates have the day first and some the month"
    if not is_day_first:
        told = "no day is above 12, so that day and month cannot be told apart"
    raise DataError(
        f"{file}: {told}: say --date-order {' or --date-order '.join(get_args(DateOrder))}",
        "date_order",
    )


@dataclass(frozen=True)
class OrderedDates(Dates):
    """Dates of day, month and year in one order, in UTC; stored in seconds."""

    is_day_first: bool = True

    @classmethod
    def of_times(cls, order: DateOrder) -> "OrderedDates":
        """Return the column of a table's times."""
        allowed = "a date between the years 1970 and 2200"
        is_day_first = order == "day-first"
        return cls("time", allowed, 0, LATEST, whole=False, is_day_first=is_day_first)

    def number(self, text: str) -> float:
        """Return the seconds since 1970 of a date."""
        match = _DATE.fullmatch(text.strip())
        if match is None:
            return super().number(text)
        first, _, second, year, hour, minute, seconds, half = match.groups()
        day, month = (first, second) if self.is_day_first else (second, first)
        hours = _hours(int(hour or 0), (half or "").upper())
        clock = f"{hours:02}:{minute or '00'}:{seconds or '00'}"
        return super().number(f"{year}-{month:0>2}-{day:0>2}T{clock}")

    def reason(self, text: str) -> str | None:
        """Return why a field is invalid, or None."""
        example = "31.12.2024 23:53" if self.is_day_first else "12/31/2024 23:53"
        told = super().reason(text)
        return told and told.replace("2005-04-02 23:53:47", example)

    def parsed(self, series: "pd.Series[Any]") -> Values | None:
        """Return seconds, None where a field is no date between the years 1970 and 2200."""
        return _of_distinct(self, series)


def _hours(hour: int, half: str) -> int:
    """Return an hour of 24; of 12 where its half of the day is named.

    Raises:
        ValueError: There is no such hour.
    """
    if not half:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError(f"hour {hour} {half}M")
    return hour % 12 + 12 * (half == "P")


def _of_distinct(column: Column, series: "pd.Series[Any]") -> Values | None:
    """Return the stored values of a column of text, None where one is invalid."""
    codes, distinct = pd.factorize(series.to_numpy())
    texts = [str(text) for text in distinct]
    if any(column.reason(text) for text in texts):
        return None
    return column.stored(np.array([column.number(text) for text in texts]))[codes]
