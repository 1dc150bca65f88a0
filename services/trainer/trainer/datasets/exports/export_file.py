"""What an export tells of itself: its form, how much it holds, which ids were given as text."""

import json
from typing import IO

from pydantic import BaseModel, Field, ValidationError

from marquee.errors import DataError

EXPORT = "export.json"
"""The file that tells a data set that Marquee itself has written."""
FORMAT = 1
_ANEW = f"export it again, or remove {EXPORT} to read its tables like any others"


class ExportFile(BaseModel):
    """The content of EXPORT; counts are not stated in files of before.

    Attributes:
        format: Number of the form of the tables.
        data_version: Version of the data set.
        ratings: Number of ratings.
        films: Number of films.
        film_ids_as_text: Whole numbers that are ids given as text.
    """

    format: int = FORMAT
    data_version: str = ""
    ratings: int = Field(default=0, ge=0)
    films: int = Field(default=0, ge=0)
    film_ids_as_text: list[str] = []

    def check_whole(self, ratings: int, films: int) -> None:
        """Raise DataError where fewer ratings or films were read than were written."""
        for what, stated, found in (
            ("ratings", self.ratings, ratings),
            ("films", self.films, films),
        ):
            if found < stated:
                raise DataError(
                    f"{EXPORT} states {stated:,} {what}, {found:,} were read: the export was cut or"
                    f" changed; {_ANEW}",
                    "path",
                )


def read_export_file(file: IO[bytes]) -> ExportFile:
    """Read EXPORT.

    Raises:
        DataError: It is damaged, or of a form that a later release has written.
    """
    try:
        about = ExportFile.model_validate(json.load(file))
    except (ValueError, RecursionError, ValidationError):
        raise DataError(f"{EXPORT} is damaged: {_ANEW}", "path") from None
    if about.format > FORMAT:
        raise DataError(
            f"{EXPORT} is of format {about.format}, and this release reads up to {FORMAT}: read it"
            f" by the release that wrote it, or a later one",
            "path",
        )
    return about
