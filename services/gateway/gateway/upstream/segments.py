"""Client of segments: the user-model service knows them, the trainer knows their names."""

from collections.abc import Mapping
from typing import Any, Literal

from gateway.upstream.models import Call, Failure, Models, Reply, read_recommended
from marquee.domain.models import USER_MODEL
from marquee.domain.ratings import Ratings
from marquee.domain.recommendation import Scored
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
    if isinstance(reply, Failure):
        return reply
    if not reply.ok:
        return reply.failure(SERVICE)
    segment = reply.body.get("segment")
    return None if segment is None else int(segment)


async def fetch_segments(models: Models, kind: Kind, seconds: float) -> dict[str, Any]:
    """Return the segments of a kind with their names, and the number that operators fixed.

    Raises:
        ModelUnavailable: The user-model service gives no answer.
        NotFound: There is no model with such segments.
    """
    path = f"/internal/segments/{kind}"
    document = await call_user_model(models, Call("GET", path, None, seconds))
    segments = document["items"]
    query = [{"id": segment["id"], "films": segment["typical"]} for segment in segments]
    reply = await models.call(
        "trainer", Call("POST", f"{path}/names", {"segments": query}, NAMES_S)
    )
    names = reply.body if isinstance(reply, Reply) and reply.ok else {"names": {}, "k": None}
    items = [_with_name(segment, names) for segment in segments]
    return document | {"wanted": names["k"], "items": items}


async def fetch_segment_movies(
    models: Models, kind: Kind, segment: int, k: int, seconds: float
) -> tuple[str, tuple[Scored, ...]]:
    """Return the model's version and the movies for a segment, best first.

    Raises:
        ModelUnavailable: The user-model service gives no readable answer.
        NotFound: There is no such segment.
    """
    path = f"/internal/segments/{kind}/{segment}/films?k={k}"
    reply = read_recommended(await call_user_model(models, Call("GET", path, None, seconds)))
    if isinstance(reply, Failure):
        raise ModelUnavailable(reply.why)
    return reply.model_version, reply.items


async def call_user_model(models: Models, call: Call) -> dict[str, Any]:
    """Return the user-model service's answer.

    Raises:
        ModelUnavailable: It gives no answer, or refuses.
        NotFound: It answers 404.
    """
    reply = await models.call(SERVICE, call)
    if isinstance(reply, Failure):
        raise ModelUnavailable(reply.why)
    if reply.status == 404:
        raise NotFound(reply.body.get("detail", "there is no such segment"))
    if not reply.ok:
        raise ModelUnavailable(reply.failure(SERVICE).why)
    return dict(reply.body)


def _with_name(segment: Mapping[str, Any], names: Mapping[str, Any]) -> dict[str, Any]:
    name = names["names"].get(str(segment["id"]))
    pinned = segment["id"] in names.get("kept", ())
    return {**segment, "name": name or segment["name"], "named": name is not None, "kept": pinned}
