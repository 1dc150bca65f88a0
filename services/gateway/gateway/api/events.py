"""Route that publishes events in bulk, for producers without a bus client."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway.api.context import Context, context_of
from gateway.api.event_parsing import read_events
from gateway.api.schemas.requests import EventsBody
from gateway.api.schemas.responses import EventsDocument
from gateway.http.problem_details import FieldError, InvalidFields
from gateway.http.route import documents, json_response, router
from gateway.state import consistency_token
from marquee.bus.api import Published
from marquee.events import AnyEvent

routes = router("Events")
_BODY = {"application/json": {"schema": EventsBody.model_json_schema()}}
_EXTRA = {"requestBody": {"required": True, "content": _BODY}}


@routes.post(
    "/v1/events", status_code=202, responses=documents(EventsDocument, 202), openapi_extra=_EXTRA
)
async def publish_events(request: Request) -> Response:
    """Publish up to 1,000 events (CloudEvents of the topics `movies` and `ratings`). Each is
    reported: accepted; a duplicate, whose `source` and `id` the log has had before, and which is
    not written again; or rejected, with each field that is wrong and what is allowed. The token
    covers all that the log has. An event that is sent again takes effect once.
    """
    if "json" not in request.headers.get("content-type", ""):
        raise InvalidFields([FieldError("Content-Type", "must be application/json")])
    context, items = context_of(request), []
    parsed = read_events(await request.body())
    valid = {i: event for i, event in enumerate(parsed) if not isinstance(event, list)}
    events = dict(zip(valid, context.with_request_ids(list(valid.values())), strict=True))
    publication = await _publish(context, events)
    for index, event in enumerate(parsed):
        if isinstance(event, list):
            items.append(_rejected(index, event))
        else:
            status = "accepted" if index in publication.accepted else "duplicate"
            items.append({"index": index, "id": events[index].id, "status": status})
    return json_response(_document(items, publication), 202)


@dataclass(frozen=True)
class _Publication:
    """Indices of the accepted events, and the places of accepted events and duplicates."""

    accepted: frozenset[int]
    places: Sequence[Published]


async def _publish(context: Context, events: dict[int, AnyEvent]) -> _Publication:
    """Publish each event once, unless the log has had it lately."""
    first: dict[tuple[str, str], int] = {}
    for index, event in events.items():
        first.setdefault((event.source, event.id), index)
    indices = list(first.values())
    before = await context.dedup.places([events[index] for index in indices])
    known = [place for place in before if place is not None]
    new = [index for index, place in zip(indices, before, strict=True) if place is None]
    places = await context.publisher.publish([events[i] for i in new]) if new else []
    return _Publication(frozenset(new), [*known, *places])


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


def _rejected(index: int, errors: Sequence[FieldError]) -> dict[str, Any]:
    return {
        "index": index,
        "id": None,
        "status": "rejected",
        "detail": "; ".join(f"{error.field}: {error.detail}" for error in errors),
        "errors": [error.document() for error in errors],
    }
