"""Validators of answers: entity tags of reads, and 304 where the caller has the answer already."""

import base64
import hashlib
import re
from collections.abc import Collection
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.http.scopes import SCOPES
from marquee.access.scopes import Scope

CACHE_CONTROL: Final = "private, no-cache"
"""The caller may keep the answer, for itself, and asks each time whether it still holds."""
_NEVER_KEPT: Final = frozenset({"export_user", "follow_user"})
"""Reads that no cache may keep: all that is known of a viewer, and what waits for a change."""
_KEPT_TOO: Final = frozenset({"list_promotions", "list_blocks", "openapi"})
"""Calls of other scopes whose answers may be kept."""
# In JSON text a quote within a string is escaped: this is a key, wherever it stands.
_ID_OF_ANSWER: Final = re.compile(rb'"recommendation_id":"[^"]*"')
_TAG: Final = re.compile(r'(?:W/)?("[^"]*")')


def is_revalidated(operation: str, methods: Collection[str]) -> bool:
    """Return whether a call's answers have an entity tag: lists, films, what is read of viewers."""
    is_kept = SCOPES[operation] is Scope.READ or operation in _KEPT_TOO
    return "GET" in methods and is_kept and operation not in _NEVER_KEPT


def entity_tag(body: bytes) -> str:
    """Return the tag of an answer: another one as soon as anything differs that a viewer may see.

    It is weak: equal answers differ in the id of the recommendation, and in their coding.
    """
    digest = hashlib.blake2b(_ID_OF_ANSWER.sub(b"", body), digest_size=12).digest()
    return f'W/"{base64.urlsafe_b64encode(digest).decode()}"'


def has_tag(header: str, tag: str) -> bool:
    """Return whether the header If-None-Match names a tag, by the weak comparison of RFC 9110."""
    return header.strip() == "*" or tag.removeprefix("W/") in _TAG.findall(header)


def validated(request: Request, response: Response) -> Response:
    """Return a read's response with its tag; 304 where the caller named it."""
    body = getattr(response, "body", None)
    if response.status_code != 200 or not isinstance(body, bytes):
        return response
    tag = entity_tag(body)
    asked = request.headers.get("if-none-match")
    if asked is not None and has_tag(asked, tag):
        return Response(status_code=304, headers={"ETag": tag, "Cache-Control": CACHE_CONTROL})
    response.headers["ETag"] = tag
    response.headers["Cache-Control"] = CACHE_CONTROL
    return response
