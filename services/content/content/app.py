"""The content service: popular movies, and movies similar to those that were viewed."""

from typing import Any

from fastapi import Request

from content.model import Content
from marquee.domain.recommendation import Reason, RecommendRequest, Route, Scored, UserHistory
from marquee.errors import InvalidInput, NotFound
from marquee.process import serve
from marquee.scoring.candidates import candidates
from marquee.scoring.diversity import diversify, pool_size
from marquee.serving.app import ModelService, create_app
from marquee.serving.replica import ModelReplica, ServingState
from marquee.settings import Settings


def answer(serving: ServingState[Content], request: RecommendRequest) -> list[Scored]:
    """Return similar movies where there is something to be similar to, else popular ones."""
    user = UserHistory.of(request.ratings, request.viewed)
    liked = bool(user.rated.liked.any()) or len(user.viewed) > 0
    if request.route is Route.POPULAR or not liked:
        return popular(serving, request)
    mask, wanted = candidates(request, serving.movies), pool_size(request.k, request.diversity)
    popularity = serving.popularity.now()
    found = serving.model.recommend(user, serving.movies, mask, wanted, popularity=popularity)
    return diversify(found, serving.movies, request.diversity, request.k)


def popular(serving: ServingState[Content], request: RecommendRequest) -> list[Scored]:
    """Return movies by popularity within the request's filters."""
    movies, popularity = serving.movies, serving.popularity.now()
    wanted = pool_size(request.k, request.diversity)
    rows = popularity.order(movies.movie_ids, candidates(request, movies), wanted)
    reason = Reason.POPULAR_IN_GENRE if request.genres else Reason.POPULAR
    scores = popularity.popularity[rows]
    found = [
        Scored(int(movies.movie_ids[row]), float(score), reason)
        for row, score in zip(rows, scores, strict=True)
    ]
    return diversify(found, movies, request.diversity, request.k)


async def similar(overlay: ModelReplica[Content], request: Request) -> dict[str, Any]:
    """Answer which movies are nearest to one by content alone."""
    serving, movie_id = overlay.serving, int(request.path_params["movie_id"])
    k = _k(request)
    if serving.movies.index(movie_id) < 0:
        raise NotFound(f"no film {movie_id}")
    mask = serving.movies.alive.copy()
    mask[serving.movies.index(movie_id)] = False
    found = serving.model.similar(movie_id, serving.movies, mask, k)
    items = [{"movie_id": s.movie_id, "score": s.score, "reason": s.reason} for s in found]
    return {"items": items, "model_version": serving.model.version}


def _k(request: Request) -> int:
    try:
        return max(1, min(1000, int(request.query_params.get("k", 10))))
    except ValueError:
        raise InvalidInput("k: a whole number from 1 to 1000", "k") from None


SERVICE = ModelService(
    "content", Content.load, answer, gets={"/internal/films/{movie_id:int}/similar": similar}
)


def main(settings: Settings) -> None:
    """Serve until told to stop."""
    serve(create_app(SERVICE, settings), settings, settings.content_port)
