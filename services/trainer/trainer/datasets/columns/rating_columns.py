"""Columns of ratings on a scale of their own, stored in half stars."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from marquee.errors import DataError
from trainer.datasets.text.numbers import Column, Values
from trainer.datasets.text.tables import MAX_FEW


@dataclass(frozen=True)
class Scale:
    """A scale of ratings from `low` to `high`."""

    low: float
    high: float

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest rating."""
        return self.low, self.high

    @classmethod
    def parse(cls, text: str | None) -> "Scale | None":
        """Return the scale of a text as `1-10`; None for none.

        Raises:
            DataError: The text has another form.
        """
        if text is None:
            return None
        low, _, high = text.partition("-")
        try:
            scale = cls(float(low), float(high))
        except ValueError:
            scale = cls(0, 0)
        if not 0 <= scale.low < scale.high < math.inf:
            raise DataError(f"scale {text!r}: LOWEST-HIGHEST, as 1-10 or 0-100", "scale")
        return scale


@dataclass(frozen=True)
class RatingColumn(Column):
    """Ratings on a scale of their own; stored in half stars, as 10 · value / highest.

    The scale of MovieLens has half steps; on another one values are rounded.
    """

    is_stars: bool = False

    @classmethod
    def of(cls, scale: Scale | None, decimal: str = ".") -> "RatingColumn":
        """Return the column of a scale; None: of 0.5 to 5 stars."""
        if scale is None:
            return cls("rating", "0.5 to 5 in half stars", 0.5, 5.0, False, decimal, True)
        return cls("rating", f"{scale.low:g} to {scale.high:g}", *scale.range, False, decimal)

    def good(self, values: Values) -> bool:
        """Return whether all values are on the scale."""
        half = 2 * values
        return super().good(values) and not (self.is_stars and (half != np.floor(half)).any())

    def stored(self, values: Values) -> Values:
        """Return half stars, 1 to 10."""
        half_stars = np.floor(10 * values / self.high + 0.5)
        return np.maximum(half_stars, 1).astype(np.uint8)

    def is_good(self, value: float) -> bool:
        """Return whether a value is on the scale."""
        return super().is_good(value) and (not self.is_stars or (2 * value).is_integer())


def rating_column(
    file: str, sample: Sequence[str], scale: Scale | None, max_loss: float
) -> RatingColumn:
    """Return the column of ratings of which some fields are a sample.

    Raises:
        DataError: They are numbers, but for too many the scale must be named.
    """
    is_comma = any("," in text for text in sample) and not any("." in text for text in sample)
    column = RatingColumn.of(scale, "," if is_comma else ".")
    numbers = [number for text in sample if (number := _finite(column, text)) is not None]
    wrong = [number for number in numbers if not column.is_good(number)]
    if len(wrong) <= max(max_loss * len(sample), MAX_FEW):
        return column
    low, high = min(numbers), max(numbers)
    raise DataError(
        f"{file}: ratings from {low:g} to {high:g}, not {column.allowed}: {_remedy(low, high)}, or"
        " say --likes if each row is a like; nothing is written",
        "scale",
    )


def _remedy(low: float, high: float) -> str:
    """Return what to do with ratings on an unknown scale of which some are known."""
    if low < 0 or high <= 0:
        return "a scale is of no numbers below 0: add the same number to each rating"
    lowest, highest = 0 if low < 1 else 1, repr(high).removesuffix(".0")
    return (
        f"the highest that was looked at is {highest}; name the ends of their scale, as --scale"
        f" {lowest}-{highest} if none can be higher"
    )


def _finite(column: RatingColumn, text: str) -> float | None:
    try:
        number = column.number(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
