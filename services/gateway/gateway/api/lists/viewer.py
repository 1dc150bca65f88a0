"""A viewer's list as requests ask for it: filters, the watchlist, exclusions, and a token."""

from dataclasses import replace

from gateway.api.context import Context
from gateway.api.schemas.list_requests import ViewerListQuery
from gateway.catalogue.catalogue import MovieFilter
from gateway.recommend.answers import RecommendationQuery
from gateway.recommend.filter_stage import ListRequest
from marquee.domain.ratings import Ratings


async def viewer_query(
    context: Context, user_id: int, query: ViewerListQuery, shown: frozenset[int] = frozenset()
) -> tuple[RecommendationQuery, bool]:
    """Return what is asked of the models for a viewer, and whether the profile has passed `after`.

    Args:
        context: The parts of the gateway.
        user_id: The viewer.
        query: Parameters of the request.
        shown: Ids of the films that earlier pages have shown.

    Raises:
        InvalidFields: No film has one of the values of a filter.
        InvalidInput: The token cannot be decoded.
    """
    movies = context.movie_filter(query)
    snapshot = await context.read_user(user_id, query.after, query.wait_ms)
    list_request = on_watchlist(
        ListRequest(query.k, movies, frozenset(query.exclude), query.diversity, shown),
        query.watchlist,
        snapshot.profile.facts,
    )
    wanted = RecommendationQuery(
        snapshot.profile, list_request, user_id, snapshot.after, snapshot.wait
    )
    return wanted, snapshot.fresh


def on_watchlist(list_request: ListRequest, wish: str | None, facts: Ratings) -> ListRequest:
    """Return a request for films of a viewer's watchlist (`only`), or for others (`exclude`)."""
    if wish is None:
        return list_request
    watchlist = frozenset(facts.watchlist)
    if wish == "exclude":
        return replace(list_request, exclude=list_request.exclude | watchlist)
    movies: MovieFilter = replace(list_request.filter, only=watchlist)
    return replace(list_request, filter=movies)
