"""Receipts of erasures: who asked, when, where in the log, and what is removed from which store.

A receipt is found by the position of its event, and names no viewer.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import Path, Query
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.context import Context, context_of
from gateway.api.schemas.audit_documents import ErasureDocument
from gateway.api.schemas.requests import FreshQuery
from gateway.http.route import documents, json_response, router
from gateway.state import consistency_token
from gateway.upstream.models import Call, Failure
from gateway.upstream.replies import ErasureProgress, read_reply
from marquee.audit.entries import ERASURES, AuditId
from marquee.bus.api import Published
from marquee.errors import NotFound
from marquee.events import RATINGS, UserErased

routes = router("Viewers")
TRAINER_S = 5.0
STORES: Final[Mapping[str, str]] = {
    "profiles, features, clusters": "when each service comes to the erasure, mostly in a second",
    "history": "with the next compaction, at the latest after the next training",
    "model versions": "no training from now on has the ratings; versions trained before are masked"
    " where they serve from viewers, and expire",
    "log": "when its retention is over",
    "dead letters, files of imports": "when they expire; `marquee erasure` searches them at once",
}
"""Store → when a viewer's data are removed from it."""
ReceiptId = Annotated[
    str,
    Path(
        max_length=100,
        description="The `id` of a receipt.",
        examples=["erasures-3-41-1784102400123"],
    ),
]


@routes.get("/v1/erasures/{receipt_id}", responses=documents(ErasureDocument))
async def get_erasure(
    request: Request, receipt_id: ReceiptId, query: Annotated[FreshQuery, Query()]
) -> Response:
    """The receipt of an erasure: who asked, when, its position in the log, and which stores hold
    nothing of the viewer any more. It is found by its id alone: nothing names the viewer.
    """
    context, entry_id = context_of(request), AuditId.parse(receipt_id)
    if entry_id.kind != ERASURES:
        raise NotFound(f"there is no receipt {receipt_id}")
    if query.after is not None:
        wait_ms = context.settings.wait_ms if query.wait_ms is None else query.wait_ms
        await context.live_view.passed(consistency_token.decode(query.after), wait_ms / 1000)
    fields = (await context.audit_log.get(entry_id)).fields
    stores = await _progress(context, entry_id)
    return json_response(_document(entry_id, fields, stores))


def promised(event: UserErased, place: Published) -> dict[str, Any]:
    """Return the receipt of an erasure that was just published."""
    partition = place.partition.partition
    entry_id = AuditId.of(ERASURES, event.recordedtime or event.time, partition, place.offset)
    fields = {
        "at": (event.recordedtime or event.time).isoformat(),
        "actor": event.authid or event.source,
        "event_id": event.id,
    }
    stores = [_store(name, False, detail) for name, detail in STORES.items()]
    return _document(entry_id, fields, stores)


def _document(
    entry_id: AuditId, fields: Mapping[str, Any], stores: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "id": str(entry_id),
        "requested_at": fields["at"],
        "requested_by": fields["actor"],
        "partition": f"{RATINGS}:{entry_id.partition}",
        "offset": entry_id.number,
        "event_id": fields["event_id"],
        "stores": stores,
    }


async def _progress(context: Context, entry_id: AuditId) -> list[dict[str, Any]]:
    """Return what the trainer finds in each store, or what was promised while it is away."""
    path = f"/internal/erasures/{entry_id.partition}/{entry_id.number}"
    reply = await context.models.call("trainer", Call("GET", path, None, TRAINER_S))
    progress = read_reply("trainer", reply, ErasureProgress)
    if isinstance(progress, Failure):
        return [_store(name, None, detail) for name, detail in STORES.items()]
    return [_store(item.store, not item.left, item.left or "removed") for item in progress.items]


def _store(name: str, removed: bool | None, detail: str) -> dict[str, Any]:
    return {"store": name, "removed": removed, "detail": detail}
