"""Documents that services answer with: what another release or another server sends is refused."""

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.upstream.models import Failure, Reply


class ReplyDocument(BaseModel):
    """Base of the documents; fields that a later release adds are kept."""

    model_config = ConfigDict(extra="allow", frozen=True)


class Prediction(ReplyDocument):
    movie_id: int
    rating: float
    confidence: float


class Predictions(ReplyDocument):
    items: list[Prediction]
    model_version: str


class Features(ReplyDocument):
    """Derived features of a user."""

    cluster: int | None = None
    segment: int | None = None
    model_version: str | None = None


class UserSegment(ReplyDocument):
    segment: int | None = None


class Segment(ReplyDocument):
    id: int
    name: str
    typical: list[int]


class Segments(ReplyDocument):
    model_version: str
    choice: dict[str, Any]
    items: list[Segment]


class SegmentNames(ReplyDocument):
    """The names that operators gave, and the number of segments that they fixed."""

    k: int | None = None
    names: dict[str, str] = Field(default_factory=dict)
    kept: list[int] = Field(default_factory=list)


class ErasedStore(ReplyDocument):
    """A store, and in words what it still has of an erased user: nothing, or ""."""

    store: str
    left: str | None


class ErasureProgress(ReplyDocument):
    items: list[ErasedStore]


class AnyDocument(ReplyDocument):
    """A JSON object, passed on as it is."""


D = TypeVar("D", bound=ReplyDocument)


def read_reply(service: str, reply: Reply | Failure, document: type[D]) -> D | Failure:
    """Return the document of a reply, or why there is none."""
    if isinstance(reply, Failure):
        return reply
    if not reply.ok:
        return reply.failure(service)
    try:
        return document.model_validate(reply.body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the body"
        return Failure(f"{service} answered what cannot be read ({place}: {first['msg']})")
