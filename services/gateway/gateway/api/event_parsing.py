"""Parsing of events in bulk: validated all at once, or one by one where an event is invalid."""

from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from gateway.api.schemas.requests import EventsBody
from gateway.http.problem_details import FieldError
from marquee.events import EVENT_TYPES, MODELS, AnyEvent

ParsedEvent = AnyEvent | list[FieldError]
"""An event, or the errors for which it is rejected."""

_EVENT: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)
_PUBLIC_TYPES = tuple(name for name, kind in EVENT_TYPES.items() if kind.topic != MODELS)
_MODELS_ERROR = FieldError("type", "only the trainer publishes models", _PUBLIC_TYPES)


class _ValidBody(BaseModel):
    """A body in which every event is valid."""

    model_config = ConfigDict(extra="forbid")

    events: Annotated[list[AnyEvent], Field(min_length=1, max_length=1000)]


def read_events(body: bytes) -> list[ParsedEvent]:
    """Parse a body of events.

    Returns:
        Each event in order, or its errors.

    Raises:
        RequestValidationError: The body is not a list of 1 to 1,000 events.
    """
    try:
        events = _ValidBody.model_validate_json(body).events
    except ValidationError:
        return [_parse_event(raw) for raw in _raw_events(body)]
    return [_refuse_models(event) for event in events]


def _raw_events(body: bytes) -> list[dict[str, Any]]:
    try:
        return EventsBody.model_validate_json(body).events
    except ValidationError as error:
        faults = error.errors(include_url=False)
        raise RequestValidationError(
            [{**fault, "loc": ("body", *fault["loc"])} for fault in faults]
        ) from None


def _parse_event(raw: dict[str, Any]) -> ParsedEvent:
    try:
        return _refuse_models(_EVENT.validate_json(orjson.dumps(raw)))
    except ValidationError as error:
        return [_field_error(fault) for fault in error.errors(include_url=False)]
    except TypeError as error:  # a number of more than 64 bits
        return [FieldError("event", str(error))]


def _refuse_models(event: AnyEvent) -> ParsedEvent:
    """Return the event, or its error: models are published by the trainer alone."""
    return [_MODELS_ERROR] if event.topic == MODELS else event


def _field_error(error: Mapping[str, Any]) -> FieldError:
    kind, context = error["type"], error.get("ctx") or {}
    if kind == "union_tag_not_found":
        return FieldError("type", "is missing", _PUBLIC_TYPES)
    if kind == "union_tag_invalid":
        return FieldError("type", f"unknown type {context['tag']!r}", _PUBLIC_TYPES)
    path = [str(part) for part in error["loc"] if part not in EVENT_TYPES]
    detail = str(error["msg"]).removeprefix("Value error, ")
    return FieldError(".".join(path) or "event", detail[:1].lower() + detail[1:])
