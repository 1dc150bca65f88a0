"""Route that previews a rule: what it would change in viewers' lists, without any effect."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway.api.context import Context, context_of
from gateway.api.curation import block_of, promotion_of
from gateway.api.schemas.audit_documents import PreviewDocument
from gateway.api.schemas.requests import PreviewBody
from gateway.catalogue.catalogue import Catalogue
from gateway.http.problem_details import FieldError, InvalidFields
from gateway.http.route import documents, json_response, router
from gateway.recommend.answers import RecommendationAnswer, RecommendationQuery
from gateway.recommend.filter_stage import FilteredList, ListRequest
from gateway.recommend.orchestrator import reserve
from marquee.domain.ids import as_given
from marquee.errors import StoreUnavailable
from marquee.events import Block, Promotion

routes = router("Rules")

AT_ONCE = 4
"""Viewers whose lists are made at the same time."""


@dataclass(frozen=True)
class ListChange:
    """Two lists of film ids, of which the second would replace the first."""

    before: Sequence[int]
    after: Sequence[int]

    def mark(self, movie_id: int) -> str | None:
        """Return what becomes of a film of either list: enters, leaves, moves, or None."""
        if movie_id not in self.before:
            return "enters"
        if movie_id not in self.after:
            return "leaves"
        same = self.before.index(movie_id) == self.after.index(movie_id)
        return None if same else "moves"


@routes.post("/v1/rules/preview", responses=documents(PreviewDocument))
async def preview_rule(request: Request, body: PreviewBody) -> Response:
    """What a promotion or a block would change in the lists of up to 20 viewers: each list as it
    is and as it would be, with the films that enter, leave and move. Nothing is stored or
    published. Give `promotion` or `block`, in the form of the call that makes it.
    """
    context = context_of(request)
    rule = await _rule_of(context, body)
    gate = asyncio.Semaphore(AT_ONCE)

    async def preview(user_id: int) -> dict[str, Any]:
        async with gate:
            return await _preview(context, user_id, rule, body.k)

    items = await asyncio.gather(*map(preview, dict.fromkeys(body.users)))
    return json_response(
        {
            "movie_id": as_given(body.movie_id),
            "k": body.k,
            "changed": sum(item["changed"] for item in items),
            "items": items,
        }
    )


async def _rule_of(context: Context, body: PreviewBody) -> Promotion | Block:
    """Return the rule to preview, checked like one that is made.

    Raises:
        InvalidFields: There is not exactly one, or it would be refused.
        NotFound: There is no such film.
    """
    if body.promotion is not None and body.block is None:
        return await promotion_of(context, body.movie_id, body.promotion)
    if body.block is not None and body.promotion is None:
        return await block_of(context, body.movie_id, body.block)
    raise InvalidFields([FieldError("promotion", "give either promotion or block, one of them")])


async def _preview(
    context: Context, user_id: int, rule: Promotion | Block, k: int
) -> dict[str, Any]:
    snapshot = await context.read_user(user_id, None)
    if not snapshot.profile.known:
        raise StoreUnavailable("the store of the viewers' ratings does not answer")
    changed = replace(snapshot.profile, rules=snapshot.profile.rules.with_rule(rule))
    # Both ask for as many films, so that a service answers both alike.
    spares = reserve(changed.rules)
    query = RecommendationQuery(snapshot.profile, ListRequest(k), user_id, spares=spares)
    before = await context.orchestrator.answer(query)
    after = await context.orchestrator.answer(replace(query, profile=changed))
    return _document(user_id, before, after, context.catalogue)


def _document(
    user_id: int, before: RecommendationAnswer, after: RecommendationAnswer, catalogue: Catalogue
) -> dict[str, Any]:
    change = ListChange(*([item.movie_id for item in a.filtered.items] for a in (before, after)))
    fallbacks = dict.fromkeys([*before.fallbacks, *after.fallbacks])
    return {
        "user_id": as_given(user_id),
        "route": before.route,
        "changed": list(change.before) != list(change.after),
        "before": _items(before.filtered, change, catalogue),
        "after": _items(after.filtered, change, catalogue),
        "fallbacks": [{"route": f.route, "why": f.why} for f in fallbacks],
    }


def _items(
    filtered: FilteredList, change: ListChange, catalogue: Catalogue
) -> list[dict[str, Any]]:
    placed = {placement.movie_id for placement in filtered.placed}
    rows = [(item.movie_id, catalogue.get(item.movie_id)) for item in filtered.items]
    return [
        {
            "movie_id": catalogue.given(movie_id),
            "title": row.title if row else None,
            "rank": rank,
            "change": change.mark(movie_id),
            "promoted": movie_id in placed,
        }
        for rank, (movie_id, row) in enumerate(rows, 1)
    ]
