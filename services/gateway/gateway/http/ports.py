"""The two ports of a gateway: the public one, and that of its operators, each an app of its own."""

from enum import StrEnum
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.http.scopes import OF_OPERATORS, SCOPES
from marquee.access import scopes

_OF_BOTH: Final = frozenset({"live", "ready", "openapi", "docs", "docs_file", "explain_problem"})


class Part(StrEnum):
    """What an app of the gateway answers."""

    WHOLE = "whole"
    PUBLIC = "public"
    OPERATE = "operate"

    def has(self, operation: str) -> bool:
        """Return whether an operation belongs to the part."""
        is_theirs = operation in OF_OPERATORS or SCOPES[operation] is scopes.Scope.OPERATE
        if self is Part.WHOLE or operation in _OF_BOTH:
            return True
        return is_theirs if self is Part.OPERATE else not is_theirs


class PortApps:
    """Chooses the app of a request by the port of this machine at which it came in."""

    def __init__(self, public: ASGIApp, operate: ASGIApp, operate_port: int) -> None:
        """Take the apps.

        Args:
            public: The app of every other port; it also starts and closes the parts of both.
            operate: The operators' app.
            operate_port: Its port.
        """
        self._public, self._operate, self._port = public, operate, operate_port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        # The port of the socket itself: no header of a request can name another one.
        port = (scope.get("server") or (None, None))[1]
        is_operate = scope["type"] == "http" and port == self._port
        await (self._operate if is_operate else self._public)(scope, receive, send)
