"""Client of segments: the user-model service knows them, the trainer knows their names."""

from typing import Any, Literal

from gateway.upstream.models import (
    Call,
    Failure,
    Models,
    RecommendReply,
    Reply,
    read_recommended,
)
from gateway.upstream.replies import (
    Segment,
    SegmentNames,
    Segments,
    UserSegment,
    read_reply,
)
from marquee.domain.models import USER_MODEL
from marquee.domain.ratings import Ratings
from marquee.errors import ModelUnavailable, NotFound

Kind = Literal["movies", "users"]
SERVICE = USER_MODEL.name
NAMES_S = 0.5
"""Seconds to wait for the trainer's names; without them segments keep their generated ones."""


async def fetch_user_segment(
    models: Models, facts: Ratings, seconds: float
) -> int | Failure | None:
    """Return the segment of a user by their ratings, None when they are in none; never raises."""
    if not facts.positive:
        return None
    ratings = [(movie_id, half_stars / 2) for movie_id, half_stars in facts.rated.items()]
    call = Call("POST", "/internal/segment", {"ratings": ratings}, seconds)
    reply = await models.call(SERVICE, call)
    document = read_reply(SERVICE, reply, UserSegment)
    return document if isinstance(document, Failure) else document.segment


async def fetch_segments(models: Models, kind: Kind, seconds: float) -> dict[str, Any]:
    """Return the segments of a kind with their names, and the number that operators fixed.

    Raises:
        ModelUnavailable: The user-model service gives no answer.
        NotFound: There is no model with such segments.
    """
    path = f"/internal/segments/{kind}"
    reply = await call_user_model(models, Call("GET", path, None, seconds))
    document = read_reply(SERVICE, reply, Segments)
    if isinstance(document, Failure):
        raise ModelUnavailable(document.why)
    query = [{"id": segment.id, "films": segment.typical} for segment in document.items]
    reply = await models.call(
        "trainer", Call("POST", f"{path}/names", {"segments": query}, NAMES_S)
    )
    stored = read_reply("trainer", reply, SegmentNames)
    names = SegmentNames() if isinstance(stored, Failure) else stored
    items = [_with_name(segment, names) for segment in document.items]
    return document.model_dump() | {"wanted": names.k, "items": items}


def segment_movies_path(kind: Kind, segment: int) -> str:
    """Return the path of the movies for a segment."""
    return f"/internal/segments/{kind}/{segment}/films"


async def fetch_segment_movies(models: Models, call: Call) -> RecommendReply | Failure:
    """Return the movies that a call for those of a segment gives, best first.

    Raises:
        NotFound: There is no such segment.
    """
    reply = await call_user_model(models, call)
    if isinstance(reply, Failure):
        return reply
    return read_recommended(reply.body) if reply.ok else reply.failure(SERVICE)


async def call_user_model(models: Models, call: Call) -> Reply | Failure:
    """Return the user-model service's reply.

    Raises:
        NotFound: It knows the call, and nothing of that name.
    """
    reply = await models.call(SERVICE, call)
    if isinstance(reply, Reply) and reply.names_nothing:
        raise NotFound(str(reply.body.get("detail", "there is no such segment")))
    return reply


def _with_name(segment: Segment, names: SegmentNames) -> dict[str, Any]:
    name = names.names.get(str(segment.id))
    pinned = segment.id in names.kept
    described = {"name": name or segment.name, "named": name is not None, "kept": pinned}
    return segment.model_dump() | described
