"""Calls of the public API: every operation of the OpenAPI document, with a valid example each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

ANY_PATH: Mapping[str, str] = {
    "user_id": "1",
    "movie_id": "2",
    "kind": "movies",
    "segment_id": "0",
    "name": "content",
    "training_id": "20260101T000000-1",
    "entry_id": "rules-0-0-1",
    "receipt_id": "erasures-0-0-1",
}
"""Values of path parameters for calls that name none of their own.

Those of an entry and a receipt are of the right form; a system that stores them has others.
"""
MOVIES = range(2, 10)
"""The films of the system that is called; the last two may be removed."""


@dataclass(frozen=True)
class Example:
    """What a valid call of an operation consists of, beside what all calls share."""

    path: Mapping[str, str] = field(default_factory=dict)
    path_with_key: Mapping[str, str] = field(default_factory=dict)
    """Where the call with a key must not meet the one without."""
    query: str = ""
    body: Any = None


_RATING = {"type": "rating.added", "data": {"user_id": 2, "movie_id": 2, "rating": 4.0}}
_WRITTEN = {"user_id": "2"}
"""The viewer whose facts the calls change: those of the one who is read stay."""
EXAMPLES: Mapping[str, Example] = {
    "recommend": Example(query="?viewed=2&explain=true"),
    "recommend_session": Example(body={"ratings": [{"movie_id": 2, "rating": 5}]}),
    "recommend_batch": Example(body={"users": [1, 2], "k": 5}),
    "recommend_together": Example(body={"users": [1, 2], "k": 5}),
    "put_watchlist": Example(path=_WRITTEN),
    "delete_watchlist": Example(path=_WRITTEN),
    "predict": Example(body={"user_id": 1, "movie_ids": [2, 3]}),
    "put_rating": Example(path=_WRITTEN, body={"rating": 4.0}),
    "delete_rating": Example(path=_WRITTEN),
    "add_view": Example(path=_WRITTEN, body={"movie_id": 2}),
    "put_dismissed": Example(path=_WRITTEN),
    "delete_dismissed": Example(path=_WRITTEN),
    "erase_user": Example(path={"user_id": "9"}),
    "add_movie": Example(body={"title": "New", "genres": ["Drama"]}),
    "update_movie": Example(path={"movie_id": "5"}, body={"year": 1999}),
    "remove_movie": Example(path={"movie_id": "8"}, path_with_key={"movie_id": "9"}),
    "put_promotion": Example(path={"movie_id": "3"}, body={"weight": 1}),
    "delete_promotion": Example(path={"movie_id": "3"}),
    "put_block": Example(path={"movie_id": "4"}, body={"reason": "rights"}),
    "delete_block": Example(path={"movie_id": "4"}),
    "preview_rule": Example(body={"movie_id": 2, "promotion": {"weight": 1}, "users": [1]}),
    "put_segments": Example(body={"k": None}),
    "put_segment": Example(body={"name": "Space"}),
    "publish_events": Example(body={"events": [_RATING]}),
}
"""Operation → its example; one without required parameters or a body needs none."""


@dataclass(frozen=True)
class Values:
    """Values of path parameters, and others for the calls with a key."""

    path: Mapping[str, str] = field(default_factory=dict)
    path_with_key: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """One call.

    Attributes:
        operation: id in the document.
        method: of HTTP.
        template: path as in the document.
        path: with values and query.
        path_with_key: the same for the call with a key.
        body: JSON value, None without one.
        takes_key: whether it may carry an Idempotency-Key.
        is_read: whether it changes nothing.
    """

    operation: str
    method: str
    template: str
    path: str
    path_with_key: str
    body: Any
    takes_key: bool
    is_read: bool

    @property
    def name(self) -> str:
        """Name of the call in tables."""
        return f"{self.method} {self.template}"


def calls_of(document: Mapping[str, Any], values: Values | None = None) -> list[Call]:
    """Return a call of each operation of an OpenAPI document.

    Args:
        document: The document.
        values: Values of path parameters that the system has given.

    Raises:
        LookupError: An operation needs an example and has none, or an example has no operation.
    """
    calls = list(_calls(document, values or Values()))
    if unknown := EXAMPLES.keys() - {call.operation for call in calls}:
        raise LookupError(f"examples without an operation: {', '.join(sorted(unknown))}")
    return calls


def _calls(document: Mapping[str, Any], values: Values) -> Iterator[Call]:
    for template, operations in document["paths"].items():
        for method, operation in operations.items():
            yield _call(template, method.upper(), operation, values)


def _call(template: str, method: str, operation: Mapping[str, Any], values: Values) -> Call:
    name = operation["operationId"]
    example = EXAMPLES.get(name, Example())
    for parameter in operation.get("parameters", ()):
        is_in_path = parameter["in"] == "path" or f"{parameter['name']}=" in example.query
        if parameter.get("required") and not is_in_path:
            raise LookupError(f"no example of the parameter {parameter['name']} of {name}")
    if example.body is None and operation.get("requestBody", {}).get("required"):
        raise LookupError(f"no example of a body of {name}: add one to EXAMPLES")
    with_key = {**values.path, **values.path_with_key}
    names = {parameter["name"] for parameter in operation.get("parameters", ())}
    scopes = {scope for entry in operation.get("security", ()) for scope in entry["bearer"]}
    return Call(
        name,
        method,
        template,
        _filled(template, {**values.path, **example.path}) + example.query,
        _filled(template, {**with_key, **example.path, **example.path_with_key}) + example.query,
        example.body,
        "Idempotency-Key" in names,
        method == "GET" or scopes == {"read"},
    )


def _filled(template: str, values: Mapping[str, str]) -> str:
    try:
        return template.format_map({**ANY_PATH, **values})
    except KeyError as error:
        raise LookupError(f"no example of {error} in the path {template}") from None
