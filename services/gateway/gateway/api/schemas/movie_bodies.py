"""Bodies of the catalogue's writes: a new film, and changes of one."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from gateway.api.schemas.closed import Closed
from gateway.api.schemas.field_types import Genres, JsonMovieId
from marquee.domain.movie_fields import MovieFields, MovieLinks
from marquee.domain.movies import CLEARABLE, Tags, Title, Year


class LinksBody(Closed, MovieLinks):
    """A film's ids elsewhere."""

    # Of two bases the last one would decide, and events are open.
    model_config = Closed.model_config


class MovieBody(Closed, MovieFields):
    """A new film; without `movie_id` it is given one."""

    movie_id: JsonMovieId | None = None
    title: Annotated[Title, Field(examples=["Heat"])]
    year: Year | None = None
    genres: Genres = []
    tags: Annotated[Tags, Field(examples=[{"heist": 0.9}])] = {}
    links: LinksBody | None = None


_IN_ORDER = Field(union_mode="left_to_right")
"""Pydantic tries a union in its strict mode first, in which texts that are kept are read."""
_INSTEAD: Mapping[str, str] = {
    "title": "a film always has a title: give another",
    "genres": "[] takes all genres away",
    "tags": "{} takes all tags away",
}
"""What to send instead of null, by field that a film always has."""


class MoviePatch(Closed, MovieFields):
    """Fields of a film to replace; null clears one that a film may lack, those left out stay."""

    title: Annotated[Title | SkipJsonSchema[None], _IN_ORDER] = None
    year: Year | None = None
    genres: Annotated[Genres | SkipJsonSchema[None], _IN_ORDER] = None
    tags: Annotated[Tags | SkipJsonSchema[None], _IN_ORDER] = None
    links: LinksBody | None = None

    @field_validator(*_INSTEAD, mode="before")
    @classmethod
    def _is_not_null(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None:
            instead = _INSTEAD[info.field_name or ""]
            message = f"null is no value here: {instead}, or leave the field out to keep it"
            # The message is no template: it may have braces.
            raise PydanticCustomError("not_null", "{message}", {"message": message})
        return value

    @property
    def cleared(self) -> tuple[str, ...]:
        """Names of the fields that are null, in order."""
        nulls = CLEARABLE & self.model_fields_set
        return tuple(sorted(name for name in nulls if getattr(self, name) is None))
