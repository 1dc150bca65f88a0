"""Errors as clients see them: RFC 9457 problems with a stable code, naming the field."""

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
"""Every code: status, title, and what it means."""

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
    """What is wrong with one field, and what is allowed instead where that is a short list."""

    field: str
    detail: str
    allowed: Sequence[Any] | None = None

    def document(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        shown: dict[str, Any] = {"field": self.field, "detail": self.detail}
        return shown | ({"allowed": list(self.allowed)} if self.allowed is not None else {})


class InvalidFields(InvalidInput):
    """Several fields are wrong at once."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{e.field}: {e.detail}" for e in errors))
        self.errors = tuple(errors)


def unknown_field(name: str, known: Iterable[str], what: str) -> FieldError:
    """Return the error of an unknown parameter or field, with the nearest known one."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, 1, 0.5)
    hint = f"; did you mean {near[0]}?" if near else ""
    return FieldError(name, f"unknown {what}{hint}", names)


def problem(
    code: str,
    detail: str,
    errors: Sequence[FieldError] = (),
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the response that reports a problem."""
    usual, title, _ = CODES[code]
    status = status or usual
    body: dict[str, Any] = {
        "type": f"/problems/{code}",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
    }
    if errors:
        body["errors"] = [error.document() for error in errors]
    sent = dict(headers or {})
    if status == 503:
        sent.setdefault("Retry-After", str(RETRY_AFTER_S))
    return Response(orjson.dumps(body), status, sent, MEDIA_TYPE)


async def on_marquee_error(_: Request, error: Exception) -> Response:
    """Report an error that was raised on purpose."""
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
    """Report what FastAPI found wrong with parameters or the body."""
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if any(e["type"] == "json_invalid" for e in found):
        return problem("unreadable_body", "The body is not valid JSON.")
    errors = [_field_error(e) for e in found]
    return problem("invalid_input", "; ".join(f"{e.field}: {e.detail}" for e in errors), errors)


async def on_http_error(_: Request, error: Exception) -> Response:
    """Report what the framework refused: an unknown address, a wrong method, a large body."""
    assert isinstance(error, HTTPException)
    code = _STATUS_CODES.get(error.status_code, "internal")
    return problem(code, str(error.detail), (), error.status_code, error.headers)


async def on_fault(_: Request, __: Exception) -> Response:
    """Report a fault of ours without its details."""
    return problem("internal", CODES["internal"][2])


def _field_error(error: Mapping[str, Any]) -> FieldError:
    *_, last = error["loc"] or ("body",)
    path = [str(part) for part in error["loc"][1:]] or [str(last)]
    context = error.get("ctx") or {}
    if error["type"] == "unknown_field":
        return unknown_field(context["name"], context["known"], "field")
    detail = str(error["msg"]).removeprefix("Value error, ")
    return FieldError(".".join(path), detail[:1].lower() + detail[1:], context.get("allowed"))
