"""Routes of watchlists: films that a viewer wants to see later."""

from typing import Annotated, Final

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.context import context_of
from gateway.api.schemas.field_types import MovieId, UserId
from gateway.api.schemas.requests import ListedQuery, WatchlistQuery
from gateway.api.schemas.responses import ReceiptDocument, WatchlistDocument
from gateway.api.users import allowed_movies, freshness, rows_of
from gateway.http.pagination import paginate
from gateway.http.route import documents, json_response, router
from marquee.errors import Conflict
from marquee.events import UserMovie, WatchlistAdded, WatchlistRemoved

routes = router("Viewers")
MAX_WATCHLIST: Final = 1000
"""Films of a watchlist, from which on the API takes no more."""
_ACCEPTED = documents(ReceiptDocument, 202)


@routes.get("/v1/users/{user_id}/watchlist", responses=documents(WatchlistDocument))
async def list_watchlist(
    request: Request, user_id: UserId, query: Annotated[WatchlistQuery, Query()]
) -> Response:
    """What a viewer wants to see, newest first; with filters those of the films that pass. A film
    stays until it is taken off: `seen` says whether it was rated or viewed meanwhile.
    """
    context = context_of(request)
    allowed = context.movie_filter(query)
    snapshot = await context.read_user(user_id, query.after, query.wait_ms)
    facts = snapshot.profile.facts
    passing = allowed_movies(reversed(facts.watchlist), allowed, context.catalogue)
    movie_ids, cursor = paginate(passing, query.limit, query.cursor)
    rows = await rows_of(context, user_id, movie_ids)
    items = [rows[i].summary() | {"seen": i in facts.rated or i in facts.viewed} for i in movie_ids]
    document = {"items": items, "next_cursor": cursor, **freshness(context, snapshot)}
    return json_response(document)


@routes.put("/v1/users/{user_id}/watchlist/{movie_id}", status_code=202, responses=_ACCEPTED)
async def put_watchlist(
    request: Request, user_id: UserId, movie_id: MovieId, query: Annotated[ListedQuery, Query()]
) -> Response:
    """Put a film on a viewer's watchlist, as the newest one; 1,000 films at most."""
    context = context_of(request)
    await context.require_movie(movie_id)
    watchlist = (await context.read_profile(user_id)).facts.watchlist
    if len(watchlist) >= MAX_WATCHLIST and movie_id not in watchlist:
        raise Conflict(f"the watchlist has {MAX_WATCHLIST:,} films: take one off first")
    data = UserMovie(user_id=user_id, movie_id=movie_id, recommendation_id=query.recommendation_id)
    return await context.write(WatchlistAdded(data=data))


@routes.delete("/v1/users/{user_id}/watchlist/{movie_id}", status_code=202, responses=_ACCEPTED)
async def delete_watchlist(request: Request, user_id: UserId, movie_id: MovieId) -> Response:
    """Take a film off a viewer's watchlist."""
    data = UserMovie(user_id=user_id, movie_id=movie_id)
    return await context_of(request).write(WatchlistRemoved(data=data))
