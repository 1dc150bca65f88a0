"""HTTP client of one address over keep-alive connections (aiohttp), with safe retries."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import aiohttp

from gateway.upstream.models import JSON
from marquee.domain.recommendation import PACKED_REQUEST

_HEADERS_OF = {PACKED_REQUEST: {"Content-Type": PACKED_REQUEST}}
"""Headers of a call whose body is not JSON."""


class ConnectionLost(ConnectionError):
    """The connection ended before a complete reply, or the reply is not HTTP."""


@dataclass(frozen=True)
class RawReply:
    """Status and body of a reply."""

    status: int
    body: bytes


class HttpClient:
    """Client of one address, such as `http://127.0.0.1:8101`; connects at the first call."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        """Connect to nothing yet.

        Args:
            url: The address.
            headers: Headers of every call, beside those of the content.
        """
        self._url, self._headers = url.rstrip("/"), dict(headers or {})
        self._session: aiohttp.ClientSession | None = None

    async def send(
        self, method: str, path: str, body: bytes | None = None, media_type: str = JSON
    ) -> RawReply:
        """Send one call and return its reply; safe to cancel.

        Raises:
            OSError: There is no complete reply.
        """
        if self._session is None:
            self._session = _session(self._headers)
        try:
            call = {"data": body, "headers": _HEADERS_OF.get(media_type)}
            async with await self._start(self._session, method, path, call) as response:
                return RawReply(response.status, await response.read())
        except aiohttp.ClientError as error:
            if isinstance(error, OSError):
                raise
            raise ConnectionLost(str(error)) from error

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _start(
        self, session: aiohttp.ClientSession, method: str, path: str, call: dict[str, Any]
    ) -> aiohttp.ClientResponse:
        """Send a call and return its reply as soon as the headers are there.

        aiohttp retries a GET when the connection ends before any reply. A POST is retried only
        where the connection was a reused one, which the service had closed meanwhile.
        """
        trace, url = _CallTrace(), self._url + path
        try:
            return await session.request(
                method, url, allow_redirects=False, trace_request_ctx=trace, **call
            )
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            if method != "POST" or not trace.reused or _reply_had_begun(error):
                raise
        return await session.request(method, url, allow_redirects=False, **call)


@dataclass
class _CallTrace:
    """Trace of a call: whether it used a connection of an earlier call."""

    reused: bool = False


def _session(headers: Mapping[str, str]) -> aiohttp.ClientSession:
    """Return a session without limits of its own: deadlines are the caller's."""
    trace = aiohttp.TraceConfig()
    trace.on_connection_reuseconn.append(_mark_reused)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Content-Type": JSON, **headers},
        timeout=aiohttp.ClientTimeout(),
        trace_configs=[trace],
    )


async def _mark_reused(
    _: aiohttp.ClientSession,
    context: SimpleNamespace,
    __: aiohttp.TraceConnectionReuseconnParams,
) -> None:
    if context.trace_request_ctx is not None:
        context.trace_request_ctx.reused = True


def _reply_had_begun(error: aiohttp.ClientConnectionError) -> bool:
    """Return whether part of a reply had arrived: the error of aiohttp holds it then."""
    return isinstance(error, aiohttp.ServerDisconnectedError) and not isinstance(error.message, str)
