"""Routes of users: their profile, ratings, views and dismissals."""

from typing import Annotated, Any

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.context import UserSnapshot, context_of
from gateway.api.schemas.field_types import MovieId, UserId
from gateway.api.schemas.requests import FreshQuery, PageQuery, RatingBody, ViewBody
from gateway.api.schemas.responses import RatingsDocument, ReceiptDocument, UserDocument
from gateway.catalogue.catalogue import Row
from gateway.http.pagination import paginate
from gateway.http.route import documents, json_response, router
from gateway.upstream.models import Call, Reply
from marquee.domain.models import USER_MODEL
from marquee.domain.routing import Evidence, decide
from marquee.events import (
    MovieDismissed,
    MovieRestored,
    MovieViewed,
    Rating,
    RatingAdded,
    RatingRemoved,
    UserErased,
    UserMovie,
    UserRef,
)

routes = router("Viewers")
_ACCEPTED = documents(ReceiptDocument, 202)


@routes.get("/v1/users/{user_id}", responses=documents(UserDocument))
async def get_user(
    request: Request, user_id: UserId, query: Annotated[FreshQuery, Query()]
) -> Response:
    """What is known of a viewer: counts, the route that answers him and why, his cluster and
    segment. An unknown viewer is a new one.
    """
    context = context_of(request)
    snapshot = await context.read_user(user_id, query.after, query.wait_ms)
    facts = snapshot.profile.facts
    evidence = Evidence.of(facts, context.catalogue)
    decision = decide(evidence, context.orchestrator.thresholds)
    features = await _features(request, user_id) if facts else {}
    return json_response(
        {
            "user_id": user_id,
            "ratings": len(facts.rated),
            "positive": facts.positive,
            "viewed": len(facts.viewed),
            "dismissed": len(facts.dismissed),
            "route": decision.route,
            "reason": decision.reason,
            "cluster": features.get("cluster"),
            "segment": features.get("segment"),
            "model_version": features.get("model_version"),
            **_freshness(snapshot),
        }
    )


@routes.get("/v1/users/{user_id}/ratings", responses=documents(RatingsDocument))
async def list_ratings(
    request: Request, user_id: UserId, query: Annotated[PageQuery, Query()]
) -> Response:
    """What a viewer rated, newest first."""
    context = context_of(request)
    snapshot = await context.read_user(user_id, query.after, query.wait_ms)
    rated = snapshot.profile.facts.rated
    movie_ids, cursor = paginate(reversed(rated), query.limit, query.cursor)
    items = [_rated(context.catalogue.get(i), i, rated[i] / 2) for i in movie_ids]
    return json_response({"items": items, "next_cursor": cursor, **_freshness(snapshot)})


@routes.put("/v1/users/{user_id}/ratings/{movie_id}", status_code=202, responses=_ACCEPTED)
async def put_rating(
    request: Request, user_id: UserId, movie_id: MovieId, body: RatingBody
) -> Response:
    """Rate a film; a second rating replaces the first."""
    context = context_of(request)
    await context.require_movie(movie_id)
    data = Rating(
        user_id=user_id,
        movie_id=movie_id,
        rating=body.rating,
        recommendation_id=body.recommendation_id,
    )
    return await context.write(RatingAdded(data=data))


@routes.delete("/v1/users/{user_id}/ratings/{movie_id}", status_code=202, responses=_ACCEPTED)
async def delete_rating(request: Request, user_id: UserId, movie_id: MovieId) -> Response:
    """Take a rating back."""
    return await context_of(request).write(RatingRemoved(data=_pair(user_id, movie_id)))


@routes.post("/v1/users/{user_id}/views", status_code=202, responses=_ACCEPTED)
async def add_view(request: Request, user_id: UserId, body: ViewBody) -> Response:
    """Say that a viewer has seen a film."""
    context = context_of(request)
    await context.require_movie(body.movie_id)
    data = _pair(user_id, body.movie_id, body.recommendation_id)
    return await context.write(MovieViewed(data=data))


@routes.put("/v1/users/{user_id}/dismissed/{movie_id}", status_code=202, responses=_ACCEPTED)
async def put_dismissed(request: Request, user_id: UserId, movie_id: MovieId) -> Response:
    """Say that a viewer is not interested in a film: it is not recommended again."""
    context = context_of(request)
    await context.require_movie(movie_id)
    return await context.write(MovieDismissed(data=_pair(user_id, movie_id)))


@routes.delete("/v1/users/{user_id}/dismissed/{movie_id}", status_code=202, responses=_ACCEPTED)
async def delete_dismissed(request: Request, user_id: UserId, movie_id: MovieId) -> Response:
    """Take a dismissal back."""
    return await context_of(request).write(MovieRestored(data=_pair(user_id, movie_id)))


@routes.delete("/v1/users/{user_id}", status_code=202, responses=_ACCEPTED)
async def erase_user(request: Request, user_id: UserId) -> Response:
    """Forget a viewer: profile, features and clusters, and the next model."""
    return await context_of(request).write(UserErased(data=UserRef(user_id=user_id)))


def _pair(user_id: int, movie_id: int, recommendation_id: str | None = None) -> UserMovie:
    return UserMovie(user_id=user_id, movie_id=movie_id, recommendation_id=recommendation_id)


def _freshness(snapshot: UserSnapshot) -> dict[str, Any]:
    return {
        "profile": "known" if snapshot.profile.known else "unavailable",
        "fresh": snapshot.fresh,
    }


def _rated(row: Row | None, movie_id: int, rating: float) -> dict[str, Any]:
    movie = row.summary() if row else Row.unknown(movie_id).summary()
    return {**movie, "rating": rating}


async def _features(request: Request, user_id: int) -> dict[str, Any]:
    context = context_of(request)
    seconds = context.settings.deadline_ms / 1000
    call = Call("GET", f"/internal/users/{user_id}", None, seconds)
    reply = await context.models.call(USER_MODEL.name, call)
    return dict(reply.body) if isinstance(reply, Reply) and reply.ok else {}
