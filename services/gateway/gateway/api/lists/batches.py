"""Route of many viewers' lists in one call, such as for a mail to each."""

import asyncio
import time
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.context import Context, context_of
from gateway.api.lists.list_answers import list_of
from gateway.api.lists.pages import ListPage
from gateway.api.lists.viewer import on_watchlist
from gateway.api.schemas.batch_documents import BatchDocument
from gateway.api.schemas.list_requests import BatchBody
from gateway.catalogue.catalogue import MovieFilter
from gateway.http.overload import BATCH, place_of
from gateway.http.route import documents, json_response, router
from gateway.recommend.answers import RecommendationQuery
from gateway.recommend.filter_stage import ListRequest
from marquee.domain.ids import Id
from marquee.errors import InvalidInput, MarqueeError, ModelUnavailable

routes = router("Recommendations")

LONGEST_S: Final = 10.0
"""Seconds after which no further list of a batch is begun."""
_ID: TypeAdapter[Any] = TypeAdapter(Id)


@routes.post(BATCH, responses=documents(BatchDocument), summary="Recommend to many")
async def recommend_batch(request: Request, body: BatchBody) -> Response:
    """Lists for up to 100 viewers, with the same filters for all, in the order of `users`. Each
    viewer has a list or a problem of their own: an id that cannot be read costs no other viewer the
    list. Few lists are made at the same time, over all batches of a gateway, so that a batch does
    not hold up those who wait for one list; what is not begun after ten seconds is a problem
    (`model_unavailable`) for its viewer.
    """
    context = context_of(request)
    # The gate bounds what batches do; waiting for it they would hold the places of other calls.
    place_of(request.scope).give_back()
    movies, until = context.movie_filter(body), time.monotonic() + LONGEST_S

    async def one(user: Any) -> dict[str, Any]:
        try:
            user_id = _id_of(user)
            async with context.batch_gate:
                if time.monotonic() > until:
                    raise ModelUnavailable("the batch took too long: send this viewer again")
                return {"list": await _list_of(context, user_id, body, movies), "problem": None}
        except MarqueeError as error:
            problem = {"type": f"/problems/{error.code}", "status": error.status}
            return {"list": None, "problem": problem | error.document()}

    made = await asyncio.gather(*map(one, body.users))
    items = [{"user_id": _named(user)} | item for user, item in zip(body.users, made, strict=True)]
    lists = sum(item["list"] is not None for item in items)
    return json_response({"lists": lists, "problems": len(items) - lists, "items": items})


def _named(user: Any) -> str | int | None:
    """Return a viewer as the request names them, None for what JSON in UTF-8 cannot name one by."""
    if isinstance(user, str):
        return user if user.isprintable() else None
    is_whole = isinstance(user, int) and not isinstance(user, bool)
    return user if is_whole and abs(user) < 2**63 else None


def _id_of(user: Any) -> int:
    try:
        return (
            int(_ID.validate_python(user)) if isinstance(user, int) else _ID.validate_python(user)
        )
    except ValidationError as error:
        raise InvalidInput(error.errors(include_url=False)[0]["msg"], "users") from None


async def _list_of(
    context: Context, user_id: int, body: BatchBody, movies: MovieFilter
) -> dict[str, Any]:
    profile = await context.read_profile(user_id)
    list_request = ListRequest(body.k, movies, frozenset(body.exclude), body.diversity)
    list_request = on_watchlist(list_request, body.watchlist, profile.facts)
    page = ListPage.of(body, "viewer", int(user_id))
    query = RecommendationQuery(profile, list_request, user_id)
    return await list_of(context, query, page, True, False)
