"""Routes of curation: promotions and blocks, in force from the next request on."""

from datetime import datetime
from typing import Annotated, Any, TypeVar

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.context import Context, context_of
from gateway.api.genres import require_genres
from gateway.api.schemas.field_types import Actor, MovieId
from gateway.api.schemas.requests import BlockBody, PromotionBody, RulesQuery
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
    now,
)

routes = router("Rules")
B = TypeVar("B", PromotionBody, BlockBody)
_STORED = documents(ReceiptDocument, 200, 202)


@routes.put("/v1/movies/{movie_id}/promotion", responses=_STORED)
async def put_promotion(request: Request, movie_id: MovieId, body: PromotionBody) -> Response:
    """Place a film in lists; a second promotion replaces the first. 200 once it is stored and
    holds for every next request, 202 when that takes more than a second.
    """
    context = context_of(request)
    data = await promotion_of(context, movie_id, _with_reason(request, body))
    return await context.write_rule(MoviePromoted(data=data))


@routes.delete("/v1/movies/{movie_id}/promotion", responses=_STORED)
async def delete_promotion(
    request: Request, movie_id: MovieId, actor: Annotated[Actor, Query()] = "unknown"
) -> Response:
    """Place the film no more."""
    data = RuleRemoved(movie_id=movie_id, actor=actor)
    return await context_of(request).write_rule(MovieUnpromoted(data=data))


@routes.put("/v1/movies/{movie_id}/block", responses=_STORED)
async def put_block(request: Request, movie_id: MovieId, body: BlockBody) -> Response:
    """Keep a film out of every list, until a moment or for good; it wins over a promotion. 200
    once it is stored and holds for every next request, 202 when that takes more than a second.
    """
    context = context_of(request)
    data = await block_of(context, movie_id, _with_reason(request, body))
    return await context.write_rule(MovieBlocked(data=data))


@routes.delete("/v1/movies/{movie_id}/block", responses=_STORED)
async def delete_block(
    request: Request, movie_id: MovieId, actor: Annotated[Actor, Query()] = "unknown"
) -> Response:
    """Let the film into lists again."""
    data = RuleRemoved(movie_id=movie_id, actor=actor)
    return await context_of(request).write_rule(MovieUnblocked(data=data))


@routes.get("/v1/promotions", responses=documents(RulesDocument))
async def list_promotions(request: Request, query: Annotated[RulesQuery, Query()]) -> Response:
    """All promotions by film, with who decided them and when; ended ones too."""
    return json_response(await _list_rules(request, "promotion", query))


@routes.get("/v1/blocks", responses=documents(RulesDocument))
async def list_blocks(request: Request, query: Annotated[RulesQuery, Query()]) -> Response:
    """All blocks by film, with who decided them, when and why; ended ones too."""
    return json_response(await _list_rules(request, "block", query))


async def promotion_of(context: Context, movie_id: int, body: PromotionBody) -> Promotion:
    """Return the promotion that a body describes.

    Raises:
        InvalidFields: It would never hold, or no film has one of its genres.
        NotFound: There is no such film.
    """
    if body.starts and body.until and body.until <= body.starts:
        raise InvalidFields([FieldError("until", "must be later than from")])
    _refuse_ended(body.until)
    await context.require_movie(movie_id)
    require_genres(context.catalogue.genres, {"genres": body.genres})
    return Promotion.model_validate(body.model_dump() | {"movie_id": movie_id})


async def block_of(context: Context, movie_id: int, body: BlockBody) -> Block:
    """Return the block that a body describes.

    Raises:
        InvalidFields: It would never hold.
        NotFound: There is no such film.
    """
    _refuse_ended(body.until)
    await context.require_movie(movie_id)
    return Block.model_validate(body.model_dump() | {"movie_id": movie_id})


def _with_reason(request: Request, body: B) -> B:
    """Return a body with the reason of the call, where it has none of its own."""
    reason = body.reason or getattr(request.state, "reason", "")
    return body.model_copy(update={"reason": reason})


def _refuse_ended(until: datetime | None) -> None:
    """Refuse a rule that would never hold. An event may tell one: it is as old as it is.

    Raises:
        InvalidFields: The rule's end is not later than now.
    """
    if until is not None and until <= now():
        raise InvalidFields([FieldError("until", "must be later than now; DELETE ends a rule")])


async def _list_rules(request: Request, kind: str, query: RulesQuery) -> dict[str, Any]:
    context = context_of(request)
    profile = await context.profiles.read(None)
    if not profile.known:
        raise StoreUnavailable("the store of the rules does not answer")
    rows = profile.rules.rows(kind)
    movie_ids, cursor = paginate(rows, query.limit, query.cursor)
    items = [_with_title(context, i, rows[i]) for i in movie_ids]
    return {"items": items, "next_cursor": cursor}


def _with_title(context: Context, movie_id: int, row: dict[str, Any]) -> dict[str, Any]:
    movie = context.catalogue.get(movie_id)
    return {"movie_id": row["movie_id"], "title": movie.title if movie else None} | row
