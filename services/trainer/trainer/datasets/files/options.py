"""What a user may say of files that they import, where it is not recognised."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from marquee.errors import DataError
from trainer.datasets.columns.column_formats import is_converted
from trainer.datasets.columns.column_names import parse_mapping
from trainer.datasets.columns.date_order import DateOrder, checked_order
from trainer.datasets.columns.rating_columns import Scale
from trainer.datasets.text.dialects import separator_named
from trainer.datasets.text.encodings import checked_encoding

MAX_LOSS = 0.01
"""Share of rows that may be lost for one cause."""


@dataclass(frozen=True)
class ImportOptions:
    """How files are read.

    Attributes:
        max_loss: Share of rows that may be lost for one cause; a few rows may always be.
        encoding: Of all files with text; None: recognised.
        separator: Of the fields of all tables; None: recognised.
        columns: Role → name of a column, where its name does not tell.
        scale: Of the ratings; None: 0.5 to 5 stars.
        every_row_likes: Each row of ratings is a like, whatever it says.
        date_order: Of day and month in dates that end with the year; None: recognised.
    """

    max_loss: float = MAX_LOSS
    encoding: str | None = None
    separator: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    scale: Scale | None = None
    every_row_likes: bool = False
    date_order: DateOrder | None = None

    @classmethod
    def parse(
        cls,
        max_loss: str = "1%",
        encoding: str | None = None,
        separator: str | None = None,
        columns: str | None = None,
        scale: str | None = None,
        every_row_likes: bool = False,
        date_order: str | None = None,
    ) -> "ImportOptions":
        """Return the options of texts, as a command line gives them.

        Raises:
            DataError: One of them is wrong.
        """
        return cls(
            _share(max_loss),
            checked_encoding(encoding),
            None if separator is None else separator_named(separator),
            parse_mapping(columns),
            Scale.parse(scale),
            every_row_likes,
            checked_order(date_order),
        )

    def encoding_of(self, name: str) -> str | None:
        """Return the encoding of a file as the user says it, that of converted ones as it is."""
        return "utf-8" if is_converted(name) else self.encoding

    def separator_of(self, name: str) -> str | None:
        """Return the separator of a file as the user says it, that of converted ones as it is."""
        return "," if is_converted(name) else self.separator

    def of_export(self) -> "ImportOptions":
        """Return the options of an export, whose form is known whatever its texts have."""
        return replace(self, encoding="utf-8-sig", separator=",")


def _share(text: str) -> float:
    number = text.strip().removesuffix("%")
    try:
        share = float(number) / (100 if text.strip().endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise DataError(f"max loss {text!r}: a share, as 1% or 0.01", "max_loss")
    return share
