"""Events in bulk, as producers without a bus client send them."""

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway import token
from gateway.context import of
from gateway.documents import EventsDocument
from gateway.routes import router, said, shows
from gateway.schemas import EventsBody
from marquee.errors import UnreadableEvent
from marquee.events import MODELS, Event, decode

routes = router("Events")


@routes.post("/v1/events", status_code=202, responses=shows(EventsDocument, 202))
async def publish_events(request: Request, body: EventsBody) -> Response:
    """Publish up to 1,000 events (CloudEvents of the topics `movies` and `ratings`). Each is
    accepted or rejected by itself; the token covers all that were accepted. An event that is sent
    again with the same `source` and `id` takes effect once."""
    events: list[Event] = []
    items = []
    for index, raw in enumerate(body.events):
        event = _read(raw)
        if isinstance(event, Event):
            events.append(event)
            items.append({"index": index, "id": event.id, "status": "accepted"})
        else:
            items.append({"index": index, "id": None, "status": "rejected", "detail": event})
    places = await of(request).publisher.publish(events) if events else []
    return said(
        {
            "accepted": len(events),
            "rejected": len(items) - len(events),
            "token": token.encode(token.positions_of(places)) if places else None,
            "items": items,
        },
        202,
    )


def _read(raw: dict[str, Any]) -> Event | str:
    """Return an event, or why it is rejected."""
    try:
        event = decode(orjson.dumps(raw))
    except (UnreadableEvent, TypeError) as error:
        return str(error)
    return "only the trainer publishes models" if event.topic == MODELS else event
