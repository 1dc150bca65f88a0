"""Cross-origin resource sharing: which pages of other origins may call what (Fetch standard)."""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.http.problem_details import problem
from gateway.http.scopes import OF_OPERATORS, SCOPES
from gateway.http.web.methods import allowed_methods
from marquee.access import scopes

EXPOSED: Final = (
    "Allow",
    "Content-Disposition",
    "ETag",
    "Idempotency-Replayed",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "WWW-Authenticate",
)
"""Headers of answers that a page may read, beside those that it may always read."""
MAX_AGE_S: Final = 7200
"""Seconds for which a browser remembers a preflight: no browser remembers one for longer."""


class CrossOriginMiddleware:
    """Lets pages of other origins make calls of some scopes.

    Credentials are a header that a page sets by itself, so no cookie has to be allowed, and any
    header may be sent. A preflight is answered here: it takes no key and counts against no rate.
    """

    def __init__(
        self,
        app: ASGIApp,
        routes: Sequence[BaseRoute],
        origins: Collection[str],
        opened: Iterable[scopes.Scope],
    ) -> None:
        """Take the app.

        Args:
            app: The app.
            routes: Its routes.
            origins: The origins, or `*` for all.
            opened: Scopes whose calls their pages may make.
        """
        self._app, self._routes, self._origins = app, routes, origins
        self._opened = frozenset({*opened, scopes.Scope.OPEN})
        self._by_methods: dict[tuple[str, ...], _Sharing] = {}
        self._without_origin = self._sharing(())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if "origin" not in headers:
            # A cache must tell this answer from the one that a page of another origin gets.
            await self._without_origin(scope, receive, send)
            return
        methods = self._opened_methods(scope)
        preflight = "access-control-request-method" in headers and scope["method"] == "OPTIONS"
        if scope["method"] in methods or (preflight and allowed_methods(self._routes, scope)):
            await self._sharing(methods)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _opened_methods(self, scope: Scope) -> tuple[str, ...]:
        """Return the methods of an address that pages of other origins may call."""
        found: set[str] = set()
        for route in self._routes:
            if route.matches(scope)[0] is not Match.NONE and self._is_opened(route):
                found |= getattr(route, "methods", None) or {"GET"}
        return tuple(sorted(found | {"HEAD", "OPTIONS"} if "GET" in found else found))

    def _is_opened(self, route: BaseRoute) -> bool:
        name = getattr(route, "name", "")
        needed = scopes.Scope.OPERATE if name in OF_OPERATORS else SCOPES[name]
        return needed in self._opened

    def _sharing(self, methods: tuple[str, ...]) -> "_Sharing":
        if methods not in self._by_methods:
            self._by_methods[methods] = _Sharing(
                self._app,
                allow_origins=self._origins,
                allow_methods=methods,
                allow_headers=("*",),
                expose_headers=EXPOSED,
                max_age=MAX_AGE_S,
            )
        return self._by_methods[methods]


class _Sharing(CORSMiddleware):
    """The rules of one set of methods, whose refusals are problem documents."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """Return the answer to a preflight."""
        response = super().preflight_response(request_headers)
        if response.status_code < 400:
            return response
        methods = ", ".join(self.allow_methods) or "none"
        detail = (
            f"{bytes(response.body).decode()}: pages of the origins in MARQUEE_CORS_ORIGINS may"
            f" call this address by {methods}; MARQUEE_CORS_SCOPES opens more calls"
        )
        return problem("forbidden", detail, headers={"Vary": response.headers["vary"]})
