"""Route of shelves: the rows of a viewer's page, in one call."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.context import context_of
from gateway.api.lists.viewer import viewer_query
from gateway.api.schemas.field_types import UserId
from gateway.api.schemas.list_requests import ShelvesQuery
from gateway.api.schemas.presenters import item_document, list_document
from gateway.api.schemas.shelf_documents import ShelvesDocument
from gateway.catalogue.catalogue import Catalogue
from gateway.http.route import documents, json_response, router
from gateway.recommend.answers import RecommendationAnswer
from gateway.recommend.filter_stage import FilteredList
from gateway.recommend.shelf_answers import make_shelves
from gateway.recommend.shelves import Shelf

routes = router("Recommendations")


@routes.get(
    "/v1/users/{user_id}/shelves", responses=documents(ShelvesDocument), summary="Rows of a page"
)
async def list_shelves(
    request: Request, user_id: UserId, query: Annotated[ShelvesQuery, Query()]
) -> Response:
    """Rows of films for a viewer's page: the viewer's own list, films like those that the viewer
    liked, the viewer's genres, new films, the watchlist, what similar viewers like, and what is
    popular. Rows and their films are ranked, no film is in two rows, and filters and rules hold on
    each. A row says what it is of (`kind`, with the film, genre or segment) and has a title in
    English. A viewer of whom nothing is known gets popular rows.
    """
    context = context_of(request)
    list_query, fresh = await viewer_query(context, user_id, query)
    made = await make_shelves(context.orchestrator, list_query, query.rows)
    document = list_document(_first_of(made.answer), list_query, context.catalogue)
    del document["items"]
    fallbacks = [{"route": f.route, "why": f.why} for f in made.fallbacks]
    degraded = bool(fallbacks) or context.is_degraded(list_query.profile)
    return json_response(
        document
        | {
            "degraded": degraded,
            "fallbacks": fallbacks,
            "fresh": made.answer.fresh and fresh,
            "rows": [_shelf_document(shelf, context.catalogue) for shelf in made.shelves],
        }
    )


def _first_of(answer: RecommendationAnswer) -> RecommendationAnswer:
    """Return the answer with the first film of its long list, whose documents nobody needs."""
    return replace(answer, filtered=FilteredList(answer.filtered.items[:1]))


def _shelf_document(shelf: Shelf, catalogue: Catalogue) -> dict[str, Any]:
    source, placed = shelf.source, {p.movie_id for p in shelf.filtered.placed}
    row = None if source.movie_id is None else catalogue.get(source.movie_id)
    return {
        "kind": source.kind,
        "title": source.title,
        "movie": None if row is None else row.summary(),
        "genre": source.genre,
        "segment": source.segment,
        "items": [
            item_document(item, item.movie_id in placed, catalogue) for item in shelf.filtered.items
        ],
    }
