"""What the OpenAPI document says of errors: which problems each call can answer, and their form."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from gateway.http.problem_codes import CODES
from gateway.http.problem_details import MEDIA_TYPE
from gateway.http.scopes import SCOPES
from marquee.access.scopes import Scope

SCHEMA_NAME: Final = "Problem"
PROBLEM: Final[dict[str, Any]] = {
    "title": SCHEMA_NAME,
    "description": "A problem document (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "description": "Address of the meaning of the code."},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "code": {"type": "string", "enum": sorted(CODES)},
        "detail": {"type": "string", "description": "What is wrong, and what helps."},
        "errors": {
            "type": "array",
            "description": "Each field that is wrong.",
            "items": {
                "type": "object",
                "required": ["field", "detail"],
                "properties": {
                    "field": {"type": "string"},
                    "detail": {"type": "string"},
                    "allowed": {"type": "array", "items": {}},
                },
            },
        },
        "items": {
            "type": "array",
            "description": "What became of each event of a call.",
            "items": {"type": "object"},
        },
    },
}

_FILM: Final = (404, 409)
"""A film that is not there, or whose id cannot be told from another one's (or a full history)."""
_OWN: Final[Mapping[str, tuple[int, ...]]] = {
    "get_movie": _FILM,
    "list_similar_movies": _FILM,
    "put_rating": _FILM,
    "add_view": _FILM,
    "put_dismissed": _FILM,
    "put_watchlist": _FILM,
    **dict.fromkeys(
        ("recommend_user", "recommend_together", "list_shelves", "follow_user", "predict"), (409,)
    ),
    **dict.fromkeys(("get_user", "export_user", "list_ratings", "list_watchlist"), (409,)),
    "add_movie": (409,),
    "update_movie": _FILM,
    "remove_movie": _FILM,
    "put_promotion": _FILM,
    "put_block": _FILM,
    "publish_events": (409,),
    "preview_rule": _FILM,
    "get_audit": (404,),
    "revert_audit": (404, 409),
    "get_erasure": (404,),
    "issue_token": (409,),
    "get_segment": (404,),
    "recommend_segment": (404,),
    "put_segment": (404, 409),
    "rollback_model": (404, 409),
    "start_training": (409,),
    "get_training": (404,),
}
"""Operation → statuses of its own, beside those that follow from its form."""
_PROBES: Final = frozenset({"live", "ready"})

_RETRY_AFTER: Final = {
    "Retry-After": {
        "description": "Seconds after which to try again.",
        "schema": {"type": "integer", "minimum": 0},
    }
}
_RATE_LIMIT: Final = {
    "RateLimit-Policy": {
        "description": "The caller's rate, if it has one: requests `q` in `w` seconds.",
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": "Requests left, and seconds until all of the rate is there again.",
        "schema": {"type": "string"},
    },
}
_HEADERS: Final[Mapping[int, Mapping[str, Any]]] = {
    401: {
        "WWW-Authenticate": {
            "description": "The scheme: `Bearer`.",
            "schema": {"type": "string"},
        }
    },
    429: {**_RETRY_AFTER, **_RATE_LIMIT},
    503: _RETRY_AFTER,
}


def describe_problems(document: dict[str, Any]) -> None:
    """Add to an OpenAPI document the problems that each operation can answer."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas[SCHEMA_NAME] = PROBLEM
    for operation in _operations(document):
        name, responses = operation["operationId"], operation["responses"]
        if SCOPES[name] is not Scope.OPEN:
            for status, response in responses.items():
                if status.startswith("2"):
                    response["headers"] = response.get("headers", {}) | _RATE_LIMIT
        for status in sorted(statuses_of(name, "requestBody" in operation)):
            if name != "ready" or status != 503:
                responses[str(status)] = _response(status)
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)


def statuses_of(operation: str, has_body: bool) -> frozenset[int]:
    """Return the statuses of the problems that an operation can answer."""
    # The server answers a long address and large headers, whatever the call.
    found = {414, 422, 431, *_OWN.get(operation, ())}
    if operation not in _PROBES:
        found.add(503)
    if SCOPES[operation] is not Scope.OPEN:
        found |= {401, 403, 429}
    if SCOPES[operation] is Scope.OPERATE:
        # The trainer's own faults, as the gateway tells them.
        found.add(502)
    if has_body:
        found |= {400, 408, 413, 415}
    return frozenset(found)


def _operations(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from path.values()


def _response(status: int) -> dict[str, Any]:
    codes = sorted(code for code, (default, *_) in CODES.items() if default == status)
    described = {
        "description": "; ".join(f"`{code}`: {CODES[code][2]}" for code in codes)
        or "A service behind the gateway has failed.",
        "content": {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{SCHEMA_NAME}"}}},
    }
    headers = _HEADERS.get(status)
    return described | ({"headers": dict(headers)} if headers else {})
