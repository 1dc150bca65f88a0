"""Parsing of events in bulk: validated all at once, or one by one where an event is invalid.

A call has its events in one of the forms of CloudEvents over HTTP, told by its headers, or as the
list `events` of a JSON object.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import unquote

import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import to_json

from gateway.access.caller import Caller
from gateway.api.schemas.requests import EventsBody
from gateway.http.json_body import JSON
from gateway.http.problem_details import FieldError, InvalidFields, WrongMediaType
from marquee.access.scopes import Scope
from marquee.domain.json_values import refuse_deep
from marquee.events import EVENT_TYPES, MODELS, MOVIES, AnyEvent
from marquee.limits import MAX_LIST

STRUCTURED = "application/cloudevents+json"
"""Media type of one event."""
BATCH = "application/cloudevents-batch+json"
"""Media type of a list of events."""
_PREFIX = "ce-"
"""Headers that begin so are attributes of an event whose data is the body."""
MAX_EVENTS = MAX_LIST


@dataclass(frozen=True)
class Rejection:
    """An event that is rejected: its id, None where it has none, and what is wrong."""

    id: str | None
    errors: Sequence[FieldError]


ParsedEvent = AnyEvent | Rejection

_EVENT: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)
_EVENTS: TypeAdapter[list[AnyEvent]] = TypeAdapter(
    Annotated[list[AnyEvent], Field(min_length=1, max_length=MAX_EVENTS)]
)
_RAW_EVENT: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])
_RAW_EVENTS: TypeAdapter[list[dict[str, Any]]] = TypeAdapter(
    Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MAX_EVENTS)]
)
_PUBLIC_TYPES = tuple(name for name, kind in EVENT_TYPES.items() if kind.topic != MODELS)
_CURATE_ERROR = FieldError("type", "events of films and rules need a key with the scope curate")
_MODELS_ERROR = FieldError("type", "only the trainer publishes models", _PUBLIC_TYPES)


class _ValidBody(BaseModel):
    """A body in which every event is valid."""

    model_config = ConfigDict(extra="forbid")

    events: Annotated[list[AnyEvent], Field(min_length=1, max_length=MAX_EVENTS)]


def read_call(media_type: str, headers: Mapping[str, str], body: bytes) -> list[ParsedEvent]:
    """Parse the events of a call, in the form that its headers tell.

    Returns:
        Each event in order, or its rejection.

    Raises:
        WrongMediaType: The form is none of those.
        InvalidFields: The body is of another form.
        TooDeep: The body has too many values within each other.
        RequestValidationError: The body is not of 1 to 1,000 events.
    """
    refuse_deep(body)
    if media_type == STRUCTURED:
        return [_read_one(body)]
    if media_type == BATCH:
        return _read_batch(body)
    if media_type != JSON:
        raise WrongMediaType(
            [FieldError("Content-Type", f"must be {JSON}", (JSON, STRUCTURED, BATCH))]
        )
    attributes = _attributes(headers)
    return [_read_binary(attributes, body)] if attributes else read_events(body)


def read_events(body: bytes) -> list[ParsedEvent]:
    """Parse a body of events.

    Returns:
        Each event in order, or its rejection.

    Raises:
        InvalidFields: The body is one event, or a list of them: other media types.
        RequestValidationError: The body has no list of 1 to 1,000 events.
    """
    try:
        events = _ValidBody.model_validate_json(body).events
    except ValidationError:
        return [_parse_event(raw) for raw in _raw_events(body)]
    return [_refuse_models(event) for event in events]


def permitted(events: list[ParsedEvent], caller: Caller) -> list[ParsedEvent]:
    """Return the events, with a rejection in place of each that a caller may not publish.

    Events of viewers need no more than the call itself; those of films and rules need `curate`.
    """
    if Scope.CURATE in caller.scopes:
        return events
    return [
        Rejection(given_id(event), [_CURATE_ERROR])
        if not isinstance(event, Rejection) and event.topic == MOVIES
        else event
        for event in events
    ]


def given_id(event: AnyEvent) -> str | None:
    """Return the id that the sender gave an event, None where there was none."""
    return event.id if "id" in event.model_fields_set else None


def _read_one(body: bytes) -> ParsedEvent:
    try:
        return _refuse_models(_EVENT.validate_json(body))
    except ValidationError:
        return _parse_event(_validated(_RAW_EVENT, body))


def _read_batch(body: bytes) -> list[ParsedEvent]:
    try:
        return [_refuse_models(event) for event in _EVENTS.validate_json(body)]
    except ValidationError:
        return [_parse_event(raw) for raw in _validated(_RAW_EVENTS, body)]


def _attributes(headers: Mapping[str, str]) -> dict[str, str]:
    names = (name for name in headers if name.startswith(_PREFIX))
    return {name.removeprefix(_PREFIX): unquote(headers[name]) for name in names}


def _read_binary(attributes: Mapping[str, str], body: bytes) -> ParsedEvent:
    return _parse_event({**attributes, "data": _validated(_RAW_EVENT, body)})


def _validated(form: TypeAdapter[Any], body: bytes) -> Any:
    try:
        return form.validate_json(body)
    except ValidationError as error:
        raise _invalid(error) from None


def _raw_events(body: bytes) -> list[dict[str, Any]]:
    try:
        return EventsBody.model_validate_json(body).events
    except ValidationError as error:
        _refuse_other_forms(body)
        raise _invalid(error) from None


def _refuse_other_forms(body: bytes) -> None:
    """Say how to send an event, or a list of them, that came without `events` around it."""
    try:
        value = orjson.loads(body)
    except ValueError:
        return
    is_event = isinstance(value, dict) and "type" in value and "events" not in value
    if is_event or isinstance(value, list):
        what, form = ("one event", STRUCTURED) if is_event else ("a list of events", BATCH)
        detail = f'must be {{"events": [...]}}; {what} alone goes with Content-Type: {form}'
        raise InvalidFields([FieldError("body", detail)])


def _invalid(error: ValidationError) -> RequestValidationError:
    faults = error.errors(include_url=False)
    return RequestValidationError([{**fault, "loc": ("body", *fault["loc"])} for fault in faults])


def _parse_event(raw: dict[str, Any]) -> ParsedEvent:
    try:
        # What is no number of JSON, as NaN, must stay what it is: as null it would be accepted.
        return _refuse_models(_EVENT.validate_json(to_json(raw, inf_nan_mode="constants")))
    except ValidationError as error:
        errors = [_field_error(fault) for fault in error.errors(include_url=False)]
    sent = raw.get("id")
    return Rejection(sent if isinstance(sent, str) else None, errors)


def _refuse_models(event: AnyEvent) -> ParsedEvent:
    """Return the event, or its rejection: models are published by the trainer alone."""
    return Rejection(given_id(event), [_MODELS_ERROR]) if event.topic == MODELS else event


def _field_error(error: Mapping[str, Any]) -> FieldError:
    kind, context = error["type"], error.get("ctx") or {}
    if kind == "union_tag_not_found":
        return FieldError("type", "is missing", _PUBLIC_TYPES)
    if kind == "union_tag_invalid":
        return FieldError("type", f"unknown type {context['tag']!r}", _PUBLIC_TYPES)
    path = [str(part) for part in error["loc"] if part not in EVENT_TYPES]
    detail = str(error["msg"]).removeprefix("Value error, ")
    detail = detail[:1].lower() + detail[1:]
    return FieldError(".".join(path) or "event", detail, context.get("allowed"))
