"""Events as a call brings them: read all at once; where one is wrong, each by itself."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from gateway.api.requests import EventsBody
from gateway.http.problem_details import FieldError
from marquee.events import EVENT_TYPES, MODELS, AnyEvent

ParsedEvent = AnyEvent | list[FieldError]
"""An event, or all that is wrong with it."""

_ONE: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)
_SENT = tuple(name for name, kind in EVENT_TYPES.items() if kind.topic != MODELS)
_MODELS = FieldError("type", "only the trainer publishes models", _SENT)


class _Right(BaseModel):
    """A body in which nothing is wrong."""

    model_config = ConfigDict(extra="forbid")

    events: Annotated[list[AnyEvent], Field(min_length=1, max_length=1000)]


def read_events(body: bytes) -> Sequence[ParsedEvent]:
    """Return each event of a body, or what is wrong with it.

    RequestValidationError when the body as a whole is none.
    """
    try:
        right = _Right.model_validate_json(body)
    except ValidationError:
        return [_one(raw) for raw in _sent(body)]
    return [_MODELS_ONLY if event.topic == MODELS else event for event in right.events]


_MODELS_ONLY = [_MODELS]


def _sent(body: bytes) -> list[dict[str, Any]]:
    try:
        return EventsBody.model_validate_json(body).events
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise RequestValidationError(
            [{**one, "loc": ("body", *one["loc"])} for one in found]
        ) from None


def _one(raw: dict[str, Any]) -> ParsedEvent:
    try:
        event = _ONE.validate_json(orjson.dumps(raw))
    except ValidationError as error:
        return [_field_error(one) for one in error.errors(include_url=False)]
    except TypeError as error:  # a number of more than 64 bits
        return [FieldError("event", str(error))]
    return _MODELS_ONLY if event.topic == MODELS else event


def _field_error(error: Mapping[str, Any]) -> FieldError:
    kind, context = error["type"], error.get("ctx") or {}
    if kind == "union_tag_not_found":
        return FieldError("type", "is missing", _SENT)
    if kind == "union_tag_invalid":
        return FieldError("type", f"unknown type {context['tag']!r}", _SENT)
    path = [str(part) for part in error["loc"] if part not in EVENT_TYPES]
    detail = str(error["msg"]).removeprefix("Value error, ")
    return FieldError(".".join(path) or "event", detail[:1].lower() + detail[1:])
