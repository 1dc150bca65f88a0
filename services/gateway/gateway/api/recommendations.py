"""Routes of recommendations: for anyone, for a session, for a user."""

from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.context import Context, context_of
from gateway.api.lists import list_answers
from gateway.api.lists.pages import ListPage
from gateway.api.lists.viewer import viewer_query
from gateway.api.schemas.field_types import UserId
from gateway.api.schemas.list_requests import ChangesQuery, SessionQuery, UserQuery
from gateway.api.schemas.requests import SessionBody
from gateway.api.schemas.responses import RecommendationsDocument
from gateway.api.session import SessionHistory, session_history
from gateway.http.route import documents, router
from gateway.recommend.answers import RecommendationQuery
from gateway.recommend.filter_stage import ListRequest
from gateway.state.profiles import Profile

routes = router("Recommendations")
_ANSWER = documents(RecommendationsDocument)


@routes.get("/v1/recommendations", responses=_ANSWER, summary="Recommend to anyone")
async def recommend(request: Request, query: Annotated[SessionQuery, Query()]) -> Response:
    """Films for somebody of whom nothing is kept: the most popular ones, or, after `viewed` films,
    those most like them. Genres are a union and a hard filter. `next_cursor` gives the next page.
    """
    movies = context_of(request).movie_filter(query)
    history = session_history((), query.viewed)
    page = ListPage.of(query, "anyone")
    list_request = ListRequest(query.k, movies, history.older, query.diversity, page.shown)
    return await _session(request, history, list_request, page, query.explain)


@routes.post("/v1/recommendations", responses=_ANSWER, summary="Recommend to a session")
async def recommend_session(request: Request, body: SessionBody) -> Response:
    """The same for a session that is not a user: what it has seen and rated travels along, and
    decides the route as a viewer's profile would. Of more than 1,000 ratings or viewed films the
    newest 1,000 count, and `notes` says so.
    """
    movies = context_of(request).movie_filter(body)
    history = session_history(body.ratings, body.viewed)
    exclude = history.older.union(body.exclude)
    page = ListPage.of(body, "session")
    list_request = ListRequest(body.k, movies, exclude, body.diversity, page.shown)
    return await _session(request, history, list_request, page, body.explain)


@routes.get(
    "/v1/users/{user_id}/recommendations", responses=_ANSWER, summary="Recommend to a viewer"
)
async def recommend_user(
    request: Request, user_id: UserId, query: Annotated[UserQuery, Query()]
) -> Response:
    """Films for a viewer, by what is known of him; an unknown viewer is a new one. With `after`
    (the token of a write) the list follows that write, or says `fresh: false`. `next_cursor` gives
    the next page: the best films by then that no earlier page has shown.
    """
    return await user_list(context_of(request), user_id, query)


async def user_list(context: Context, user_id: int, query: UserQuery | ChangesQuery) -> Response:
    """Answer with a viewer's list.

    Raises:
        InvalidFields: No film has one of the values of a filter.
        InvalidInput: The cursor or the token is none.
    """
    page = ListPage.of(query, "viewer", int(user_id))
    list_query, fresh = await viewer_query(context, user_id, query, page.shown)
    return await list_answers.recommend(context, list_query, page, fresh, query.explain)


async def _session(
    request: Request,
    history: SessionHistory,
    list_request: ListRequest,
    page: ListPage,
    explain: bool,
) -> Response:
    context = context_of(request)
    profile = await context.profiles.read(None)
    query = RecommendationQuery(
        Profile(history.facts, profile.rules, profile.known), list_request, notes=history.notes
    )
    return await list_answers.recommend(context, query, page, True, explain)
