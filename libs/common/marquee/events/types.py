"""Event types: CloudEvents 1.0 in JSON, one class for each type, with its topic and key."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, ClassVar, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from marquee.domain.ids import id_text
from marquee.domain.json_values import Time
from marquee.domain.movies import Movie
from marquee.domain.texts import Text
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
from marquee.limits import MAX_BODY_BYTES

MOVIES, RATINGS, MODELS = "movies", "ratings", "models"
TOPICS: tuple[str, ...] = (MOVIES, RATINGS, MODELS)

MAX_BYTES = MAX_BODY_BYTES
"""A longer message is invalid."""
_REGISTRY, _PREFIX = b"\x00", 5
"""What a serializer of a schema registry puts before a message: a zero byte, a number of 4."""


UNKNOWN_TIME = datetime.fromtimestamp(0, UTC)
"""The time of an event of which neither the producer nor the log tells one."""
_NAMED = frozenset(("id", "time"))
"""What an event in a log gets by its place there, if its producer left it out."""


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
        raise UnreadableEvent(_fault(message, error)) from None


def decode_logged(message: bytes, place: str, recorded: datetime | None) -> AnyEvent:
    """Decode the event of a message in a log: who reads it, and when, changes nothing of it.

    Args:
        message: The message, whose producer may have left out `id` and `time`.
        place: The message's position in the log, which names an event without an id.
        recorded: When the log took the message, which is the time of an event without one; None
            where the log does not say: such an event counts as one of `UNKNOWN_TIME`.

    Raises:
        UnreadableEvent: The message is too long or not a valid event; the text tells the fault.
    """
    event = decode(message)
    told = event.model_fields_set
    if told >= _NAMED:
        return event
    defaults = {"id": place, "time": recorded or UNKNOWN_TIME}
    return event.model_copy(update={name: defaults[name] for name in _NAMED - told})


def decode_kept(text: bytes) -> AnyEvent:
    """Decode an event as this system has written it: it was accepted once, and stays.

    Raises:
        UnreadableEvent: It is none.
    """
    try:
        return _ADAPTER.validate_json(text, strict=True)
    except ValidationError as error:
        raise UnreadableEvent(_fault(text, error)) from None


def _fault(message: bytes, error: ValidationError) -> str:
    """Return what is wrong with a message, in words."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "message"
    if first["type"] == "json_invalid" and message[:1] == _REGISTRY and len(message) > _PREFIX:
        number = int.from_bytes(message[1:_PREFIX])
        return (
            f"{where}: begins with the prefix of a schema registry (a zero byte and schema"
            f" {number}): send the JSON alone, without the registry's serializer"
        )
    return f"{where}: {first['msg']}"
