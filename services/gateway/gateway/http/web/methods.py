"""HEAD wherever there is GET, and OPTIONS with the methods of an address."""

from collections.abc import Sequence
from typing import Final

from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEAD: Final = "marquee.head"
"""Key of a scope: the request was a HEAD, of which the answer's headers alone are sent."""


def allowed_methods(routes: Sequence[BaseRoute], scope: Scope) -> list[str]:
    """Return the methods of an address, those that every address has among them.

    Args:
        routes: All routes; each knows its own methods alone.
        scope: ASGI scope of a request.

    Returns:
        The methods, sorted; none where no route has the address.
    """
    found: set[str] = set()
    # Within a mount the scope has the mount's path as its root; routes know none.
    scope = {**scope, "root_path": ""}
    for route in routes:
        if route.matches(scope)[0] is not Match.NONE:
            # Files, which are read alone, are mounted.
            found.update({"GET"} if isinstance(route, Mount) else getattr(route, "methods", ()))
    if "GET" in found:
        found.add("HEAD")
    return sorted(found | {"OPTIONS"}) if found else []


def is_head(scope: Scope) -> bool:
    """Return whether a request was a HEAD, so that nothing of a body is sent."""
    return HEAD in scope


class HeadMiddleware:
    """Answers HEAD as GET, without the body: the outermost middleware, so that lengths agree."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def headers_only(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET", HEAD: True}, receive, headers_only)


class OptionsMiddleware:
    """Answers OPTIONS with the methods of the address; it takes no key and has no effect."""

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        """Take the app.

        Args:
            app: The app.
            routes: Its routes.
        """
        self._app, self._routes = app, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        asks = scope["type"] == "http" and scope["method"] == "OPTIONS"
        if methods := allowed_methods(self._routes, scope) if asks else []:
            headers = {"Allow": ", ".join(methods), "Cache-Control": "no-store"}
            await Response(status_code=204, headers=headers)(scope, receive, send)
        else:
            await self._app(scope, receive, send)
