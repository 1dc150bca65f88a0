"""Values of exports: stars, years, times and ids as texts, each with what is wrong with it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from marquee.domain.movies import YEARS

T = TypeVar("T")


class RowFault(Exception):
    """A row that cannot be read: the field, and what it should be."""

    def __init__(self, field: str, value: object, remedy: str) -> None:
        super().__init__(f"{field}: {str(value)[:60]!r} is not {remedy}")


def half_stars_of(field: str, value: object, per_star: int) -> int:
    """Return a rating as half stars, 1 to 10.

    Args:
        field: Name of the field, for the fault.
        value: The rating.
        per_star: Steps of a star that are counted as whole numbers: 1 for stars, 2 for a scale of
            1 to 10.

    Raises:
        RowFault: It is no rating of that scale.
    """
    try:
        half = float(str(value)) * 2 / per_star
    except ValueError:
        half = 0.0
    if half not in range(1, 11):
        scale = "0.5 to 5 stars in half stars" if per_star == 1 else "a whole number from 1 to 10"
        raise RowFault(field, value, scale)
    return int(half)


def year_of(field: str, value: object) -> int | None:
    """Return a year, None where there is none.

    Raises:
        RowFault: It is no year.
    """
    return _optional(field, value, _year, f"a year from {YEARS[0]} to {YEARS[-1]}")


def time_of(field: str, value: object) -> datetime | None:
    """Return a time, None where there is none; a date is its first moment in UTC.

    Raises:
        RowFault: It is no time.
    """
    return _optional(field, value, _time, "a date such as 2024-03-05")


def whole_number(value: object) -> int | None:
    """Return a whole number above 0 of a text or number, else None."""
    text = str(value if value is not None else "").strip().removesuffix(".0")
    return int(text) or None if text.isascii() and text.isdigit() and len(text) < 20 else None


def _optional(field: str, value: object, parse: Callable[[str], T], remedy: str) -> T | None:
    text = str(value or "").strip()
    try:
        return parse(text) if text else None
    except (ValueError, OverflowError):
        raise RowFault(field, value, remedy) from None


def _year(text: str) -> int:
    year = int(text) if text.isascii() and text.isdigit() else 0
    if year not in YEARS:
        raise ValueError(text)
    return year


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
