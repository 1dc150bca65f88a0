"""HTTP to one address over kept connections, by aiohttp's client."""

from dataclasses import dataclass
from types import SimpleNamespace

import aiohttp


class ConnectionLost(ConnectionError):
    """There is no complete answer: the connection ended before, or what came is not HTTP."""


@dataclass(frozen=True)
class RawReply:
    """The status and the body that were answered."""

    status: int
    body: bytes


class HttpClient:
    """One address, such as `http://127.0.0.1:8101`; connects when first asked."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    async def send(self, method: str, path: str, body: bytes | None = None) -> RawReply:
        """Return the reply to one call; OSError when there is none. Cancelling it is safe."""
        if self._session is None:
            self._session = _session()
        try:
            async with await self._ask(self._session, method, path, body) as response:
                return RawReply(response.status, await response.read())
        except aiohttp.ClientError as error:
            if isinstance(error, OSError):
                raise
            raise ConnectionLost(str(error)) from error

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _ask(
        self, session: aiohttp.ClientSession, method: str, path: str, body: bytes | None
    ) -> aiohttp.ClientResponse:
        """Return the beginning of a reply.

        The library repeats a GET when the connection ends before any answer. A POST is repeated
        only where the connection was a kept one: then the service had closed it unseen.
        """
        call, url = _Call(), self._url + path
        try:
            return await session.request(
                method, url, data=body, allow_redirects=False, trace_request_ctx=call
            )
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            if method != "POST" or not call.kept or _had_begun(error):
                raise
        return await session.request(method, url, data=body, allow_redirects=False)


@dataclass
class _Call:
    """What is noticed of one call: whether it went over a kept connection."""

    kept: bool = False


def _session() -> aiohttp.ClientSession:
    """Return a client without limits of its own: a call's deadline is its caller's."""
    trace = aiohttp.TraceConfig()
    trace.on_connection_reuseconn.append(_note_kept)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Content-Type": "application/json"},
        timeout=aiohttp.ClientTimeout(),
        trace_configs=[trace],
    )


async def _note_kept(
    _: aiohttp.ClientSession,
    context: SimpleNamespace,
    __: aiohttp.TraceConnectionReuseconnParams,
) -> None:
    if context.trace_request_ctx is not None:
        context.trace_request_ctx.kept = True


def _had_begun(error: aiohttp.ClientConnectionError) -> bool:
    """Return whether part of an answer had come: the library's error holds it then."""
    return isinstance(error, aiohttp.ServerDisconnectedError) and not isinstance(error.message, str)
