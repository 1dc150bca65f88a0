"""Event payloads: the `data` of each type, a user's or movie's id and the change."""

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from marquee.domain.genres import GenreNames
from marquee.domain.ids import Id, KeptId
from marquee.domain.json_values import WHOLE, Real, Time, Whole
from marquee.domain.movie_fields import MovieFields
from marquee.domain.movies import (
    ALWAYS_PRESENT,
    CLEARABLE,
    Movie,
    Tags,
    Title,
    Year,
    kept_movie_of,
)
from marquee.domain.ratings import Stars
from marquee.domain.texts import Text
from marquee.limits import MAX_LIST

Weight = Annotated[Real, Field(gt=0.0, le=1000.0)]
Slot = Annotated[int, Field(ge=1, le=100), WHOLE]
Actor = Annotated[str, Text(200)]
Reason = Annotated[str, Text(500, optional=True)]


class Data(BaseModel):
    """What an event says; unknown fields are ignored: older consumers read newer events."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class MovieRef(Data):
    """A film to take away, of any id that there ever was."""

    movie_id: KeptId


def _may_be_cleared(name: str) -> str:
    if name in ALWAYS_PRESENT:
        raise PydanticCustomError(
            "not_clearable",
            "a film always has {name}: replace it, or leave it as it is",
            {"name": name},
        )
    return name


def _is_empty(names: tuple[str, ...]) -> bool:
    return not names


FieldName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=100,
        json_schema_extra={"not": {"enum": sorted(ALWAYS_PRESENT)}},
    ),
    AfterValidator(_may_be_cleared),
]


class MovieChange(Data, MovieFields):
    """Fields of a film to replace and to clear; what is absent or null stays as it is."""

    movie_id: Id
    title: Title | None = None
    year: Year | None = None
    genres: GenreNames | None = None
    tags: Tags | None = None
    cleared: Annotated[
        tuple[FieldName, ...],
        Field(
            max_length=100,
            exclude_if=_is_empty,
            description=f"Names of fields that the film loses, of {', '.join(sorted(CLEARABLE))};"
            " others are ignored.",
            examples=[["runtime"]],
        ),
    ] = ()

    @model_validator(mode="after")
    def _replaces_or_clears(self) -> Self:
        for name in self.cleared:
            if getattr(self, name, None) is not None:
                raise PydanticCustomError(
                    "replaced_and_cleared", "{name} is replaced and cleared", {"name": name}
                )
        return self

    def apply(self, movie: Movie) -> Movie:
        """Return the movie with the fields of this change and without the cleared ones."""
        changes = self.model_dump(mode="json", exclude={"movie_id", "cleared"}, exclude_none=True)
        kept = movie.model_dump(mode="json", exclude=set(self.cleared))
        return kept_movie_of(kept | changes)


class Promotion(Data):
    """Where and for whom a film is placed: `weight` orders promotions, `slots` are ranks from 1."""

    movie_id: Id
    weight: Weight = 1.0
    slots: Annotated[tuple[Slot, ...], Field(max_length=100)] = ()
    genres: GenreNames = ()
    segments: Annotated[tuple[Whole, ...], Field(max_length=MAX_LIST)] = ()
    starts: Time | None = Field(default=None, alias="from")
    until: Time | None = None
    actor: Actor = "unknown"
    reason: Reason = ""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Block(Data):
    """A film that must not appear, until a moment or for good."""

    movie_id: Id
    reason: Reason = ""
    until: Time | None = None
    actor: Actor = "unknown"


class RuleRemoved(Data):
    movie_id: Id
    actor: Actor = "unknown"


class UserRef(Data):
    """A viewer to forget, of any id that there ever was."""

    user_id: KeptId


class UserMovie(Data):
    user_id: Id
    movie_id: Id
    recommendation_id: Annotated[str, Text(100)] | None = None


class Rating(UserMovie):
    """`rating` in stars: 0.5 to 5 in half stars."""

    rating: Stars


class ModelVersion(Data):
    """A trained version: where its files are, their digest, and the positions its data ends at."""

    name: Annotated[str, Text(100)]
    version: Annotated[str, Text(100)]
    address: Annotated[str, Field(max_length=2000)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    cut: Annotated[dict[str, Whole], Field(max_length=10_000)] = {}
    """Position of each partition, `topic:partition` → offset, where the training data ends."""
