"""Calls of several lists at once: the films like each of some, and those of a viewer's segment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.upstream.models import Call, Failure, Models, read_recommended
from marquee.domain.models import CONTENT, USER_MODEL
from marquee.domain.ratings import Ratings
from marquee.domain.recommendation import Scored


@dataclass(frozen=True)
class SegmentMovies:
    """The segment of a viewer (None: in none), and the movies for it, best first."""

    segment: int | None
    items: tuple[Scored, ...] = ()


async def fetch_similar_to_each(
    models: Models, movie_ids: Sequence[int], k: int, filters: Mapping[str, Any], seconds: float
) -> dict[int, tuple[Scored, ...]] | Failure:
    """Return the movies most like each of some movies, by its id; never raises."""
    body = {**filters, "movie_ids": list(movie_ids), "k": k}
    reply = await models.call(CONTENT.name, Call("POST", "/internal/films/similar", body, seconds))
    if isinstance(reply, Failure):
        return reply
    if not reply.ok:
        return reply.failure(CONTENT.name)
    lists: dict[int, tuple[Scored, ...]] = {}
    try:
        for one in reply.body["lists"]:
            read = read_recommended({**one, "model_version": reply.body["model_version"]})
            if isinstance(read, Failure):
                return read
            lists[int(one["movie_id"])] = read.items
    except (KeyError, TypeError, ValueError) as error:
        return Failure(f"{CONTENT.name} answered what cannot be read: {error!r}")
    return lists


async def fetch_segment_of(
    models: Models, facts: Ratings, k: int, filters: Mapping[str, Any], seconds: float
) -> SegmentMovies | Failure:
    """Return the segment of a viewer with the movies for it; never raises."""
    ratings = [(movie_id, half_stars / 2) for movie_id, half_stars in facts.rated.items()]
    body = {"ratings": ratings, "films": {**filters, "k": k}}
    reply = await models.call(USER_MODEL.name, Call("POST", "/internal/segment", body, seconds))
    if isinstance(reply, Failure):
        return reply
    if not reply.ok:
        return reply.failure(USER_MODEL.name)
    read = read_recommended(reply.body)
    if isinstance(read, Failure):
        return read
    segment = reply.body.get("segment")
    return SegmentMovies(segment if type(segment) is int else None, read.items)
