"""Routes of users: their profile, ratings, views and dismissals."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.audit import erasures
from gateway.api.context import Context, UserSnapshot, context_of, receipt_document
from gateway.api.schemas.audit_documents import ErasedDocument
from gateway.api.schemas.field_types import MovieId, UserId
from gateway.api.schemas.requests import FreshQuery, RatingBody, RatingsQuery, ViewBody
from gateway.api.schemas.responses import (
    RatingsDocument,
    ReceiptDocument,
    UserDocument,
)
from gateway.catalogue.catalogue import Catalogue, MovieFilter, Row
from gateway.http.pagination import paginate
from gateway.http.route import documents, json_response, router
from gateway.upstream.models import Call, Failure
from gateway.upstream.replies import Features, read_reply
from marquee.domain.ids import GivenId, as_given
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
    return json_response(await user_document(request, user_id, snapshot))


@routes.get("/v1/users/{user_id}/ratings", responses=documents(RatingsDocument))
async def list_ratings(
    request: Request, user_id: UserId, query: Annotated[RatingsQuery, Query()]
) -> Response:
    """What a viewer rated, newest first; with filters those of the films that pass."""
    context = context_of(request)
    allowed = context.movie_filter(query)
    snapshot = await context.read_user(user_id, query.after, query.wait_ms)
    rated = snapshot.profile.facts.rated
    passing = allowed_movies(reversed(rated), allowed, context.catalogue)
    movie_ids, cursor = paginate(passing, query.limit, query.cursor)
    rows = await rows_of(context, user_id, movie_ids)
    items = [rows[i].summary() | {"rating": rated[i] / 2} for i in movie_ids]
    document = {"items": items, "next_cursor": cursor, **freshness(context, snapshot)}
    return json_response(document)


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


@routes.delete("/v1/users/{user_id}", status_code=202, responses=documents(ErasedDocument, 202))
async def erase_user(request: Request, user_id: UserId) -> Response:
    """Forget a viewer: profile, features and clusters, and the next model. The receipt says who
    asked and what is removed when; `GET /v1/erasures/{id}` gives it again, by its own id.
    """
    context = context_of(request)
    events = context.with_request([UserErased(data=UserRef(user_id=user_id))])
    places = await context.publisher.publish(events)
    receipt = erasures.promised(events[0], places[0])
    return json_response(receipt_document(events, places) | {"receipt": receipt}, 202)


async def user_document(request: Request, user_id: int, snapshot: UserSnapshot) -> dict[str, Any]:
    """Return what is known of a viewer in short: counts, route, cluster and segment."""
    context, facts = context_of(request), snapshot.profile.facts
    evidence = Evidence.of(facts, context.catalogue)
    decision = decide(evidence, context.orchestrator.thresholds)
    features = await _features(request, user_id) if facts else Features()
    known = Features() if isinstance(features, Failure) else features
    about = freshness(context, snapshot)
    about["degraded"] |= isinstance(features, Failure)
    return {
        "user_id": as_given(user_id),
        "ratings": len(facts.rated),
        "positive": facts.positive,
        "viewed": len(facts.viewed),
        "dismissed": len(facts.dismissed),
        "watchlist": len(facts.watchlist),
        "route": decision.route,
        "reason": decision.reason,
        "cluster": known.cluster,
        "segment": known.segment,
        "model_version": known.model_version,
        **about,
    }


def allowed_movies(
    movie_ids: Iterable[int], allowed: MovieFilter, catalogue: Catalogue
) -> Iterable[int]:
    """Return the ids of the movies that a filter allows; one not in the catalogue passes none."""
    if allowed == MovieFilter():
        return movie_ids
    return (i for i in movie_ids if (row := catalogue.get(i)) and allowed.allows(row))


def _pair(user_id: int, movie_id: int, recommendation_id: str | None = None) -> UserMovie:
    return UserMovie(user_id=user_id, movie_id=movie_id, recommendation_id=recommendation_id)


def freshness(context: Context, snapshot: UserSnapshot) -> dict[str, Any]:
    """Return what an answer says of the profile that it rests on."""
    return {
        "profile": "known" if snapshot.profile.known else "unavailable",
        "fresh": snapshot.fresh,
        "degraded": context.is_degraded(snapshot.profile),
    }


async def rows_of(context: Context, user_id: int, movie_ids: Sequence[int]) -> dict[int, Row]:
    """Return the rows of movies of a user's facts; of one not in the catalogue the id alone."""
    known = {i: row for i in movie_ids if (row := context.catalogue.get(i)) is not None}
    unknown = [i for i in movie_ids if i not in known]
    strings = [i for i in unknown if i < 0]
    texts = await context.profiles.movie_texts(user_id, strings) if strings else {}
    return known | {i: Row.unknown(GivenId(texts[i]) if i in texts else i) for i in unknown}


async def _features(request: Request, user_id: int) -> Features | Failure:
    context = context_of(request)
    seconds = context.settings.deadline_ms / 1000
    call = Call("GET", f"/internal/users/{user_id}", None, seconds)
    reply = await context.models.call(USER_MODEL.name, call)
    return read_reply(USER_MODEL.name, reply, Features)
