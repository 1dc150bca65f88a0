"""Models of requests: query parameters and bodies, closed against unknown fields."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from gateway.access.viewer_tokens import MAX_SECONDS
from gateway.api.schemas.closed import Closed
from gateway.api.schemas.field_types import (
    Actor,
    After,
    Cursor,
    Genres,
    JsonDiversity,
    JsonK,
    JsonMovieId,
    JsonUserId,
    ListCursor,
    MovieId,
    MovieIds,
    RecommendationId,
    Stars,
    WaitMs,
)
from gateway.api.schemas.film_filters import FilmFilters, FilterQuery
from marquee.domain.json_values import WHOLE, Flag, Time, Whole
from marquee.domain.models import MODEL_NAMES
from marquee.domain.texts import Text
from marquee.events.payloads import Reason, Slot, Weight
from marquee.limits import MAX_LIST

MAX_SESSION = 10_000
"""Films that a session may name as viewed or rated: each wrong one takes memory until refused."""


class MoviesQuery(FilterQuery):
    """Parameters of the catalogue's list."""

    query: Annotated[str, Field(max_length=200, description="Words of the title.")] = ""
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Cursor = None


class FreshQuery(Closed):
    """Parameters of what is known of a viewer."""

    after: After = None
    wait_ms: WaitMs = None


class ExportQuery(FreshQuery):
    """Parameters of a viewer's export."""

    format: Annotated[
        Literal["json", "letterboxd"],
        Field(description="JSON with all that is known, or a CSV file that Letterboxd imports."),
    ] = "json"


class RulesQuery(Closed):
    """Parameters of the lists of rules."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: Cursor = None


class AuditQuery(FreshQuery):
    """Parameters of the audit."""

    movie_id: Annotated[MovieId | None, Field(description="The film that entries concern.")] = None
    actor: Annotated[
        str | None, Field(max_length=200, description="Who asked for it, or who decided it.")
    ] = None
    action: Annotated[
        str | None,
        Field(
            max_length=50,
            description="What was done: the type of an event (`movie.promoted`, `movie.blocked`,"
            " `movie.updated` …), `training.started`, `model.rolled_back`, `segments.counted`,"
            " `segment.named`, `key.created`, `key.rotated` or `key.revoked`.",
        ),
    ] = None
    since: Annotated[Time | None, Field(alias="from", description="From this moment on.")] = None
    until: Annotated[Time | None, Field(description="Before this moment.")] = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: Cursor = None


class RatingsQuery(FreshQuery, FilterQuery):
    """Parameters of the list of what a viewer rated."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: Cursor = None


class WatchlistQuery(RatingsQuery):
    """Parameters of a viewer's watchlist."""


class ListedQuery(Closed):
    """Parameters of a film that goes to a watchlist."""

    recommendation_id: RecommendationId | None = None


class SessionRating(Closed):
    """A rating that a session sends along."""

    movie_id: JsonMovieId
    rating: Stars
    at: Time | None = None
    """When; without it the order given counts."""


class SessionBody(FilmFilters):
    """A session that is not a user: what it has seen and rated travels with the request."""

    viewed: Annotated[
        list[JsonMovieId], Field(max_length=MAX_SESSION, description="The newest 1,000 count.")
    ] = []
    ratings: Annotated[
        list[SessionRating], Field(max_length=MAX_SESSION, description="The newest 1,000 count.")
    ] = []
    exclude: MovieIds = []
    k: JsonK = 5
    diversity: JsonDiversity = None
    cursor: ListCursor = None
    explain: Flag = False


class RatingBody(Closed):
    """A viewer's rating of a film."""

    rating: Stars
    recommendation_id: RecommendationId | None = None


class ViewBody(Closed):
    """A film that a viewer has seen."""

    movie_id: JsonMovieId
    recommendation_id: RecommendationId | None = None


class PredictionBody(Closed):
    """Films, and a viewer (or a session's ratings) whose rating of each is asked for."""

    user_id: JsonUserId | None = None
    ratings: Annotated[list[SessionRating], Field(max_length=MAX_SESSION)] | None = None
    movie_ids: Annotated[list[JsonMovieId], Field(min_length=1, max_length=MAX_LIST)]


class PromotionBody(Closed):
    """Where and for whom a film is placed."""

    weight: Annotated[Weight, Field(description="Heavier ones are placed first.")] = 1.0
    slots: Annotated[
        list[Slot],
        Field(max_length=100, description="Ranks that it may take, the first free one is taken."),
    ] = []
    genres: Genres = []
    segments: Annotated[list[Whole], Field(max_length=MAX_LIST)] = []
    starts: Time | None = Field(default=None, alias="from")
    until: Time | None = None
    actor: Actor = "unknown"
    reason: Reason = ""


class BlockBody(Closed):
    """Why a film must not appear, and until when (for good, when left out)."""

    reason: Reason = ""
    until: Time | None = None
    actor: Actor = "unknown"


class PreviewBody(Closed):
    """A promotion or a block that is not made, and the viewers whose lists are asked for."""

    movie_id: JsonMovieId
    promotion: PromotionBody | None = None
    block: BlockBody | None = None
    users: Annotated[
        list[JsonUserId],
        Field(min_length=1, max_length=20, description="Viewers, 20 at most.", examples=[[1, 42]]),
    ]
    k: JsonK = 10


class EventsBody(Closed):
    """Events to publish, each a CloudEvent; they are accepted or rejected one by one."""

    events: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MAX_LIST)]


class SegmentsBody(Closed):
    """How many segments of a kind the next training makes; null: as many as the data show."""

    k: Annotated[int, Field(ge=1, le=200), WHOLE] | None


class SegmentBody(Closed):
    """A segment's name, which goes to the next versions' segment that is most like it. With `keep`
    the next trainings make such a segment again, whatever else they find.
    """

    name: Annotated[str, Text(100, strip=True)]
    keep: Flag = True


def _known_model(name: str) -> str:
    if name not in MODEL_NAMES:
        allowed = list(MODEL_NAMES)
        raise PydanticCustomError("unknown_model", "there is no such model", {"allowed": allowed})
    return name


ModelName = Annotated[
    str, AfterValidator(_known_model), Field(json_schema_extra={"enum": [*MODEL_NAMES]})
]


class TrainingBody(Closed):
    """What to train: models by name; all that can be trained, when left out."""

    models: Annotated[list[ModelName], Field(max_length=20, examples=[["content", "hybrid"]])] = []


class RollbackBody(Closed):
    """The version that shall serve again; the one before the present, when left out."""

    version: Annotated[str, Field(min_length=1, max_length=100)] | None = None


class TokenBody(Closed):
    """How long the token holds."""

    seconds: Annotated[
        int, Field(ge=60, le=MAX_SECONDS, description="How long it holds."), WHOLE
    ] = 900
