"""One example of each event type for the contract; the tests publish and apply all of them."""

from collections.abc import Mapping
from typing import Any

_MOVIE = {
    "movie_id": 900001,
    "title": "A New Film",
    "year": 2026,
    "genres": ["Drama", "Crime"],
    "tags": {"prison": 0.9},
}
_PAIR = {"user_id": 4242, "movie_id": 900001}
_CHOICE = {"actor": "ann@example.org"}
_VERSION = {
    "name": "content",
    "version": "20260102T030405-0badc0de",
    "address": "registry/content/20260102T030405-0badc0de",
    "sha256": "0badc0de" * 8,
    "cut": {"movies:0": 120, "ratings:0": 5301},
}
_DATA: Mapping[str, dict[str, Any]] = {
    "movie.added": _MOVIE,
    "movie.updated": {"movie_id": 900001, "tags": {"prison": 0.7, "heist": 0.4}},
    "movie.removed": {"movie_id": 900001},
    "movie.promoted": {
        "movie_id": 900001,
        "weight": 5.0,
        "slots": [2],
        "genres": ["Drama"],
        "segments": [],
        "from": "2026-01-02T00:00:00Z",
        "until": "2026-02-02T00:00:00Z",
        "reason": "premiere",
    }
    | _CHOICE,
    "movie.unpromoted": {"movie_id": 900001} | _CHOICE,
    "movie.blocked": {"movie_id": 900001, "reason": "rights ended", "until": None} | _CHOICE,
    "movie.unblocked": {"movie_id": 900001} | _CHOICE,
    "rating.added": _PAIR | {"rating": 4.5, "recommendation_id": None},
    "rating.removed": _PAIR,
    "movie.viewed": _PAIR | {"recommendation_id": "r-7d1c"},
    "movie.dismissed": _PAIR,
    "movie.restored": _PAIR,
    "user.erased": {"user_id": 4242},
    "model.published": _VERSION,
    "model.rolled_back": _VERSION,
    "watchlist.added": _PAIR | {"recommendation_id": "r-7d1c"},
    "watchlist.removed": _PAIR,
}

EXAMPLES: Mapping[str, dict[str, Any]] = {
    name: {
        "specversion": "1.0",
        "id": f"example-{number}",
        "source": "shop",
        "time": "2026-01-02T03:04:05Z",
        "datacontenttype": "application/json",
        "type": name,
        "data": data,
    }
    for number, (name, data) in enumerate(_DATA.items(), 1)
}
"""Event type → an event as a producer sends it."""
