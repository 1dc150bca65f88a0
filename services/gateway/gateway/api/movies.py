"""Routes of the catalogue: list and search, a movie, similar movies, genres, and writes."""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from typing import Annotated, Any, cast

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.context import Context, context_of
from gateway.api.genres import spelled_genres
from gateway.api.lists.pages import ListPage
from gateway.api.schemas.field_types import MovieId
from gateway.api.schemas.list_requests import SimilarQuery
from gateway.api.schemas.movie_bodies import MovieBody, MoviePatch
from gateway.api.schemas.presenters import filter_notes, item_document
from gateway.api.schemas.requests import MoviesQuery
from gateway.api.schemas.responses import (
    AddedMovieDocument,
    GenresDocument,
    MovieDocument,
    MoviesDocument,
    ReceiptDocument,
    SimilarDocument,
)
from gateway.catalogue.catalogue import MovieFilter
from gateway.catalogue.popularity import PopularityKey
from gateway.http.pagination import SortKey, key_of, paginate_by_key
from gateway.http.route import documents, json_response, router
from gateway.recommend.filter_stage import ListRequest
from gateway.recommend.orchestrator import OWN_VERSION
from gateway.recommend.service_list import ServiceList
from gateway.upstream.models import Failure, RecommendReply, movies_call, read_recommended
from marquee.domain.ids import as_given, id_text, refuse_collision, string_of
from marquee.domain.models import CONTENT
from marquee.domain.movies import Movie
from marquee.domain.recommendation import Route, Scored
from marquee.errors import Conflict, NotFound
from marquee.events import MovieAdded, MovieChange, MovieRef, MovieRemoved, MovieUpdated

routes = router("Films")


@routes.get("/v1/movies", responses=documents(MoviesDocument))
async def list_movies(request: Request, query: Annotated[MoviesQuery, Query()]) -> Response:
    """Films by popularity; with `query` those whose titles have its words (or words that begin
    so), best match first. A cursor is a place in that order: pages neither repeat nor skip a film,
    whatever is added or removed meanwhile.
    """
    context = context_of(request)
    movie_ids, cursor = paginate_by_key(_matching(context, query), query.limit)
    rows = (context.catalogue.get(movie_id) for movie_id in movie_ids)
    items = [row.summary() for row in rows if row]
    degraded = context.is_degraded()
    return json_response({"items": items, "next_cursor": cursor, "degraded": degraded})


@routes.get("/v1/movies/{movie_id}", responses=documents(MovieDocument))
async def get_movie(request: Request, movie_id: MovieId) -> Response:
    """A film with its tags and what its ratings come to."""
    context = context_of(request)
    await context.require_movie(movie_id)
    row = context.catalogue.get(movie_id)
    if row is None:
        raise NotFound(f"there is no film {id_text(movie_id)}")
    n, positive, _ = context.live_view.popular.sums.of(movie_id)
    mean = context.live_view.popular.mean(movie_id)
    sums = {"ratings": n, "positive": positive, "mean_rating": mean}
    return json_response(row.details() | sums | {"degraded": context.is_degraded()})


@routes.get("/v1/movies/{movie_id}/similar", responses=documents(SimilarDocument))
async def list_similar_movies(
    request: Request, movie_id: MovieId, query: Annotated[SimilarQuery, Query()]
) -> Response:
    """The films most like one: in content, in who likes both, in the words of the title. Blocked
    films are left out, and those that the filters do not allow. Where the content service gives no
    answer or too few films, popular ones follow, those of the same genres first, and the answer
    says `degraded: true`. `next_cursor` gives the next page.
    """
    context = context_of(request)
    allowed = context.movie_filter(query)
    page = ListPage.of(query, "similar", int(movie_id))
    await context.require_movie(movie_id)
    profile = await context.profiles.read(None)
    list_request = ListRequest(query.k, allowed, frozenset((movie_id,)), shown=page.shown)
    wanted = ServiceList(list_request, profile.rules, context.catalogue)
    served = await wanted.served(partial(_similar, context, movie_id))
    filtered, why = wanted.filled_up(served, _popular_like(context, movie_id, allowed))
    more = chain(served.sent, _popular_like(context, movie_id, allowed))
    on_page = [item.movie_id for item in filtered.items]
    return json_response(
        {
            "movie_id": context.catalogue.given(movie_id),
            "model_version": served.model_version or OWN_VERSION,
            "degraded": why is not None or context.is_degraded(profile),
            "fallbacks": [] if why is None else [{"route": Route.SIMILAR, "why": why}],
            "items": [item_document(item, False, context.catalogue) for item in filtered.items],
            "next_cursor": page.next_cursor(on_page, wanted.has_more(filtered, more)),
            "notes": filter_notes(allowed, filtered, context.catalogue),
        }
    )


