"""`Idempotency-Key` around a call: the same key and request get one effect and the same answer."""

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
from gateway.http.json_body import JSON, media_type
from gateway.http.scopes import SCOPES, WITHOUT_IDEMPOTENCY_KEY
from marquee.access.scopes import Scope
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
    # Blanks around a header's value are no part of it.
    "schema": {"type": "string", "maxLength": MAX_LENGTH, "pattern": "^[!-~]([ -~]*[!-~])?$"},
}
_SCOPES = frozenset((Scope.WRITE, Scope.CURATE))


def takes_key(operation: str, methods: Collection[str]) -> bool:
    """Return whether an operation may carry a key: the writes that publish events."""
    is_write = "GET" not in methods and SCOPES[operation] in _SCOPES
    return is_write and operation not in WITHOUT_IDEMPOTENCY_KEY


def key_of(request: Request, taken: bool) -> str | None:
    """Return the key of a request, None without one.

    Raises:
        InvalidInput: The key is malformed, or the call takes none (`taken` is False).
    """
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
    """Return a request's idempotency data, None without a key."""
    idempotent_request: IdempotentRequest | None = getattr(
        request.state, "idempotent_request", None
    )
    return idempotent_request


async def idempotent(
    request: Request, key: str, handle: Callable[[Request], Awaitable[Response]]
) -> Response:
    """Handle a request with a key of its caller, or repeat the first one's stored response."""
    store: Idempotency = request.app.state.context.idempotency
    scope, body = request.scope, await request.body()
    query, form = scope["query_string"], form_of(request)
    fingerprint = fingerprint_of(request.method, scope["path"], query, body, form)
    idempotent_request = await store.begin(key, fingerprint)
    if isinstance(idempotent_request, StoredResponse):
        return _replayed(idempotent_request)
    request.state.idempotent_request = idempotent_request
    try:
        response = await handle(request)
    except Exception as error:
        if _had_no_effect(error):
            await store.release(idempotent_request)
        raise
    own = StoredResponse(response.status_code, bytes(response.body))
    stored = await store.finish(idempotent_request, own)
    return response if stored is own else _replayed(stored)


def form_of(request: Request) -> bytes:
    """Return what the headers of a request say of its body, nothing where it is plain JSON.

    Attributes of an event may be headers: with another type the same body is another event.
    """
    given = ((name, value) for name, value in request.headers.raw if name.startswith(b"ce-"))
    lines = [b"%s: %s" % header for header in sorted(given)]
    if (kind := media_type(request)) not in ("", JSON):
        lines.append(kind.encode())
    return b"\n".join(lines)


def _had_no_effect(error: Exception) -> bool:
    if isinstance(error, MarqueeError):
        return error.status < 500
    return isinstance(error, RequestValidationError | HTTPException)


def _replayed(stored: StoredResponse) -> Response:
    headers = {"Cache-Control": "no-store", "Idempotency-Replayed": "true"}
    return Response(stored.body, stored.status, headers, "application/json")
