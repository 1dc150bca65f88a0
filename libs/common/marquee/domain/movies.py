"""Movies: the catalogue row."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field, field_validator
from pydantic_core import to_json

from marquee.domain.genres import GenreNames, distinct_genres
from marquee.domain.ids import Id
from marquee.domain.json_values import WHOLE, Real
from marquee.domain.movie_fields import FIELD_NAMES, MovieFields
from marquee.domain.texts import Text

YEARS: Final = range(1850, 2201)
"""Years in which a film may have come out."""

Title = Annotated[str, Text(500)]
Year = Annotated[int, Field(ge=YEARS[0], le=YEARS[-1]), WHOLE]
Relevance = Annotated[Real, Field(ge=0.0, le=1.0)]
TAG: Final = Text(100)
"""The form of a tag."""
Tag = Annotated[str, TAG]
Tags = Annotated[dict[Tag, Relevance], Field(max_length=2000)]


class Movie(MovieFields):
    """A film as the catalogue knows it; `tags` maps a tag to its relevance in 0..1."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    movie_id: Id
    title: Title
    year: Year | None = None
    genres: GenreNames = ()
    tags: Tags = {}  # noqa: RUF012 (pydantic)

    @field_validator("genres")
    @classmethod
    def _distinct_genres(cls, genres: tuple[str, ...]) -> tuple[str, ...]:
        return distinct_genres(genres)


CLEARABLE: Final = FIELD_NAMES | {"year"}
"""Names of the fields that a film may lose."""
ALWAYS_PRESENT: Final = frozenset(Movie.model_fields) - CLEARABLE
"""Names of those that it always has."""


def kept_movie(text: bytes) -> Movie:
    """Return a film from the JSON in which it is kept: it was accepted once, and stays."""
    return Movie.model_validate_json(text, strict=True)


def kept_movie_of(fields: Mapping[str, Any]) -> Movie:
    """Return a film from the fields under which it is kept, as in JSON."""
    return kept_movie(to_json(fields))
