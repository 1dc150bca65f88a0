"""Routes of curation: promotions and blocks, in force from the next request on."""

from typing import Annotated, Any

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.context import context_of
from gateway.api.schemas.field_types import MovieId
from gateway.api.schemas.requests import BlockBody, PromotionBody, RuleQuery, RulesQuery
from gateway.api.schemas.responses import ReceiptDocument, RulesDocument
from gateway.http.pagination import paginate
from gateway.http.problem_details import FieldError, InvalidFields
from gateway.http.route import documents, json_response, router
from marquee.errors import StoreUnavailable
from marquee.events import (
    Block,
    MovieBlocked,
    MoviePromoted,
    MovieUnblocked,
    MovieUnpromoted,
    Promotion,
    RuleRemoved,
)

routes = router("Rules")
_STORED = documents(ReceiptDocument, 200, 202)


@routes.put("/v1/movies/{movie_id}/promotion", responses=_STORED)
async def put_promotion(request: Request, movie_id: MovieId, body: PromotionBody) -> Response:
    """Place a film in lists; a second promotion replaces the first. 200 once it is stored and
    holds for every next request, 202 when that takes more than a second.
    """
    if body.starts and body.until and body.until <= body.starts:
        raise InvalidFields([FieldError("until", "must be later than from")])
    context = context_of(request)
    await context.require_movie(movie_id)
    data = Promotion.model_validate(body.model_dump() | {"movie_id": movie_id})
    return await context.write_rule(MoviePromoted(data=data))


@routes.delete("/v1/movies/{movie_id}/promotion", responses=_STORED)
async def delete_promotion(
    request: Request, movie_id: MovieId, query: Annotated[RuleQuery, Query()]
) -> Response:
    """Place the film no more."""
    data = RuleRemoved(movie_id=movie_id, actor=query.actor)
    return await context_of(request).write_rule(MovieUnpromoted(data=data))


@routes.put("/v1/movies/{movie_id}/block", responses=_STORED)
async def put_block(request: Request, movie_id: MovieId, body: BlockBody) -> Response:
    """Keep a film out of every list, until a moment or for good; it wins over a promotion. 200
    once it is stored and holds for every next request, 202 when that takes more than a second.
    """
    context = context_of(request)
    await context.require_movie(movie_id)
    data = Block.model_validate(body.model_dump() | {"movie_id": movie_id})
    return await context.write_rule(MovieBlocked(data=data))


@routes.delete("/v1/movies/{movie_id}/block", responses=_STORED)
async def delete_block(
    request: Request, movie_id: MovieId, query: Annotated[RuleQuery, Query()]
) -> Response:
    """Let the film into lists again."""
    data = RuleRemoved(movie_id=movie_id, actor=query.actor)
    return await context_of(request).write_rule(MovieUnblocked(data=data))


@routes.get("/v1/promotions", responses=documents(RulesDocument))
async def list_promotions(request: Request, query: Annotated[RulesQuery, Query()]) -> Response:
    """All promotions by film, with who decided them and when; ended ones too."""
    return json_response(await _list_rules(request, "promotion", query))


@routes.get("/v1/blocks", responses=documents(RulesDocument))
async def list_blocks(request: Request, query: Annotated[RulesQuery, Query()]) -> Response:
    """All blocks by film, with who decided them, when and why; ended ones too."""
    return json_response(await _list_rules(request, "block", query))


async def _list_rules(request: Request, kind: str, query: RulesQuery) -> dict[str, Any]:
    context = context_of(request)
    profile = await context.profiles.read(None)
    if not profile.known:
        raise StoreUnavailable("the store of the rules does not answer")
    rows = {row["movie_id"]: row for row in profile.rules.rows(kind)}
    movie_ids, cursor = paginate(rows, query.limit, query.cursor)
    return {"items": [_with_title(request, rows[i]) for i in movie_ids], "next_cursor": cursor}


def _with_title(request: Request, row: dict[str, Any]) -> dict[str, Any]:
    movie = context_of(request).catalogue.get(row["movie_id"])
    return {"movie_id": row["movie_id"], "title": movie.title if movie else None} | row
