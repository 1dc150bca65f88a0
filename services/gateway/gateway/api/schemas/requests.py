"""Models of requests: query parameters and bodies, closed against unknown fields."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from gateway.api.schemas.field_types import (
    MAX_LIST,
    Actor,
    After,
    Cursor,
    Diversity,
    Genre,
    Genres,
    K,
    MovieId,
    MovieIds,
    Reason,
    RecommendationId,
    Stars,
    StrictMovieId,
    Tagged,
    UserId,
    WaitMs,
    Year,
)
from gateway.catalogue.catalogue import MovieFilter
from marquee.domain.movies import Relevance, Tag


class Closed(BaseModel):
    """A body or a set of parameters: an unknown field is an error that names the nearest one."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _known_fields(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            known = [field.alias or name for name, field in cls.model_fields.items()]
            for name in value:
                if name not in known and name not in cls.model_fields:
                    context = {"name": str(name), "known": known}
                    raise PydanticCustomError("unknown_field", "unknown field {name}", context)
        return value


class SessionQuery(Closed):
    """Parameters of a list for somebody of whom nothing is kept."""

    genre: Annotated[list[Genre], Field(max_length=19, description="Repeatable.")] = []
    viewed: Annotated[list[MovieId], Field(max_length=MAX_LIST, description="Repeatable.")] = []
    k: K = 5
    diversity: Diversity = None
    explain: Annotated[bool, Field(description="Say what the rules removed and placed.")] = False


class UserQuery(Closed):
    """Parameters of a viewer's list."""

    k: K = 10
    genre: Annotated[list[Genre], Field(max_length=19, description="Repeatable.")] = []
    year_from: Year | None = None
    year_to: Year | None = None
    tag: Tagged = None
    exclude: Annotated[list[MovieId], Field(max_length=MAX_LIST, description="Repeatable.")] = []
    diversity: Diversity = None
    after: After = None
    wait_ms: WaitMs = None
    explain: Annotated[bool, Field(description="Say what the rules removed and placed.")] = False

    def movie_filter(self) -> MovieFilter:
        """Return the filter that the parameters describe."""
        return MovieFilter(tuple(self.genre), self.year_from, self.year_to, self.tag)


class MoviesQuery(Closed):
    """Parameters of the catalogue's list."""

    query: Annotated[str, Field(max_length=200, description="Words of the title.")] = ""
    genre: Annotated[list[Genre], Field(max_length=19, description="Repeatable.")] = []
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Cursor = None


class SimilarQuery(Closed):
    """Parameters of the films like another."""

    k: K = 10


class FreshQuery(Closed):
    """Parameters of what is known of a viewer."""

    after: After = None
    wait_ms: WaitMs = None


class RulesQuery(Closed):
    """Parameters of the lists of rules."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: Cursor = None


class RuleQuery(Closed):
    """Parameters of a rule's removal."""

    actor: Actor = "unknown"


class PageQuery(FreshQuery):
    """Parameters of a list that is read in pages."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: Cursor = None


class SessionRating(Closed):
    """A rating that a session sends along."""

    movie_id: StrictMovieId
    rating: Stars
    at: AwareDatetime | None = None
    """When; without it the order given counts."""


class SessionBody(Closed):
    """A session that is not a user: what it has seen and rated travels with the request."""

    genres: Genres = []
    viewed: MovieIds = []
    ratings: Annotated[list[SessionRating], Field(description="The newest 1,000 count.")] = []
    exclude: MovieIds = []
    k: K = 5
    diversity: Diversity = None
    explain: bool = False


class RatingBody(Closed):
    """A viewer's rating of a film."""

    rating: Stars
    recommendation_id: RecommendationId | None = None


class ViewBody(Closed):
    """A film that a viewer has seen."""

    movie_id: StrictMovieId
    recommendation_id: RecommendationId | None = None


class PredictionBody(Closed):
    """Films, and a viewer (or a session's ratings) whose rating of each is asked for."""

    user_id: Annotated[UserId, Field(strict=True)] | None = None
    ratings: list[SessionRating] | None = None
    movie_ids: Annotated[list[StrictMovieId], Field(min_length=1, max_length=MAX_LIST)]


class MovieBody(Closed):
    """A new film; without `movie_id` it is given one."""

    movie_id: StrictMovieId | None = None
    title: Annotated[str, Field(min_length=1, max_length=500, examples=["Heat"])]
    year: Year | None = None
    genres: Genres = []
    tags: Annotated[dict[Tag, Relevance], Field(max_length=2000, examples=[{"heist": 0.9}])] = {}


class MoviePatch(Closed):
    """Fields of a film to replace; those left out stay."""

    title: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    year: Year | None = None
    genres: Genres | None = None
    tags: Annotated[dict[Tag, Relevance], Field(max_length=2000)] | None = None


class PromotionBody(Closed):
    """Where and for whom a film is placed."""

    weight: Annotated[float, Field(gt=0, le=1000, description="Heavier ones are placed first.")] = (
        1.0
    )
    slots: Annotated[
        list[Annotated[int, Field(ge=1, le=100, strict=True)]],
        Field(max_length=100, description="Ranks that it may take, the first free one is taken."),
    ] = []
    genres: Genres = []
    segments: Annotated[list[int], Field(max_length=MAX_LIST)] = []
    starts: AwareDatetime | None = Field(default=None, alias="from")
    until: AwareDatetime | None = None
    actor: Actor = "unknown"
    reason: Reason = ""


class BlockBody(Closed):
    """Why a film must not appear, and until when (for good, when left out)."""

    reason: Reason = ""
    until: AwareDatetime | None = None
    actor: Actor = "unknown"


class EventsBody(Closed):
    """Events to publish, each a CloudEvent; they are accepted or rejected one by one."""

    events: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=1000)]


class SegmentQuery(Closed):
    """Parameters of the list for a segment."""

    k: K = 10


class SegmentsBody(Closed):
    """How many segments of a kind the next training makes; null: as many as the data show."""

    k: Annotated[int, Field(ge=1, le=200, strict=True)] | None


class SegmentBody(Closed):
    """A segment's name, which goes to the next versions' segment that is most like it. With `keep`
    the next trainings make such a segment again, whatever else they find.
    """

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"\S")]
    keep: Annotated[bool, Field(strict=True)] = True


class TrainingBody(Closed):
    """What to train: models by name; all that can be trained, when left out."""

    models: Annotated[list[str], Field(max_length=20, examples=[["content", "hybrid"]])] = []


class RollbackBody(Closed):
    """The version that shall serve again; the one before the present, when left out."""

    version: Annotated[str, Field(min_length=1, max_length=100)] | None = None
