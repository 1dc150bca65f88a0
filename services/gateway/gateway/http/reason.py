"""The reason of a call, for the audit: one optional parameter of the query, for all calls."""

from collections.abc import Collection
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request

from gateway.http.problem_details import FieldError, InvalidFields
from gateway.http.scopes import SCOPES, WITHOUT_EFFECT
from marquee.access.scopes import Scope
from marquee.audit.entries import REASON

NAME = "reason"
_REASON: TypeAdapter[str] = TypeAdapter(Annotated[str, REASON])
_AUDITED = frozenset((Scope.CURATE, Scope.OPERATE))
PARAMETER: dict[str, Any] = {
    "name": NAME,
    "in": "query",
    "required": False,
    "description": (
        "Why, in words; the audit keeps it with who asked and when. Name no viewer in it. A body"
        " that has a `reason` of its own needs none here."
    ),
    "schema": _REASON.json_schema(),
}


def takes_reason(operation: str, methods: Collection[str]) -> bool:
    """Return whether the audit keeps an operation: what curators and operators change."""
    changes = "GET" not in methods and operation not in WITHOUT_EFFECT
    return changes and SCOPES[operation] in _AUDITED


def reason_of(request: Request) -> str:
    """Return the reason that the call gives, empty where it gives none.

    Raises:
        InvalidFields: It is none: too long, empty, or with characters that cannot be shown.
    """
    given = request.query_params.getlist(NAME)
    if not given:
        return ""
    try:
        return _REASON.validate_python(given[-1])
    except ValidationError as error:
        raise InvalidFields([FieldError(NAME, error.errors()[0]["msg"])]) from None
