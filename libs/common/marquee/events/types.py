"""Event types: CloudEvents 1.0 in JSON, one class for each type, with its topic and key."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, ClassVar, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field

from marquee.domain.ids import id_text
from marquee.domain.json_values import Time
from marquee.domain.movies import Movie
from marquee.domain.texts import Text
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
    id: Annotated[str, Text(200)] = Field(default_factory=new_id)
    source: Annotated[str, Text(200)] = "marquee"
    time: Time = Field(default_factory=now)
    datacontenttype: Literal["application/json"] = "application/json"
    type: str

    @property
    def key(self) -> str:
        """The key on the bus: events with one key keep their order."""
        raise NotImplementedError

    def encode(self) -> bytes:
        """Return the encoded event, JSON."""
        return self.__pydantic_serializer__.to_json(self)


def _is_none(value: object) -> bool:
    return value is None


class AttributedEvent(Event):
    """An event that tells who asked for it: by the extension of CloudEvents for authentication.

    What comes by the API is attributed by the gateway, whatever the sender says.
    """

    authtype: Annotated[str, Text(50)] | None = Field(
        None,
        exclude_if=_is_none,
        description="How who asked for it was known: api_key, unauthenticated, system and others.",
    )
    authid: Annotated[str, Text(200)] | None = Field(
        None, exclude_if=_is_none, description="Who asked for it, as the name of a key."
    )
    recordedtime: Time | None = Field(
        None, exclude_if=_is_none, description="When it was accepted; the audit is ordered by it."
    )


class MovieEvent(AttributedEvent):
    topic = MOVIES

    reason: Annotated[str, Text(500)] | None = Field(
        None, exclude_if=_is_none, description="Why, for the audit."
    )
    reverts: Annotated[str, Text(100)] | None = Field(
        None, exclude_if=_is_none, description="The audit entry whose change it takes back."
    )
    data: Movie | MovieRef | MovieChange | Promotion | Block | RuleRemoved

    @property
    def key(self) -> str:
        return id_text(self.data.movie_id)


class MovieAdded(MovieEvent):
    """A film is in the catalogue from now on; a second one replaces the row."""

    type: Literal["movie.added"] = "movie.added"
    data: Movie


class MovieUpdated(MovieEvent):
    """Fields of a film are replaced or cleared; the others stay as they are."""

    type: Literal["movie.updated"] = "movie.updated"
    data: MovieChange


class MovieRemoved(MovieEvent):
    type: Literal["movie.removed"] = "movie.removed"
    data: MovieRef


class RuleEvent(MovieEvent):
    """A change of one of a film's rules."""

    expects: Annotated[str, Field(max_length=200)] | None = Field(
        None,
        exclude_if=_is_none,
        description="Id of the event that made the rule in force, empty where there must be none;"
        " where another rule is in force by then, this event changes nothing.",
    )

    def is_expected(self, made_by: str) -> bool:
        """Return whether it may change a rule that the event `made_by` made (empty: none)."""
        return self.expects is None or self.expects == made_by

    def as_fact(self) -> Self:
        """Return the event without its condition: it was met when the rule was made."""
        return self.model_copy(update={"expects": None})


class MoviePromoted(RuleEvent):
    """A promotion; a second one replaces the first."""

    type: Literal["movie.promoted"] = "movie.promoted"
    data: Promotion

    def encode(self) -> bytes:
        return self.__pydantic_serializer__.to_json(self, by_alias=True)


class MovieUnpromoted(RuleEvent):
    type: Literal["movie.unpromoted"] = "movie.unpromoted"
    data: RuleRemoved


class MovieBlocked(RuleEvent):
    type: Literal["movie.blocked"] = "movie.blocked"
    data: Block


class MovieUnblocked(RuleEvent):
    type: Literal["movie.unblocked"] = "movie.unblocked"
    data: RuleRemoved


class RatingEvent(Event):
    topic = RATINGS
    data: Rating | UserMovie | UserRef

    @property
    def key(self) -> str:
        return id_text(self.data.user_id)


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


class WatchlistAdded(RatingEvent):
    """The viewer wants to see the film later; a second one makes it the newest of the list."""

    type: Literal["watchlist.added"] = "watchlist.added"
    data: UserMovie


class WatchlistRemoved(RatingEvent):
    """The film leaves the viewer's watchlist."""

    type: Literal["watchlist.removed"] = "watchlist.removed"
    data: UserMovie


class UserErased(RatingEvent, AttributedEvent):
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
    | WatchlistAdded
    | WatchlistRemoved
    | UserErased
    | ModelPublished
    | ModelRolledBack,
    Field(discriminator="type"),
]

EVENT_TYPES: Mapping[str, type[Event]] = {
    kind.model_fields["type"].default: kind for kind in get_args(get_args(AnyEvent)[0])
}
"""The class of each type of event, by the type's name."""
