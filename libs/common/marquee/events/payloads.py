"""Event payloads: the `data` of each type, a user's or movie's id and the change."""

from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from marquee.domain.movies import GENRES, Movie, MovieId, Relevance, Tag
from marquee.domain.ratings import Stars, UserId


def _known_genre(name: str) -> str:
    if name not in GENRES:
        raise ValueError(f"unknown genre {name!r}; allowed: {', '.join(GENRES)}")
    return name


Genre = Annotated[str, AfterValidator(_known_genre)]


class Data(BaseModel):
    """What an event says; unknown fields are ignored: older consumers read newer events."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class MovieRef(Data):
    movie_id: MovieId


class MovieChange(Data):
    """Fields of a film to replace; what is absent or null stays as it is."""

    movie_id: MovieId
    title: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    year: Annotated[int, Field(ge=1850, le=2200)] | None = None
    genres: Annotated[tuple[Genre, ...], Field(max_length=len(GENRES))] | None = None
    tags: Annotated[dict[Tag, Relevance], Field(max_length=2000)] | None = None

    def apply(self, movie: Movie) -> Movie:
        """Return the movie with the fields of this change."""
        changes = self.model_dump(exclude={"movie_id"}, exclude_none=True)
        return Movie.model_validate(movie.model_dump() | changes)


class Promotion(Data):
    """Where and for whom a film is placed: `weight` orders promotions, `slots` are ranks from 1."""

    movie_id: MovieId
    weight: Annotated[float, Field(gt=0.0, le=1000.0)] = 1.0
    slots: Annotated[tuple[Annotated[int, Field(ge=1, le=100)], ...], Field(max_length=100)] = ()
    genres: tuple[Genre, ...] = ()
    segments: tuple[int, ...] = ()
    starts: AwareDatetime | None = Field(default=None, alias="from")
    until: AwareDatetime | None = None
    actor: str = "unknown"
    reason: Annotated[str, Field(max_length=500)] = ""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Block(Data):
    """A film that must not appear, until a moment or for good."""

    movie_id: MovieId
    reason: Annotated[str, Field(max_length=500)] = ""
    until: AwareDatetime | None = None
    actor: str = "unknown"


class RuleRemoved(Data):
    movie_id: MovieId
    actor: str = "unknown"


class UserRef(Data):
    user_id: UserId


class UserMovie(Data):
    user_id: UserId
    movie_id: MovieId
    recommendation_id: str | None = None


class Rating(UserMovie):
    """`rating` in stars: 0.5 to 5 in half stars."""

    rating: Stars


class ModelVersion(Data):
    """A trained version: where its files are, their digest, and the positions its data ends at."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    version: Annotated[str, Field(min_length=1, max_length=100)]
    address: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    cut: dict[str, int] = {}
    """Position of each partition, `topic:partition` → offset, where the training data ends."""
