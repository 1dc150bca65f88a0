"""Content types of requests with a JSON body: read as what they are, or refused by name."""

from email.message import Message
from functools import lru_cache

from starlette.requests import Request

from gateway.http.problem_details import FieldError, WrongMediaType

JSON = "application/json"
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii"})


def media_type(request: Request) -> str:
    """Return the media type of a request's body, in lower case; empty without one.

    Raises:
        WrongMediaType: The body is in another encoding than UTF-8.
    """
    kind, charset = _parsed(request.headers.get("content-type", ""))
    if charset not in _CHARSETS:
        raise WrongMediaType([FieldError("Content-Type", "JSON is UTF-8: leave the charset out")])
    return kind


@lru_cache(64)
def _parsed(text: str) -> tuple[str, str]:
    """Return the media type and the charset of a header, in lower case."""
    header = Message()
    header["content-type"] = text
    kind = header.get_content_type() if "/" in text else ""
    return kind, str(header.get_param("charset", "utf-8")).lower()


def require_json(request: Request) -> None:
    """Check that a body, if there is any, comes as JSON.

    Raises:
        WrongMediaType: It does not.
    """
    if not has_body(request):
        return
    kind = media_type(request)
    if kind != JSON and not (kind.startswith("application/") and kind.endswith("+json")):
        raise WrongMediaType([FieldError("Content-Type", f"must be {JSON}")])


def has_body(request: Request) -> bool:
    """Return whether a request has a body, by its headers."""
    length = request.headers.get("content-length", "0")
    return length != "0" or "transfer-encoding" in request.headers
