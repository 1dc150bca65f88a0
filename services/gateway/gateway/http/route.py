"""Routes: each has a scope and a stable operation id, and refuses unknown parameters."""

import re
import time
from collections.abc import Callable, Coroutine, Iterable
from functools import cached_property
from itertools import islice
from typing import Any

import orjson
from fastapi import APIRouter
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as ASGIScope

from gateway.http import reason
from gateway.http.admission import OPEN_TO_ALL
from gateway.http.idempotency import KEY_PARAMETER, idempotent, key_of, takes_key
from gateway.http.json_body import require_json
from gateway.http.openapi_security import security_of
from gateway.http.problem_details import (
    MAX_TOLD,
    FieldError,
    InvalidFields,
    unknown_field,
    with_allowance,
)
from gateway.http.query_parameters import EndpointParameters
from gateway.http.reason import reason_of, takes_reason
from gateway.http.scopes import SCOPES
from gateway.http.web.validators import is_revalidated, validated
from marquee import telemetry
from marquee.access.scopes import Scope
from marquee.domain.json_values import refuse_deep
from marquee.http_server.disconnect import CALLER_GONE, CallerGone, StoppedWithCaller
from marquee.limits import MAX_PARAMETERS

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
"""Answers a request."""


class StrictRoute(APIRoute):
    """Route with a scope, metrics, idempotency keys, and errors for unknown parameters."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # Starlette ends a pattern by `$`, before which a line break may stand: another address.
        self.path_regex = re.compile(self.path_regex.pattern.removesuffix("$") + r"\Z")
        extra: dict[str, Any] = dict(self.openapi_extra or {})
        methods = self.methods or ()
        parameters = [KEY_PARAMETER] if takes_key(self.name, methods) else []
        parameters += [reason.PARAMETER] if takes_reason(self.name, methods) else []
        if parameters:
            extra["parameters"] = parameters
        self.openapi_extra = extra | security_of(self.scope_needed)
        if self._skips_fastapi is not None:
            self.app = _asgi(self.get_route_handler())

    @property
    def scope_needed(self) -> Scope:
        """The scope that a caller needs.

        Raises:
            KeyError: The route is missing in the table of scopes.
        """
        return SCOPES[self.name]

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, with checks before and metrics after it."""
        handle, known = self._handler(), self._parameters()
        if self._only_reads:
            handle = _stopped_with_caller(handle)
        path, scope = self.path, self.scope_needed
        measures = _Measures(path)
        keyed = takes_key(self.name, self.methods or ())
        reasoned = takes_reason(self.name, self.methods or ())
        is_kept = is_revalidated(self.name, self.methods or ())
        if reasoned:
            known |= {reason.NAME}

        async def strict(request: Request) -> Response:
            started, status = time.perf_counter(), 500
            try:
                if request.scope["query_string"]:
                    _refuse_too_many(request.scope["query_string"])
                    _refuse_unknown(request.query_params.keys(), known)
                admission = OPEN_TO_ALL
                if scope is not Scope.OPEN:
                    admission = await request.app.state.allow(request, scope)
                if reasoned:
                    request.state.reason = reason_of(request)
                key = key_of(request, keyed)
                with admission.under_way:
                    response = await (
                        handle(request)
                        if key is None
                        else idempotent(request, admission.own(key), handle)
                    )
                if is_kept:
                    response = validated(request, response)
                status = response.status_code
                return with_allowance(request, response)
            except Exception as error:
                status = getattr(error, "status", getattr(error, "status_code", 500))
                raise
            finally:
                measures.note(status, time.perf_counter() - started)

        return strict

    @property
    def _only_reads(self) -> bool:
        """Whether nobody but the caller has anything of the call."""
        return self.methods == {"GET"} or self.scope_needed is Scope.READ

    def _handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the function that parses a request and calls the endpoint; reads skip FastAPI."""
        endpoint, parameters = self.endpoint, self._skips_fastapi
        if parameters is None and self.body_field is None:
            return super().get_route_handler()
        if parameters is None:
            return _with_json(super().get_route_handler())
        read = parameters.read

        async def handle(request: Request) -> Response:
            response: Response = await endpoint(**read(request))
            return response

        return handle

    @cached_property
    def _skips_fastapi(self) -> EndpointParameters | None:
        """The parameters of an endpoint that needs nothing of FastAPI to be called."""
        if self.methods != {"GET"}:
            return None
        return EndpointParameters.of(self.endpoint, frozenset(self.param_convertors))

    def _parameters(self) -> frozenset[str]:
        names: set[str] = set()
        for parameter in self.dependant.query_params:
            annotation = parameter.field_info.annotation
            if isinstance(annotation, type) and issubclass(annotation, BaseModel):
                names |= {f.alias or name for name, f in annotation.model_fields.items()}
            else:
                names.add(parameter.alias)
        return frozenset(names)


class _Measures:
    """The measures of a route, looked up once."""

    def __init__(self, path: str) -> None:
        self._path, self._counts = path, dict[int, Any]()
        self._latency = telemetry.LATENCIES.labels(path)

    def note(self, status: int, seconds: float) -> None:
        """Count an answer."""
        if (count := self._counts.get(status)) is None:
            count = self._counts[status] = telemetry.REQUESTS.labels(self._path, status)
        count.inc()
        self._latency.observe(seconds)


def _asgi(handle: Handler) -> ASGIApp:
    """Return the ASGI app of a handler without what FastAPI keeps open for a request.

    What a handler raises is answered by the app's `ExceptionMiddleware`.
    """

    async def app(scope: ASGIScope, receive: Receive, send: Send) -> None:
        response = await handle(Request(scope, receive, send))
        await response(scope, receive, send)

    return app


def _with_json(handle: Handler) -> Handler:
    """Return a handler of a route with a body, which must be JSON."""

    async def checked(request: Request) -> Response:
        require_json(request)
        refuse_deep(await request.body())
        return await handle(request)

    return checked


def _stopped_with_caller(handle: Handler) -> Handler:
    """Return a handler whose work ends when the caller goes away; writes are carried out."""

    async def stopped(request: Request) -> Response:
        try:
            with StoppedWithCaller(request.scope):
                return await handle(request)
        except CallerGone:
            return Response(status_code=CALLER_GONE)

    return stopped


def router(tag: str) -> APIRouter:
    """Return a router for one part of the API."""
    return APIRouter(
        tags=[tag],
        route_class=StrictRoute,
        generate_unique_id_function=lambda route: route.name,
        # FastAPI would document its own form of it; `openapi_problems` adds the right one.
        responses={422: {"description": "A parameter or field is wrong, or unknown."}},
    )


def documents(model: type[BaseModel], *statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` argument of a route: a model for each status, by default 200."""
    return {status: {"model": model} for status in statuses or (200,)}


def json_response(value: Any, status: int = 200) -> Response:
    """Return a JSON response that no cache may store."""
    return json_body_response(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY), status)


def json_body_response(body: bytes, status: int = 200) -> Response:
    """Return the same of a value that is JSON already."""
    return JsonResponse(body, status)


class JsonResponse(Response):
    """A response of JSON that is rendered already; its few headers are set at once."""

    def __init__(self, body: bytes, status: int = 200) -> None:
        """Take the body."""
        self.status_code, self.body, self.background = status, body, None
        self.raw_headers = [
            (b"cache-control", b"no-store"),
            (b"content-length", b"%d" % len(body)),
            (b"content-type", b"application/json"),
        ]


def _refuse_too_many(query: bytes) -> None:
    if query.count(b"&") >= MAX_PARAMETERS:
        detail = f"more than {MAX_PARAMETERS:,} parameters: send lists in the body of a POST"
        raise InvalidFields([FieldError("query", detail)])


def _refuse_unknown(names: Iterable[str], known: frozenset[str]) -> None:
    unknown = islice((name for name in names if name not in known), MAX_TOLD)
    errors: list[FieldError] = [unknown_field(name, known, "parameter") for name in unknown]
    if errors:
        raise InvalidFields(errors)
