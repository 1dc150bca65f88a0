"""Routes of the catalogue: list and search, a movie, similar movies, genres, and writes."""

import secrets
from collections.abc import Iterable
from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.context import Context, context_of
from gateway.api.schemas.field_types import MovieId
from gateway.api.schemas.presenters import item_document
from gateway.api.schemas.requests import MovieBody, MoviePatch, MoviesQuery, SimilarQuery
from gateway.api.schemas.responses import (
    AddedMovieDocument,
    GenresDocument,
    MovieDocument,
    MoviesDocument,
    ReceiptDocument,
    SimilarDocument,
)
from gateway.catalogue.catalogue import MovieFilter
from gateway.http.pagination import paginate
from gateway.http.route import documents, json_response, router
from gateway.recommend.filter_stage import FilterStage, ListRequest, UserContext
from gateway.recommend.orchestrator import OWN_VERSION, reserve
from gateway.upstream.models import Call, Failure, RecommendReply, read_recommended
from marquee.domain.models import CONTENT
from marquee.domain.movies import Movie
from marquee.domain.recommendation import Route, Scored
from marquee.errors import Conflict, NotFound
from marquee.events import MovieAdded, MovieChange, MovieRef, MovieRemoved, MovieUpdated, now

routes = router("Films")


@routes.get("/v1/movies", responses=documents(MoviesDocument))
async def list_movies(request: Request, query: Annotated[MoviesQuery, Query()]) -> Response:
    """Films by popularity; with `query` those whose titles have its words (or words that begin
    so), best match first.
    """
    context = context_of(request)
    movie_ids, cursor = paginate(_matching(context, query), query.limit, query.cursor)
    rows = (context.catalogue.get(movie_id) for movie_id in movie_ids)
    return json_response({"items": [row.summary() for row in rows if row], "next_cursor": cursor})


@routes.get("/v1/movies/{movie_id}", responses=documents(MovieDocument))
async def get_movie(request: Request, movie_id: MovieId) -> Response:
    """A film with its tags and what its ratings come to."""
    context = context_of(request)
    await context.require_movie(movie_id)
    row = context.catalogue.get(movie_id)
    if row is None:
        raise NotFound(f"there is no film {movie_id}")
    n, positive, _ = context.live_view.popular.sums.of(movie_id)
    mean = context.live_view.popular.mean(movie_id)
    return json_response(row.details() | {"ratings": n, "positive": positive, "mean_rating": mean})


@routes.get("/v1/movies/{movie_id}/similar", responses=documents(SimilarDocument))
async def list_similar_movies(
    request: Request, movie_id: MovieId, query: Annotated[SimilarQuery, Query()]
) -> Response:
    """The films most like one: in content, in who likes both, in the words of the title. Blocked
    films are left out. Without an answer of the content service popular films of the same genres,
    and `degraded: true`.
    """
    context = context_of(request)
    await context.require_movie(movie_id)
    profile = await context.profiles.read(None)
    reply = await _similar(context, movie_id, query.k + reserve(profile.rules))
    fallbacks = []
    movies: Iterable[Scored]
    if isinstance(reply, Failure):
        fallbacks.append({"route": Route.SIMILAR, "why": reply.why})
        movies, model_version = _popular_in_genres(context, movie_id), OWN_VERSION
    else:
        movies, model_version = reply.items, reply.model_version
    stage = FilterStage(profile.rules, context.catalogue, now())
    list_request = ListRequest(query.k, exclude=frozenset((movie_id,)))
    filtered = stage.apply(movies, UserContext(), list_request, promote=False)
    return json_response(
        {
            "movie_id": movie_id,
            "model_version": model_version,
            "degraded": bool(fallbacks),
            "fallbacks": fallbacks,
            "items": [item_document(item, False, context.catalogue) for item in filtered.items],
        }
    )


async def _similar(context: Context, movie_id: int, k: int) -> RecommendReply | Failure:
    """Ask the content service for similar movies.

    Raises:
        NotFound: It does not know the movie.
    """
    path = f"/internal/films/{movie_id}/similar?k={k}"
    seconds = context.settings.deadline_ms / 1000
    reply = await context.models.call(CONTENT.name, Call("GET", path, None, seconds))
    if isinstance(reply, Failure):
        return reply
    if reply.status == 404:
        raise NotFound(f"there is no film {movie_id}")
    return read_recommended(reply.body) if reply.ok else reply.failure(CONTENT.name)


def _popular_in_genres(context: Context, movie_id: int) -> Iterable[Scored]:
    row = context.catalogue.get(movie_id)
    return context.live_view.popular.movies(MovieFilter(row.genres if row else ()))


@routes.get("/v1/genres", responses=documents(GenresDocument))
async def list_genres(request: Request) -> Response:
    """The genres, with the number of films in each."""
    counts = context_of(request).catalogue.genre_counts()
    return json_response({"items": [{"name": name, "films": n} for name, n in counts.items()]})


@routes.post("/v1/movies", status_code=202, responses=documents(AddedMovieDocument, 202))
async def add_movie(request: Request, body: MovieBody) -> Response:
    """Add a film; it is recommendable within a second, from its genres and tags alone."""
    context = context_of(request)
    movie_id = body.movie_id or _free_id(context)
    # A repeated request may find the movie that the first one has added.
    repeated = context.idempotent_request is not None and context.idempotent_request.again
    if context.catalogue.get(movie_id) is not None and not repeated:
        raise Conflict(f"there is a film {movie_id} already; PATCH changes it")
    event = MovieAdded(data=Movie.model_validate(body.model_dump() | {"movie_id": movie_id}))
    return await context.write(event, movie_id=movie_id)


@routes.patch("/v1/movies/{movie_id}", status_code=202, responses=documents(ReceiptDocument, 202))
async def update_movie(request: Request, movie_id: MovieId, body: MoviePatch) -> Response:
    """Change fields of a film; those left out stay as they are."""
    context = context_of(request)
    await context.require_movie(movie_id)
    change = MovieChange.model_validate(body.model_dump() | {"movie_id": movie_id})
    return await context.write(MovieUpdated(data=change))


@routes.delete("/v1/movies/{movie_id}", status_code=202, responses=documents(ReceiptDocument, 202))
async def remove_movie(request: Request, movie_id: MovieId) -> Response:
    """Take a film out of the catalogue and of every list."""
    context = context_of(request)
    await context.require_movie(movie_id)
    return await context.write(MovieRemoved(data=MovieRef(movie_id=movie_id)))


def _matching(context: Context, query: MoviesQuery) -> Iterable[int]:
    allowed = MovieFilter(tuple(query.genre))
    popular = context.live_view.popular
    if not query.query.strip():
        return (row.movie_id for row in popular.rows(allowed))
    matches = context.catalogue.search(query.query)
    rows = {movie_id: context.catalogue.get(movie_id) for movie_id in matches}
    allowed_ids = [movie_id for movie_id, row in rows.items() if row and allowed.allows(row)]
    return sorted(allowed_ids, key=lambda i: (matches[i], popular.rank(i), i))


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
