"""`Idempotency-Key` around a call: the same key and request get the same answer, one effect."""

from collections.abc import Awaitable, Callable, Collection
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.http.idempotency_store import (
    Idempotency,
    IdempotentRequest,
    StoredResponse,
    fingerprint_of,
)
from gateway.http.scopes import Scope
from marquee.errors import InvalidInput, MarqueeError

HEADER = "Idempotency-Key"
MAX_LENGTH = 255
KEY_PARAMETER: dict[str, Any] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": (
        "A text of your choice, new for each write. The same key with the same request is answered"
        " as the first time (with `Idempotency-Replayed: true`) and takes effect once, for a day;"
        " the same key with another request is refused (`idempotency_key_reused`)."
    ),
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_LENGTH},
}
_SCOPES = frozenset((Scope.WRITE, Scope.CURATE))


def takes_key(methods: Collection[str], scope: Scope) -> bool:
    """Return whether a call may carry a key: those that change what the log holds."""
    return "GET" not in methods and scope in _SCOPES


def key_of(request: Request, taken: bool) -> str | None:
    """Return the key that a request carries; InvalidInput when it is none, or is not `taken`."""
    key = request.headers.get(HEADER)
    if key is None or (not taken and request.method == "GET"):
        return None
    if not taken:
        raise InvalidInput(f"{HEADER}: this call takes none; leave it out", HEADER)
    if not 1 <= len(key) <= MAX_LENGTH or not all(" " <= letter <= "~" for letter in key):
        raise InvalidInput(
            f"{HEADER}: must be 1 to {MAX_LENGTH} printable ASCII characters", HEADER
        )
    return key


def idempotent_request_of(request: Request) -> IdempotentRequest | None:
    """Return the attempt that a request is part of; None without a key."""
    idempotent_request: IdempotentRequest | None = getattr(
        request.state, "idempotent_request", None
    )
    return idempotent_request


async def idempotent(
    request: Request, key: str, handle: Callable[[Request], Awaitable[Response]]
) -> Response:
    """Handle a request with a key, or answer as it was answered before."""
    store: Idempotency = request.app.state.context.idempotency
    scope, body = request.scope, await request.body()
    fingerprint = fingerprint_of(request.method, scope["path"], scope["query_string"], body)
    begun = await store.begin(key, fingerprint)
    if isinstance(begun, StoredResponse):
        return _replayed(begun)
    request.state.idempotent_request = begun
    try:
        response = await handle(request)
    except Exception as error:
        if _had_no_effect(error):
            await store.release(begun)
        raise
    own = StoredResponse(response.status_code, bytes(response.body))
    kept = await store.finish(begun, own)
    return response if kept is own else _replayed(kept)


def _had_no_effect(error: Exception) -> bool:
    if isinstance(error, MarqueeError):
        return error.status < 500
    return isinstance(error, RequestValidationError | HTTPException)


def _replayed(kept: StoredResponse) -> Response:
    headers = {"Cache-Control": "no-store", "Idempotency-Replayed": "true"}
    return Response(kept.body, kept.status, headers, "application/json")
