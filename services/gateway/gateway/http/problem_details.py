"""Problem details (RFC 9457): every error with a stable code and the fields that are wrong."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from marquee.errors import InvalidInput, MarqueeError, Unavailable

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 1

CODES: Mapping[str, tuple[int, str, str]] = {
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
    "unreadable_event": (422, "Not an event", "The message is none of the published events."),
    "not_found": (404, "Not found", "What the address names does not exist."),
    "method_not_allowed": (405, "Method not allowed", "The address has other methods."),
    "idempotency_key_reused": (
        422,
        "The key was used before",
        "The Idempotency-Key came with another request before; a new request needs a new key.",
    ),
    "conflict": (409, "Conflict", "The request contradicts the present state."),
    "too_large": (413, "Too large", "The body is larger than the limit."),
    "forbidden": (403, "Forbidden", "The caller lacks the scope that this call needs."),
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

_STATUS_CODES = {
    400: "unreadable_body",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    422: "invalid_input",
    503: "unavailable",
}


@dataclass(frozen=True)
class FieldError:
    """Error of one field, with the allowed values where they are few."""

    field: str
    detail: str
    allowed: Sequence[Any] | None = None

    def document(self) -> dict[str, Any]:
        """Return the error as the API shows it."""
        document: dict[str, Any] = {"field": self.field, "detail": self.detail}
        return document | ({"allowed": list(self.allowed)} if self.allowed is not None else {})


class InvalidFields(InvalidInput):
    """Fields are wrong; `errors` holds all of them."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{e.field}: {e.detail}" for e in errors))
        self.errors = tuple(errors)


def unknown_field(name: str, known: Iterable[str], what: str) -> FieldError:
    """Return the error of an unknown parameter or field, with the nearest known one."""
    names = sorted(known)
    nearest = difflib.get_close_matches(name, names, 1, 0.5)
    hint = f"; did you mean {nearest[0]}?" if nearest else ""
    return FieldError(name, f"unknown {what}{hint}", names)


def problem(
    code: str,
    detail: str,
    errors: Sequence[FieldError] = (),
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the response that reports a problem."""
    default_status, title, _ = CODES[code]
    status = status or default_status
    body: dict[str, Any] = {
        "type": f"/problems/{code}",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
    }
    if errors:
        body["errors"] = [error.document() for error in errors]
    headers = dict(headers or {})
    if status == 503:
        headers.setdefault("Retry-After", str(RETRY_AFTER_S))
    return Response(orjson.dumps(body), status, headers, MEDIA_TYPE)


async def on_marquee_error(_: Request, error: Exception) -> Response:
    """Report a `MarqueeError`."""
    assert isinstance(error, MarqueeError)
    if isinstance(error, InvalidFields):
        return problem("invalid_input", str(error), error.errors)
    if isinstance(error, InvalidInput):
        errors = [FieldError(error.field, str(error))] if error.field else []
        code = error.code if error.code in CODES else "invalid_input"
        return problem(code, str(error), errors)
    code = error.code if error.code in CODES else "internal"
    if code == "internal" and isinstance(error, Unavailable):
        code = "unavailable"
    return problem(code, str(error) if code != "internal" else CODES[code][2])


async def on_invalid_request(_: Request, error: Exception) -> Response:
    """Report parameters or a body that do not validate."""
    assert isinstance(error, RequestValidationError)
    faults = error.errors()
    if any(fault["type"] == "json_invalid" for fault in faults):
        return problem("unreadable_body", "The body is not valid JSON.")
    errors = [_field_error(fault) for fault in faults]
    return problem("invalid_input", "; ".join(f"{e.field}: {e.detail}" for e in errors), errors)


async def on_http_error(_: Request, error: Exception) -> Response:
    """Report a refusal of the framework: unknown address, wrong method, large body."""
    assert isinstance(error, HTTPException)
    code = _STATUS_CODES.get(error.status_code, "internal")
    return problem(code, str(error.detail), (), error.status_code, error.headers)


async def on_fault(_: Request, __: Exception) -> Response:
    """Report an unexpected fault without its details."""
    return problem("internal", CODES["internal"][2])


def _field_error(error: Mapping[str, Any]) -> FieldError:
    *_, last = error["loc"] or ("body",)
    path = [str(part) for part in error["loc"][1:]] or [str(last)]
    context = error.get("ctx") or {}
    if error["type"] == "unknown_field":
        return unknown_field(context["name"], context["known"], "field")
    detail = str(error["msg"]).removeprefix("Value error, ")
    return FieldError(".".join(path), detail[:1].lower() + detail[1:], context.get("allowed"))
