"""Columns of ids, whole numbers or strings, as the numbers that stand for them inside."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from marquee.arrays import Ints
from marquee.domain.ids import MAX_NUMBER, RULE, GivenId, parse_id_text, refuse_collision
from trainer.datasets.text.numbers import Column, Values

_SHOWN = 70
"""Characters of a field in an error: more than an id may have."""


class IdNumbers:
    """The ids of one kind that a data set has, each text looked at once.

    Attributes:
        strings: Texts of the ids that are strings, by number.
    """

    def __init__(self, name: str) -> None:
        """Begin without any; `name` is what the ids name, for errors."""
        self.name = name
        self.strings: dict[int, str] = {}
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        """Return the number of a field.

        Raises:
            ValueError: It is no id.
            IdCollision: It has the number of another text.
        """
        number = self._numbers.get(text)
        if number is None:
            entity = parse_id_text(text.strip())
            number = int(entity)
            if isinstance(entity, GivenId):
                refuse_collision(self.name, entity, self.strings.get(number, ""))
                self.strings[number] = entity.text
            self._numbers[text] = number
        return number

    def add(self, entity: int) -> None:
        """Add an id that is known from elsewhere.

        Raises:
            IdCollision: It has the number of another text.
        """
        if isinstance(entity, GivenId):
            self.number(entity.text)

    def given(self, number: int) -> int:
        """Return the id of a number, with its text if it is a string."""
        text = self.strings.get(number)
        return number if text is None else GivenId(text)

    def text(self, number: int) -> str:
        """Return the text of the id of a number."""
        return self.strings.get(number, str(number))

    def texts_of(self, numbers: Ints) -> Mapping[int, str]:
        """Return the texts of those of some numbers that stand for strings, by number."""
        if not self.strings:
            return {}
        return {n: self.strings[n] for n in np.sort(pd.unique(numbers[numbers < 0])).tolist()}


@dataclass(frozen=True, kw_only=True)
class IdColumn(Column):
    """A column of ids; stored as their numbers."""

    texts: IdNumbers = field(compare=False)

    @classmethod
    def of(cls, texts: IdNumbers) -> "IdColumn":
        """Return the column of ids of a kind."""
        return cls(texts.name, RULE, 1, MAX_NUMBER, texts=texts)

    @property
    def is_id(self) -> bool:
        """Whether its values are names, of which 7 and 07 are two."""
        return True

    def reason(self, text: str) -> str | None:
        """Return why a field is no id, or None."""
        try:
            self.number(text)
        except ValueError:
            return f"{self.name} {text[:_SHOWN]!r} {self.allowed}"
        return None

    def number(self, text: str) -> int:
        """Return the number of a field.

        Raises:
            ValueError: It is no id.
            IdCollision: It has the number of another text.
        """
        return self.texts.number(text)

    def parsed(self, series: "pd.Series[Any]") -> Values | None:
        """Return the numbers of a parsed column, None where a field is no id."""
        if series.dtype != object:
            return super().parsed(series)
        codes, distinct = pd.factorize(series.to_numpy())
        try:
            numbers = [self.number(text) for text in distinct]
        except ValueError:
            return None
        return np.array(numbers, np.int64)[codes]
