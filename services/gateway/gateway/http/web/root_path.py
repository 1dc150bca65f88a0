"""The API under a prefix of a proxy's address space: paths that come in, and links that go out."""

from collections.abc import Iterable
from typing import Any

import orjson
from starlette.datastructures import MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.http.problem_details import MEDIA_TYPE
from marquee.errors import SettingsError


class RootPathMiddleware:
    """Takes the prefix off a path, where the proxy has left it, and puts it before every link.

    Links are paths: `Location`, and the `type` of problems. No header of a request has a say in
    them.
    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        """Take the app.

        Args:
            app: The app, which knows no prefix.
            root_path: The prefix, as `/marquee`.
        """
        self._app, self._root = app, root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path, root = scope["path"], self._root
        if path == root:
            # Links of the page are relative: they need the slash.
            await RedirectResponse(f"{root}/", 308)(scope, receive, send)
            return
        if path.startswith(f"{root}/"):
            raw = scope.get("raw_path") or b""
            scope = {
                **scope,
                "path": path[len(root) :],
                "raw_path": raw.removeprefix(root.encode()),
            }
        await self._app(scope, receive, _Links(send, root))


class _Links:
    """Sends a response with the prefix before its links."""

    def __init__(self, send: Send, root: str) -> None:
        self._send, self._root = send, root
        self._start: Message | None = None

    async def __call__(self, message: Message) -> None:
        """Send a message; the beginning of a problem waits for its document."""
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            if headers.get("location", "").startswith("/"):
                headers["location"] = self._root + headers["location"]
            if headers.get("content-type") == MEDIA_TYPE:
                self._start = message
                return
        elif self._start is not None:
            start, self._start = self._start, None
            body = _with_prefix(message["body"], self._root)
            MutableHeaders(scope=start)["content-length"] = str(len(body))
            await self._send(start)
            message = {**message, "body": body}
        await self._send(message)


def _with_prefix(body: bytes, root: str) -> bytes:
    document: dict[str, Any] = orjson.loads(body)
    return orjson.dumps({**document, "type": root + document["type"]})


def refuse_own_path(root_path: str, paths: Iterable[str]) -> None:
    """Check that a prefix is none that addresses of the API begin with.

    Raises:
        SettingsError: It is: nobody could tell whether the proxy has left it.
    """
    if any(f"{path}/".startswith(f"{root_path}/") for path in paths):
        raise SettingsError(
            f"MARQUEE_ROOT_PATH={root_path}: addresses of the API begin so; take another one",
            "root_path",
        )
