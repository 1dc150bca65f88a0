"""What the OpenAPI document says of access: the scheme, and the scope of each call."""

from typing import Any, Final

from marquee.access.scopes import Scope

SCHEME: Final = "bearer"
SCHEMES: Final[dict[str, Any]] = {
    SCHEME: {
        "type": "http",
        "scheme": "bearer",
        "description": (
            "A key of `marquee keys create`, whose scopes are `read`, `write`, `curate` and"
            " `operate`; or, for the calls of one viewer, a token of"
            " `POST /v1/users/{user_id}/tokens`. Under `MARQUEE_AUTH=open` neither is needed."
        ),
    }
}


def security_of(scope: Scope) -> dict[str, Any]:
    """Return the entries of an operation that name its scope, none where it is for everyone."""
    return {} if scope is Scope.OPEN else {"security": [{SCHEME: [scope.value]}]}
