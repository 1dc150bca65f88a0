"""The content service: popular movies, and movies similar to those liked or viewed."""

from collections.abc import Sequence
from typing import Any

from fastapi import Request

from content.model import Content
from marquee.domain.recommendation import (
    AnyRecommendRequest,
    Reason,
    Route,
    Scored,
    SimilarRequest,
)
from marquee.errors import NotFound
from marquee.process import serve
from marquee.scoring.candidates import candidates, filter_mask
from marquee.scoring.diversity import diversify, pool_size
from marquee.serving.app import ModelService, body, create_app, movies_request
from marquee.serving.replica import ModelReplica, ServingState
from marquee.settings import Settings


def answer(serving: ServingState[Content], request: AnyRecommendRequest) -> list[Scored]:
    """Return movies like the user's history, or popular ones without a history or on that route."""
    user = request.history
    has_history = bool(user.rated.liked.any()) or len(user.viewed) > 0
    if request.route is Route.POPULAR or not has_history:
        return popular(serving, request)
    mask, popularity = candidates(request, serving.movies), serving.popularity.now()
    return serving.model.recommend(
        user, serving.movies, mask, request.k, popularity, request.diversity
    )


def popular(serving: ServingState[Content], request: AnyRecommendRequest) -> list[Scored]:
    """Return movies by popularity within the request's filters."""
    movies, popularity = serving.movies, serving.popularity.now()
    wanted = pool_size(request.k, request.diversity)
    rows = popularity.order(movies.movie_ids, candidates(request, movies), wanted)
    reason = Reason.POPULAR_IN_GENRE if request.genres else Reason.POPULAR
    scores = popularity.popularity[rows]
    items = [
        Scored(int(movies.movie_ids[row]), float(score), reason)
        for row, score in zip(rows, scores, strict=True)
    ]
    return diversify(items, movies, request.diversity, request.k)


async def similar(replica: ModelReplica[Content], request: Request) -> dict[str, Any]:
    """Answer which movies within a filter are most like one."""
    serving, movie_id = replica.serving, int(request.path_params["movie_id"])
    query = await movies_request(request)
    if serving.movies.index(movie_id) < 0:
        raise NotFound(f"no film {movie_id}")
    mask = filter_mask(query, serving.movies)
    items = _items(serving.model.similar(movie_id, serving.movies, mask, query.k))
    return {"items": items, "model_version": serving.model.version}


async def similar_to_each(replica: ModelReplica[Content], request: Request) -> dict[str, Any]:
    """Answer which movies within a filter are most like each of several; none for unknown ones."""
    serving = replica.serving
    query: SimilarRequest = await body(request, SimilarRequest)
    mask = filter_mask(query, serving.movies)
    found = serving.model.similar_to_each(query.movie_ids, serving.movies, mask, query.k)
    lists = [
        {"movie_id": movie_id, "items": _items(items)}
        for movie_id, items in zip(query.movie_ids, found, strict=True)
    ]
    return {"lists": lists, "model_version": serving.model.version}


def _items(items: Sequence[Scored]) -> list[dict[str, Any]]:
    return [
        {"movie_id": scored.movie_id, "score": scored.score, "reason": scored.reason}
        for scored in items
    ]


_SIMILAR = {"/internal/films/{movie_id:id}/similar": similar}
_SIMILAR_TO_EACH = {"/internal/films/similar": similar_to_each}
SERVICE = ModelService(
    "content", Content.load, answer, gets=_SIMILAR, posts={**_SIMILAR, **_SIMILAR_TO_EACH}
)


def main(settings: Settings) -> None:
    """Serve until told to stop."""
    serve(create_app(SERVICE, settings), settings, "content")
