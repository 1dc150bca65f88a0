"""Comparison of events with what was sent, and the spans in which a movie was surely blocked."""

import collections
import json
from typing import Any


def among(event: dict[str, Any], writes: list[dict[str, Any]]) -> bool:
    """Return whether an event matches one of these writes; each accounts for one event."""
    for i, write in enumerate(writes):
        if says(event, write):
            del writes[i]
            return True
    return False


def says(event: dict[str, Any], write: dict[str, Any]) -> bool:
    data = plain(event["data"])
    return bool(event["type"] == write["type"] and plain(write["data"]).items() <= data.items())


def plain(data: dict[str, Any]) -> dict[str, Any]:
    """Return data that can be compared as items: without containers."""
    return {k: json.dumps(v) if isinstance(v, list | dict) else v for k, v in data.items()}


def movie_of(movie: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if movie is None else movie | {"genres": sorted(movie["genres"])}


def blocked(writes: list[dict[str, Any]]) -> dict[int, list[tuple[float, float]]]:
    """Return the spans in which each movie was certainly blocked: accepted, and no end sent yet.

    After an end with an unknown outcome nothing is certain about the movie.
    """
    found: dict[int, list[tuple[float, float]]] = collections.defaultdict(list)
    unsure: set[int] = set()
    since: dict[int, float] = {}
    for write in sorted(writes, key=lambda write: float(write["began"])):
        movie = write["data"].get("movie_id", 0)
        if write["type"] == "movie.blocked" and write["holds"] and movie not in unsure:
            since.setdefault(movie, write["ended"])
        elif write["type"] == "movie.unblocked":
            if movie in since:
                found[movie].append((since.pop(movie), write["began"]))
            if write["outcome"] == "unknown":
                unsure.add(movie)
    for movie, start in since.items():
        found[movie].append((start, float("inf")))
    return found
