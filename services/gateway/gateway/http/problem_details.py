"""Problem details (RFC 9457): every error with a stable code and the fields that are wrong."""

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.http.problem_codes import CODE_OF_STATUS, CODES
from gateway.http.web.methods import allowed_methods, is_head
from marquee.errors import (
    InvalidInput,
    MarqueeError,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 1

_MAX_TEXT, _MAX_DETAIL = 300, 4000
"""Letters of a field's name or fault, and of the detail, that an answer repeats of a request."""
_NO_OBJECT = frozenset({"dict_type", "model_type", "model_attributes_type"})
"""Types of the error that a body is no JSON object."""

MAX_TOLD = 20
"""Faults of one request that an answer names: the first ones are enough to mend it."""


@dataclass(frozen=True)
class FieldError:
    """Error of one field, with the allowed values where they are few."""

    field: str
    detail: str
    allowed: Sequence[Any] | None = None

    def document(self) -> dict[str, Any]:
        """Return the error as the API shows it."""
        document: dict[str, Any] = {"field": told(self.field), "detail": told(self.detail)}
        return document | ({"allowed": list(self.allowed)} if self.allowed is not None else {})


class InvalidFields(InvalidInput):
    """Fields are wrong; `errors` holds all of them."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{e.field}: {e.detail}" for e in errors))
        self.errors = tuple(errors)


class WrongMediaType(InvalidFields):
    """The body is of a type that the call does not take."""

    status = 415
    code = "unsupported_media_type"


class NothingAccepted(InvalidInput):
    """Each of several items is rejected; `items` tells why, one by one."""

    def __init__(self, detail: str, items: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(detail)
        self.items = tuple(items)


def unknown_field(name: str, known: Iterable[str], what: str) -> FieldError:
    """Return the error of an unknown parameter or field, with the nearest known one."""
    names = sorted(known)
    nearest = difflib.get_close_matches(name, names, 1, 0.5)
    hint = f"; did you mean {nearest[0]}?" if nearest else ""
    return FieldError(name or '""', f"unknown {what}{hint}", names)


def told(text: str, most: int = _MAX_TEXT) -> str:
    """Return what may repeat a part of a request: cut, and half of a surrogate pair escaped."""
    text = text if len(text) <= most else f"{text[:most]}…"
    return text.encode("utf-8", "backslashreplace").decode()


def problem(
    code: str,
    detail: str,
    errors: Sequence[FieldError] = (),
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    items: Sequence[Mapping[str, Any]] = (),
) -> Response:
    """Return the response that reports a problem, of several items too."""
    default_status, title, _ = CODES[code]
    status = status or default_status
    body: dict[str, Any] = {
        "type": f"/problems/{code}",
        "title": title,
        "status": status,
        "code": code,
        "detail": told(detail, _MAX_DETAIL),
    }
    if errors:
        body["errors"] = [error.document() for error in errors]
    if items:
        body["items"] = items
    headers = dict(headers or {})
    if status == 503:
        headers.setdefault("Retry-After", str(RETRY_AFTER_S))
    return Response(orjson.dumps(body), status, headers, MEDIA_TYPE)


async def on_marquee_error(request: Request, error: Exception) -> Response:
    """Report a `MarqueeError`."""
    assert isinstance(error, MarqueeError)
    return with_allowance(request, _problem_of(error))


def with_allowance(request: Request, response: Response) -> Response:
    """Return a response that tells what is left of the caller's rate, if it has one."""
    if (allowance := getattr(request.state, "allowance", None)) is not None:
        response.headers.update(allowance.headers())
    return response


def _problem_of(error: MarqueeError) -> Response:
    if isinstance(error, InvalidFields):
        return problem(error.code, str(error), error.errors)
    if isinstance(error, NothingAccepted):
        return problem("invalid_input", str(error), items=error.items)
    if isinstance(error, InvalidInput):
        errors = [FieldError(error.field, str(error))] if error.field else []
        code = error.code if error.code in CODES else "invalid_input"
        return problem(code, str(error), errors)
    code = error.code if error.code in CODES else "internal"
    if code == "internal" and isinstance(error, Unavailable):
        code = "unavailable"
    detail = str(error) if code != "internal" else CODES[code][2]
    return problem(code, detail, headers=_headers_of(error))


def _headers_of(error: MarqueeError) -> dict[str, str]:
    """Return what a client needs to know beside the problem, to make the next call right."""
    if isinstance(error, Unauthorized):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, TooManyRequests):
        return {"Retry-After": str(math.ceil(error.retry_after_s)), **error.headers}
    return {}