async def _similar(
    context: Context, movie_id: int, k: int, filters: Mapping[str, Any]
) -> RecommendReply | Failure:
    """Ask the content service for similar movies.

    Raises:
        NotFound: It does not know the movie.
    """
    seconds = context.settings.deadline_ms / 1000
    call = movies_call(f"/internal/films/{movie_id}/similar", k, filters, seconds)
    reply = await context.models.call(CONTENT.name, call)
    if isinstance(reply, Failure):
        return reply
    if reply.names_nothing:
        raise NotFound(f"there is no film {id_text(movie_id)}")
    return read_recommended(reply.body) if reply.ok else reply.failure(CONTENT.name)


def _popular_like(context: Context, movie_id: int, allowed: MovieFilter) -> Iterable[Scored]:
    """Return the popular movies within a filter, those of a movie's genres first."""
    row, popular = context.catalogue.get(movie_id), context.live_view.popular
    of_its_genres = popular.movies(allowed, MovieFilter(row.genres if row else ()))
    return chain(of_its_genres, popular.movies(allowed))


@routes.get("/v1/genres", responses=documents(GenresDocument))
async def list_genres(request: Request) -> Response:
    """The genres of the catalogue, with the number of films in each."""
    context = context_of(request)
    items = [{"name": name, "films": n} for name, n in context.catalogue.genres.counts().items()]
    return json_response({"items": items, "degraded": context.is_degraded()})


@routes.post("/v1/movies", status_code=202, responses=documents(AddedMovieDocument, 202))
async def add_movie(request: Request, body: MovieBody) -> Response:
    """Add a film; it is recommendable within a second, from its genres and tags alone."""
    context = context_of(request)
    movie_id = body.movie_id or _free_id(context)
    # A repeated request may find the movie that the first one has added.
    repeated = context.idempotent_request is not None and context.idempotent_request.again
    row = context.catalogue.get(movie_id)
    refuse_collision("movie_id", movie_id, string_of(row.movie_id) if row else "")
    if row is not None and not repeated:
        raise Conflict(f"there is a film {id_text(movie_id)} already; PATCH changes it")
    genres = spelled_genres(context.catalogue.genres, body.genres)
    fields = body.model_dump() | {"movie_id": movie_id, "genres": genres}
    event = MovieAdded(data=Movie.model_validate(fields))
    return await context.write(event, movie_id=as_given(movie_id))


@routes.patch("/v1/movies/{movie_id}", status_code=202, responses=documents(ReceiptDocument, 202))
async def update_movie(request: Request, movie_id: MovieId, body: MoviePatch) -> Response:
    """Change fields of a film; those left out stay as they are. `null` clears a field that a film
    may lack: the year, or any that `POST /v1/movies` takes without a value. `links` is replaced as
    a whole.
    """
    context = context_of(request)
    await context.require_movie(movie_id)
    fields = body.model_dump() | {"movie_id": movie_id, "cleared": body.cleared}
    if body.genres is not None:
        fields["genres"] = spelled_genres(context.catalogue.genres, body.genres)
    change = MovieChange.model_validate(fields)
    return await context.write(MovieUpdated(data=change))


@routes.delete("/v1/movies/{movie_id}", status_code=202, responses=documents(ReceiptDocument, 202))
async def remove_movie(request: Request, movie_id: MovieId) -> Response:
    """Take a film out of the catalogue and of every list."""
    context = context_of(request)
    await context.require_movie(movie_id)
    return await context.write(MovieRemoved(data=MovieRef(movie_id=movie_id)))


def _matching(context: Context, query: MoviesQuery) -> Iterator[tuple[SortKey, int]]:
    """Yield the films of a list behind its cursor, with their sort keys, in order.

    Raises:
        InvalidInput: The cursor is none of such a list.
    """
    allowed = context.movie_filter(query)
    popular = context.live_view.popular
    if not query.query.strip():
        after = None if query.cursor is None else key_of(query.cursor, 3)
        rows = popular.rows(allowed, after=cast(PopularityKey | None, after))
        return ((popular.key(row.movie_id), row.movie_id) for row in rows)
    last = None if query.cursor is None else key_of(query.cursor, 4)
    matches = context.catalogue.search(query.query)
    found = {movie_id: context.catalogue.get(movie_id) for movie_id in matches}
    allowed_ids = [movie_id for movie_id, row in found.items() if row and allowed.allows(row)]
    keyed = sorted(((matches[i], *popular.key(i)), i) for i in allowed_ids)
    return (item for item in keyed if last is None or item[0] > last)


def _free_id(context: Context) -> int:
    """Return a free id from the upper half, where no data set has ids.

    With an idempotency key it follows from the key, so that a repeat adds no second movie.
    """
    if context.idempotent_request is not None:
        return 2**30 + context.idempotent_request.number(2**30)
    while True:
        movie_id = 2**30 + secrets.randbelow(2**30)
        if context.catalogue.get(movie_id) is None:
            return movie_id
