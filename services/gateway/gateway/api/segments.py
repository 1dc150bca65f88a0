"""Routes of segments: lists, recommendations for a segment, names and numbers."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Annotated, Any

from fastapi import Path, Query
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.audit.operations import fix_segments, name_segment
from gateway.api.context import Context, context_of
from gateway.api.lists.pages import ListPage
from gateway.api.schemas.list_requests import SegmentQuery
from gateway.api.schemas.presenters import filter_notes, item_document
from gateway.api.schemas.requests import SegmentBody, SegmentsBody
from gateway.api.schemas.responses import (
    SegmentDocument,
    SegmentListDocument,
    SegmentsDocument,
    SegmentsWishDocument,
)
from gateway.catalogue.catalogue import Row
from gateway.http.route import documents, json_response, router
from gateway.recommend.filter_stage import ListRequest, UserContext
from gateway.recommend.service_list import ServiceList
from gateway.upstream.models import Failure, RecommendReply, movies_call
from gateway.upstream.segments import (
    Kind,
    fetch_segment_movies,
    fetch_segments,
    segment_movies_path,
)
from marquee.errors import ModelUnavailable, NotFound

routes = router("Segments")

SegmentId = Annotated[int, Path(ge=0, le=10_000, description="A segment of the serving version.")]
MAX_TYPICAL = 10
"""Number of typical movies shown for a segment."""


@routes.get("/v1/segments/{kind}", responses=documents(SegmentsDocument))
async def list_segments(request: Request, kind: Kind) -> Response:
    """The segments of films or of viewers, with what sets each apart, its size and typical films;
    and how their number was chosen.
    """
    context = context_of(request)
    segments = await _segments(context, kind)
    items = [_segment_document(segment, context) for segment in segments["items"]]
    return json_response(
        {
            "kind": kind,
            "model_version": segments["model_version"],
            "wanted": segments["wanted"],
            "choice": segments["choice"],
            "items": items,
        }
    )


@routes.get("/v1/segments/{kind}/{segment_id}", responses=documents(SegmentDocument))
async def get_segment(request: Request, kind: Kind, segment_id: SegmentId) -> Response:
    """A segment."""
    context = context_of(request)
    return json_response(_segment_document(await _segment(context, kind, segment_id), context))


@routes.get(
    "/v1/segments/{kind}/{segment_id}/recommendations", responses=documents(SegmentListDocument)
)
async def recommend_segment(
    request: Request, kind: Kind, segment_id: SegmentId, query: Annotated[SegmentQuery, Query()]
) -> Response:
    """The most popular films of a segment of films, or those that a segment of viewers likes more
    than others do; within the rules and the filters, with the promotions for that segment of
    viewers. The list ends where the segment has no further film that passes; `next_cursor` gives
    the next page.
    """
    context = context_of(request)
    page = ListPage.of(query, "segment", kind, segment_id)
    list_request = ListRequest(query.k, context.movie_filter(query), shown=page.shown)
    profile = await context.profiles.read(None)
    user = UserContext(segments=frozenset((segment_id,) if kind == "users" else ()))
    wanted = ServiceList(list_request, profile.rules, context.catalogue, user, kind == "users")
    served = await wanted.served(partial(_segment_movies, context, kind, segment_id))
    if served.failure is not None and not served.sent:
        raise ModelUnavailable(served.failure.why)
    filtered, placed = served.filtered, {p.movie_id for p in served.filtered.placed}
    items = [item_document(i, i.movie_id in placed, context.catalogue) for i in filtered.items]
    return json_response(
        {
            "kind": kind,
            "segment": segment_id,
            "model_version": served.model_version,
            "degraded": served.failure is not None or context.is_degraded(profile),
            "items": items,
            "next_cursor": page.next_cursor(
                [item.movie_id for item in filtered.items], wanted.has_more(filtered, served.sent)
            ),
            "notes": filter_notes(list_request.filter, filtered, context.catalogue),
        }
    )


@routes.put("/v1/segments/{kind}", responses=documents(SegmentsWishDocument))
async def put_segments(request: Request, kind: Kind, body: SegmentsBody) -> Response:
    """Fix the number of segments from the next training on; null lets the data choose it."""
    return json_response(await fix_segments(context_of(request), kind, body.k))


@routes.put("/v1/segments/{kind}/{segment_id}", responses=documents(SegmentDocument))
async def put_segment(
    request: Request, kind: Kind, segment_id: SegmentId, body: SegmentBody
) -> Response:
    """Name a segment, and keep it: the next trainings make it again from its typical films. With
    `keep` false only the name stays, for as long as there is a segment like it.
    """
    context = context_of(request)
    segment = await _segment(context, kind, segment_id)
    preference = {"name": body.name.strip(), "films": segment["typical"], "keep": body.keep}
    await name_segment(context, kind, segment, preference)
    return json_response(
        _segment_document(
            segment | {"name": preference["name"], "named": True, "kept": body.keep}, context
        )
    )


async def _segment_movies(
    context: Context, kind: Kind, segment_id: int, k: int, filters: Mapping[str, Any]
) -> RecommendReply | Failure:
    """Ask for the movies of a segment.

    Raises:
        NotFound: There is no such segment.
    """
    seconds = context.settings.deadline_ms / 1000
    call = movies_call(segment_movies_path(kind, segment_id), k, filters, seconds)
    return await fetch_segment_movies(context.models, call)


async def _segments(context: Context, kind: Kind) -> dict[str, Any]:
    return await fetch_segments(context.models, kind, context.settings.deadline_ms / 1000)


async def _segment(context: Context, kind: Kind, segment_id: int) -> dict[str, Any]:
    items: Iterable[dict[str, Any]] = (await _segments(context, kind))["items"]
    segment = next((item for item in items if item["id"] == segment_id), None)
    if segment is None:
        raise NotFound(f"there is no segment {segment_id} of {kind}")
    return segment


def _segment_document(segment: dict[str, Any], context: Context) -> dict[str, Any]:
    """Return the document of a segment, its first typical movies with titles."""
    rows = ((i, context.catalogue.get(i)) for i in segment["typical"][:MAX_TYPICAL])
    return segment | {"typical": [(row or Row.unknown(i)).summary() for i, row in rows]}
