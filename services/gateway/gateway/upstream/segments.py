"""Segments as the gateway asks for them: of the user-model service, their names of the trainer."""

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
"""Seconds for the trainer's names; without them segments go by their generated names."""


async def fetch_user_segment(
    models: Models, facts: Ratings, seconds: float
) -> int | Failure | None:
    """Return the segment of a user by what he rated; None when he is in none. Never raises."""
    if not facts.positive:
        return None
    ratings = [(movie_id, half / 2) for movie_id, half in facts.rated.items()]
    call = Call("POST", "/internal/segment", {"ratings": ratings}, seconds)
    reply = await models.call(SERVICE, call)
    if isinstance(reply, Failure):
        return reply
    if not reply.ok:
        return reply.failure(SERVICE)
    segment = reply.body.get("segment")
    return None if segment is None else int(segment)


async def fetch_segments(models: Models, kind: Kind, seconds: float) -> dict[str, Any]:
    """Return the segments of a kind with their names, and how many are wanted."""
    found = await call_user_model(models, Call("GET", f"/internal/segments/{kind}", None, seconds))
    items = found["items"]
    known = [{"id": one["id"], "films": one["typical"]} for one in items]
    path = f"/internal/segments/{kind}/names"
    reply = await models.call("trainer", Call("POST", path, {"segments": known}, NAMES_S))
    kept = reply.body if isinstance(reply, Reply) and reply.ok else {"names": {}, "k": None}
    return found | {"wanted": kept["k"], "items": [_named(one, kept) for one in items]}


async def fetch_segment_movies(
    models: Models, kind: Kind, segment: int, k: int, seconds: float
) -> tuple[str, tuple[Scored, ...]]:
    """Return the model's version and the movies for a segment, best first."""
    path = f"/internal/segments/{kind}/{segment}/films?k={k}"
    found = read_recommended(await call_user_model(models, Call("GET", path, None, seconds)))
    if isinstance(found, Failure):
        raise ModelUnavailable(found.why)
    return found.model_version, found.items


async def call_user_model(models: Models, call: Call) -> dict[str, Any]:
    """Return what the user-model service answers; its refusals as errors."""
    reply = await models.call(SERVICE, call)
    if isinstance(reply, Failure):
        raise ModelUnavailable(reply.why)
    if reply.status == 404:
        raise NotFound(reply.body.get("detail", "there is no such segment"))
    if not reply.ok:
        raise ModelUnavailable(reply.failure(SERVICE).why)
    return dict(reply.body)


def _named(segment: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    given = said["names"].get(str(segment["id"]))
    kept = segment["id"] in said.get("kept", ())
    return {**segment, "name": given or segment["name"], "named": given is not None, "kept": kept}