async def on_invalid_request(request: Request, error: Exception) -> Response:
    """Report parameters or a body that do not validate."""
    assert isinstance(error, RequestValidationError)
    return with_allowance(request, _problem_of_faults(error.errors()))


def _problem_of_faults(faults: Sequence[Any]) -> Response:
    for fault in faults:
        if fault["type"] == "json_invalid":
            return problem("unreadable_body", f"The body is not valid JSON: {_reason(fault)}.")
    # Of a value that may be absent, pydantic also tells that it is not null.
    told = [fault for fault in faults if fault["type"] != "none_required"]
    errors = [_field_error(fault) for fault in (told or faults)[:MAX_TOLD]]
    return problem("invalid_input", "; ".join(f"{e.field}: {e.detail}" for e in errors), errors)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Report a refusal of the framework: unknown address, wrong method, unreadable body."""
    assert isinstance(error, HTTPException)
    code = CODE_OF_STATUS.get(error.status_code, "internal")
    detail, headers = str(error.detail), error.headers
    if code == "method_not_allowed":
        allowed = ", ".join(allowed_methods(request.app.router.routes, request.scope))
        method = "HEAD" if is_head(request.scope) else request.method
        detail = f"{method} is no method of this address, which has {allowed}"
        headers = {"Allow": allowed}
    elif code == "unreadable_body" and error.__cause__ is not None:
        detail = f"The body is not valid JSON: {_fault_of_body(error.__cause__)}."
    return with_allowance(request, problem(code, detail, (), error.status_code, headers))


def _fault_of_body(cause: BaseException) -> str:
    """Return why a body could not be read, in words."""
    if isinstance(cause, UnicodeDecodeError):
        return f"it is not UTF-8 at byte {cause.start}"
    return "it is nested too deeply" if isinstance(cause, RecursionError) else "it cannot be read"


async def on_fault(_: Request, __: Exception) -> Response:
    """Report an unexpected fault without its details."""
    return problem("internal", CODES["internal"][2])


def _reason(fault: Mapping[str, Any]) -> str:
    reason = str((fault.get("ctx") or {}).get("error", "it cannot be read"))
    *_, place = fault["loc"]
    # FastAPI's parser gives the place beside the reason, pydantic's within it.
    at = f" at character {place}" if isinstance(place, int) else ""
    return reason[:1].lower() + reason[1:] + at


def _is_branch(part: object) -> bool:
    """Return whether a part of a place is pydantic's name of one way to read a value."""
    return isinstance(part, str) and "[" in part and part.endswith("]")


def _field_error(error: Mapping[str, Any]) -> FieldError:
    if error["type"] in _NO_OBJECT and len(error["loc"]) == 1:
        return FieldError("body", "must be a JSON object")
    *_, last = error["loc"] or ("body",)
    path = [str(part) for part in error["loc"][1:] if not _is_branch(part)] or [str(last)]
    context = error.get("ctx") or {}
    if error["type"] == "unknown_field":
        unknown = unknown_field(context["name"], context["known"], "field")
        within = [str(part) for part in error["loc"][1:] if not _is_branch(part)]
        return replace(unknown, field=".".join([*within, unknown.field]))
    detail = str(error["msg"]).removeprefix("Value error, ")
    return FieldError(".".join(path), detail[:1].lower() + detail[1:], context.get("allowed"))
