"""Codes of problems: the status, title and meaning of each."""

from collections.abc import Mapping
from typing import Final

CODES: Final[Mapping[str, tuple[int, str, str]]] = {
    "invalid_input": (
        422,
        "The request is not valid",
        "A value is missing, wrong or unknown; `errors` names each.",
    ),
    "unreadable_body": (
        400,
        "The body is not JSON",
        "The request's body cannot be read as JSON.",
    ),
    "unreadable_request": (
        400,
        "The request is not HTTP",
        "The request line or a header cannot be read.",
    ),
    "address_too_long": (
        414,
        "The address is too long",
        "The address with its query is longer than the limit; send lists in the body of a POST.",
    ),
    "headers_too_large": (
        431,
        "The headers are too large",
        "There are more headers, or larger ones, than the limit.",
    ),
    "unsupported_media_type": (
        415,
        "The body is of another type",
        "The call takes bodies of other types; `errors` names them.",
    ),
    "unreadable_event": (422, "Not an event", "The message is none of the published events."),
    "not_found": (404, "Not found", "What the address names does not exist."),
    "method_not_allowed": (405, "Method not allowed", "The address has other methods."),
    "idempotency_key_reused": (
        422,
        "The key was used before",
        "The Idempotency-Key came with another request before; a new request needs a new key.",
    ),
    "conflict": (409, "Conflict", "The request contradicts the present state."),
    "id_collision": (
        409,
        "The id cannot be told from another",
        "The id has the same number inside as another one; give it another text.",
    ),
    "too_large": (413, "Too large", "The body is larger than the limit."),
    "unauthorized": (
        401,
        "No valid key",
        "The call needs a key or a viewer's token that is valid, in the header Authorization.",
    ),
    "rate_limited": (
        429,
        "Too many requests",
        "The caller is above its rate; `Retry-After` says when the next request is taken.",
    ),
    "too_many_events": (
        429,
        "Too many events of one viewer",
        "One viewer has more events than the rule allows; `Retry-After` says when to send again.",
    ),
    "forbidden": (403, "Forbidden", "The caller lacks the scope that this call needs."),
    "too_slow": (
        408,
        "Too slow",
        "The request did not arrive in time; send it again.",
    ),
    "overloaded": (
        503,
        "Too busy",
        "As many requests as the gateway takes on are under way; try again in a moment.",
    ),
    "too_many_followers": (
        503,
        "Too many followers",
        "As many connections as may be follow lists already; connect again, or ask now and then.",
    ),
    "unavailable": (
        503,
        "Not available",
        "Something that the call needs does not answer; try again later.",
    ),
    "bus_unavailable": (
        503,
        "Event bus not available",
        "The write was not acknowledged; send it again later.",
    ),
    "store_unavailable": (
        503,
        "Store not available",
        "The store does not answer; try again later.",
    ),
    "model_unavailable": (
        503,
        "Model not available",
        "No model answers this call now; try again later.",
    ),
    "internal": (
        500,
        "Internal error",
        "The fault is the server's; its log has the details.",
    ),
}
"""Code → status, title and meaning."""

CODE_OF_STATUS: Final = {
    400: "unreadable_body",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "too_slow",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid_input",
    429: "rate_limited",
    503: "unavailable",
}
"""Status → code where the framework names none."""
