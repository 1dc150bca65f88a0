"""Event types: CloudEvents 1.0 in JSON, one class for each type, with its topic and key."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from marquee.domain.movies import Movie
from marquee.errors import UnreadableEvent
from marquee.events.payloads import (
    Block,
    ModelVersion,
    MovieChange,
    MovieRef,
    Promotion,
    Rating,
    RuleRemoved,
    UserMovie,
    UserRef,
)

MOVIES, RATINGS, MODELS = "movies", "ratings", "models"
TOPICS: tuple[str, ...] = (MOVIES, RATINGS, MODELS)

MAX_BYTES = 1_000_000
"""A longer message is invalid."""


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """Return a random, unique event id."""
    return secrets.token_hex(12)


class Event(BaseModel):
    """The CloudEvents envelope; `(source, id)` names an event once and for all."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    topic: ClassVar[str]

    specversion: Literal["1.0"] = "1.0"
    id: Annotated[str, Field(min_length=1, max_length=200)] = Field(default_factory=new_id)
    source: Annotated[str, Field(min_length=1, max_length=200)] = "marquee"
    time: AwareDatetime = Field(default_factory=now)
    datacontenttype: Literal["application/json"] = "application/json"
    type: str

    @property
    def key(self) -> str:
        """The key on the bus: events with one key keep their order."""
        raise NotImplementedError

    def encode(self) -> bytes:
        """Return the encoded event, JSON."""
        return self.__pydantic_serializer__.to_json(self)


class MovieEvent(Event):
    topic = MOVIES
    data: Movie | MovieRef | MovieChange | Promotion | Block | RuleRemoved

    @property
    def key(self) -> str:
        return str(self.data.movie_id)


class MovieAdded(MovieEvent):
    """A film is in the catalogue from now on; a second one replaces the row."""

    type: Literal["movie.added"] = "movie.added"
    data: Movie


class MovieUpdated(MovieEvent):
    type: Literal["movie.updated"] = "movie.updated"
    data: MovieChange


class MovieRemoved(MovieEvent):
    type: Literal["movie.removed"] = "movie.removed"
    data: MovieRef


class MoviePromoted(MovieEvent):
    """A promotion; a second one replaces the first."""

    type: Literal["movie.promoted"] = "movie.promoted"
    data: Promotion

    def encode(self) -> bytes:
        return self.__pydantic_serializer__.to_json(self, by_alias=True)


class MovieUnpromoted(MovieEvent):
    type: Literal["movie.unpromoted"] = "movie.unpromoted"
    data: RuleRemoved


class MovieBlocked(MovieEvent):
    type: Literal["movie.blocked"] = "movie.blocked"
    data: Block


class MovieUnblocked(MovieEvent):
    type: Literal["movie.unblocked"] = "movie.unblocked"
    data: RuleRemoved


class RatingEvent(Event):
    topic = RATINGS
    data: Rating | UserMovie | UserRef

    @property
    def key(self) -> str:
        return str(self.data.user_id)


class RatingAdded(RatingEvent):
    """A rating; a second one of the same film replaces the first."""

    type: Literal["rating.added"] = "rating.added"
    data: Rating


class RatingRemoved(RatingEvent):
    type: Literal["rating.removed"] = "rating.removed"
    data: UserMovie


class MovieViewed(RatingEvent):
    type: Literal["movie.viewed"] = "movie.viewed"
    data: UserMovie


class MovieDismissed(RatingEvent):
    """The viewer is not interested in the film."""

    type: Literal["movie.dismissed"] = "movie.dismissed"
    data: UserMovie


class MovieRestored(RatingEvent):
    """A dismissal is taken back."""

    type: Literal["movie.restored"] = "movie.restored"
    data: UserMovie


class UserErased(RatingEvent):
    type: Literal["user.erased"] = "user.erased"
    data: UserRef


class ModelEvent(Event):
    topic = MODELS
    data: ModelVersion

    @property
    def key(self) -> str:
        return self.data.name


class ModelPublished(ModelEvent):
    type: Literal["model.published"] = "model.published"


class ModelRolledBack(ModelEvent):
    """An earlier version is to serve again."""

    type: Literal["model.rolled_back"] = "model.rolled_back"


AnyEvent = Annotated[
    MovieAdded
    | MovieUpdated
    | MovieRemoved
    | MoviePromoted
    | MovieUnpromoted
    | MovieBlocked
    | MovieUnblocked
    | RatingAdded
    | RatingRemoved
    | MovieViewed
    | MovieDismissed
    | MovieRestored
    | UserErased
    | ModelPublished
    | ModelRolledBack,
    Field(discriminator="type"),
]

EVENT_TYPES: Mapping[str, type[Event]] = {
    kind.model_fields["type"].default: kind for kind in get_args(get_args(AnyEvent)[0])
}
"""The class of each type of event, by the type's name."""

_ADAPTER: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)


def decode(message: bytes) -> AnyEvent:
    """Decode and validate the event of a message.

    Raises:
        UnreadableEvent: The message is too long or not a valid event; the text tells the fault.
    """
    if len(message) > MAX_BYTES:
        raise UnreadableEvent(f"message of {len(message)} bytes, at most {MAX_BYTES} are read")
    try:
        return _ADAPTER.validate_json(message)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "message"
        raise UnreadableEvent(f"{where}: {first['msg']}") from None
