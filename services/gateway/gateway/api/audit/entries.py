"""Routes of the audit: its entries, newest first, one entry, and its revert."""

from typing import Annotated, Any

from fastapi import Path, Query
from starlette.requests import Request
from starlette.responses import Response

from gateway.access.caller import caller_of
from gateway.api.audit.reverts import is_revertible, revert
from gateway.api.context import Context, context_of
from gateway.api.schemas.audit_documents import AuditDocument, AuditEntryDocument
from gateway.api.schemas.requests import AuditQuery
from gateway.api.schemas.responses import ReceiptDocument
from gateway.http.pagination import cursor_after, item_of, not_a_cursor
from gateway.http.route import documents, json_response, router
from gateway.state import consistency_token
from gateway.state.audit_log import AuditFilter, StoredEntry
from marquee.access.scopes import Scope
from marquee.audit.entries import ERASURES, OPERATIONS, AuditId
from marquee.domain.ids import parse_id
from marquee.errors import NotFound

routes = router("Audit")

EntryId = Annotated[
    str,
    Path(
        max_length=100, description="The `id` of an entry.", examples=["rules-3-41-1784102400123"]
    ),
]


@routes.get("/v1/audit", responses=documents(AuditDocument))
async def list_audit(request: Request, query: Annotated[AuditQuery, Query()]) -> Response:
    """Who changed what, when and why, and how it was before and after; newest first. Changes of
    films and rules, whichever door they took; trainings, rollbacks, segments and keys of callers
    too, for a key that has the scope `operate` besides. Refused calls leave no entry.
    """
    context, last = context_of(request), None
    if query.cursor is not None:
        last = _last_of(query.cursor)
    fresh = await _has_passed(context, query)
    wanted = AuditFilter(
        query.movie_id,
        query.actor,
        query.action,
        query.since,
        query.until,
        _sees_operations(request),
    )
    entries = await context.audit_log.page(wanted, query.limit + 1, last)
    page = entries[: query.limit]
    document = {
        "items": [entry_document(context, entry) for entry in page],
        "next_cursor": cursor_after(page[-1].entry_id) if len(entries) > len(page) else None,
        "fresh": fresh,
    }
    return json_response(document)


@routes.get("/v1/audit/{entry_id}", responses=documents(AuditEntryDocument))
async def get_audit(request: Request, entry_id: EntryId) -> Response:
    """One entry of the audit."""
    context = context_of(request)
    return json_response(entry_document(context, await _entry(request, context, entry_id)))


@routes.post("/v1/audit/{entry_id}/revert", responses=documents(ReceiptDocument, 200, 202))
async def revert_audit(request: Request, entry_id: EntryId) -> Response:
    """Bring back the state before an entry: of a promotion, a block, fields of a film, or the
    number of segments. 409 when that state has changed since. It leaves an entry of its own, which
    can be reverted likewise. 200 once it is stored, 202 when that takes more than a second.
    """
    context = context_of(request)
    return await revert(context, await _entry(request, context, entry_id))


def entry_document(context: Context, entry: StoredEntry) -> dict[str, Any]:
    """Return an entry as the API shows it, with the film's title and whether it can be reverted."""
    document, movie_id = entry.document(), entry.fields["movie_id"]
    row = None if movie_id is None else context.catalogue.get(parse_id(movie_id))
    return document | {"title": row.title if row else None, "revertible": is_revertible(entry)}


async def _entry(request: Request, context: Context, text: str) -> StoredEntry:
    """Return the entry of an id, of those that the caller may see.

    Raises:
        NotFound: There is none.
    """
    entry_id = AuditId.parse(text)
    hidden = entry_id.kind == OPERATIONS and not _sees_operations(request)
    if hidden or entry_id.kind == ERASURES:
        raise NotFound(f"there is no entry {text}")
    return await context.audit_log.get(entry_id)


def _sees_operations(request: Request) -> bool:
    return Scope.OPERATE in caller_of(request).scopes


def _last_of(cursor: str) -> AuditId:
    try:
        return AuditId.parse(item_of(cursor))
    except NotFound:
        raise not_a_cursor() from None


async def _has_passed(context: Context, query: AuditQuery) -> bool:
    """Return whether what is read follows the write of `after`, if any is named."""
    if query.after is None:
        return True
    wait_ms = context.settings.wait_ms if query.wait_ms is None else query.wait_ms
    return await context.live_view.passed(consistency_token.decode(query.after), wait_ms / 1000)
