"""Route that publishes events in bulk, for producers without a bus client."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from operator import or_
from typing import Annotated, Any

from pydantic import Field, TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from gateway.access.caller import caller_of
from gateway.api.context import Context, context_of
from gateway.api.event_parsing import (
    BATCH,
    MAX_EVENTS,
    STRUCTURED,
    Rejection,
    given_id,
    permitted,
    read_call,
)
from gateway.api.genres import with_spelled_genres
from gateway.api.schemas.requests import EventsBody
from gateway.api.schemas.responses import EventsDocument
from gateway.http.json_body import JSON, media_type
from gateway.http.problem_details import FieldError, NothingAccepted
from gateway.http.route import documents, json_response, router
from gateway.state import consistency_token
from marquee.bus.api import Published
from marquee.errors import MarqueeError
from marquee.events import EVENT_TYPES, MODELS, AnyEvent

routes = router("Events")
PUBLIC_EVENTS = tuple(kind for kind in EVENT_TYPES.values() if kind.topic != MODELS)
"""Events that producers may send: only the trainer publishes models."""
_EVENT: dict[str, Any] = {"$ref": "#/components/schemas/CloudEvent"}
_LIST: dict[str, Any] = {"type": "array", "items": _EVENT, "minItems": 1, "maxItems": MAX_EVENTS}
_BODY = {
    JSON: {
        "schema": EventsBody.model_json_schema()
        | {"properties": {"events": _LIST}, "additionalProperties": False}
    },
    STRUCTURED: {"schema": _EVENT},
    BATCH: {"schema": _LIST},
}
_EXTRA = {"requestBody": {"required": True, "content": _BODY}}


@routes.post(
    "/v1/events", status_code=202, responses=documents(EventsDocument, 202), openapi_extra=_EXTRA
)
async def publish_events(request: Request) -> Response:
    """Publish up to 1,000 events (CloudEvents of the topics `movies` and `ratings`). Each is
    reported: accepted; a duplicate, whose `source` and `id` the log has had before, and which is
    not written again; or rejected, with each field that is wrong and what is allowed, or because
    one viewer has too many events (429 where that holds for all of the call). The token
    covers all that the log has. An event that is sent again takes effect once. Where all are
    rejected the answer is 422, with the same `items`.

    CloudEvents over HTTP are taken in each mode: one event as `application/cloudevents+json`, a
    list as `application/cloudevents-batch+json`, or data as `application/json` with the attributes
    in headers (`ce-id`, `ce-source`, `ce-type`, `ce-specversion`, `ce-time`).
    """
    context, items = context_of(request), []
    body = await request.body()
    read = read_call(media_type(request), request.headers, body)
    parsed = with_spelled_genres(permitted(read, caller_of(request)), context.catalogue.genres)
    valid = {i: event for i, event in enumerate(parsed) if not isinstance(event, Rejection)}
    if not valid:
        rejected = [_rejected(i, e) for i, e in enumerate(parsed) if isinstance(e, Rejection)]
        raise NothingAccepted(_summary(rejected), rejected)
    events = dict(zip(valid, context.with_request(list(valid.values())), strict=True))
    publication = await _publish(context, events)
    if publication.refused and not publication.places:
        raise next(iter(publication.refused.values()))
    for index, event in enumerate(parsed):
        if isinstance(event, Rejection):
            items.append(_rejected(index, event))
        elif (refusal := publication.refused.get(index)) is not None:
            error = FieldError("data.user_id", str(refusal))
            items.append(_rejected(index, Rejection(given_id(event), [error])))
        else:
            status = "accepted" if index in publication.accepted else "duplicate"
            items.append({"index": index, "id": events[index].id, "status": status})
    return json_response(_document(items, publication), 202)


@cache
def event_schemas() -> dict[str, Any]:
    """Return the schemas of the events that producers may send, by name."""
    union: Any = Annotated[reduce(or_, PUBLIC_EVENTS), Field(discriminator="type")]
    form = TypeAdapter(union)
    published = form.json_schema(ref_template="#/components/schemas/{model}")
    schemas = published.pop("$defs")
    for kind in PUBLIC_EVENTS:
        # The type has a default in the class, but it is what tells the events apart.
        schemas[kind.__name__]["required"].append("type")
    return {**schemas, "CloudEvent": published | {"title": "CloudEvent"}}


@dataclass(frozen=True)
class _Publication:
    """What became of the events of a call.

    Attributes:
        accepted: Indices of those that were written.
        places: Places of accepted events and duplicates.
        refused: Index of each event that the rule of one viewer's events refuses, and why.
    """

    accepted: frozenset[int]
    places: Sequence[Published]
    refused: Mapping[int, MarqueeError]


async def _publish(context: Context, events: dict[int, AnyEvent]) -> _Publication:
    """Publish each event once, unless the log has had it lately."""
    first: dict[tuple[str, str], int] = {}
    for index, event in events.items():
        first.setdefault((event.source, event.id), index)
    indices = list(first.values())
    before = await context.dedup.places([events[index] for index in indices])
    known = [place for place in before if place is not None]
    unknown = [index for index, place in zip(indices, before, strict=True) if place is None]
    why = await context.viewer_events.refused({index: events[index] for index in unknown})
    new = [index for index in unknown if index not in why]
    places = await context.publisher.publish([events[i] for i in new]) if new else []
    # An event that stands twice in a call fares alike at both places.
    first_of = {i: first[event.source, event.id] for i, event in events.items()}
    refused = {i: why[one] for i, one in first_of.items() if one in why}
    return _Publication(frozenset(new), [*known, *places], refused)


def _document(items: list[dict[str, Any]], publication: _Publication) -> dict[str, Any]:
    counts = dict.fromkeys(("accepted", "duplicate", "rejected"), 0)
    for item in items:
        counts[item["status"]] += 1
    places = publication.places
    return {
        "accepted": counts["accepted"],
        "duplicates": counts["duplicate"],
        "rejected": counts["rejected"],
        "token": consistency_token.token_of(places) if places else None,
        "items": items,
    }


def _summary(rejected: Sequence[Mapping[str, Any]]) -> str:
    first = rejected[0]["detail"]
    n = len(rejected)
    return str(first) if n == 1 else f"all {n:,} events are rejected, the first one for {first}"


def _rejected(index: int, rejection: Rejection) -> dict[str, Any]:
    errors = rejection.errors
    return {
        "index": index,
        "id": rejection.id,
        "status": "rejected",
        "detail": "; ".join(f"{error.field}: {error.detail}" for error in errors),
        "errors": [error.document() for error in errors],
    }
