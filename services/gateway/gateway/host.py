"""HTTP/1.1 to one address over kept connections: no more than JSON calls between services need."""

import asyncio
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

import httptools

MAX_IDLE = 64
"""Connections that are kept open while nobody uses them."""
MAX_BYTES = 16_000_000
"""A longer answer is no answer of ours."""


class ConnectionLost(ConnectionError):
    """The connection ended before the answer was complete."""


@dataclass(frozen=True)
class RawReply:
    """The status and the body that were answered."""

    status: int
    body: bytes


class Host:
    """One address, such as `http://127.0.0.1:8101`; connects when first asked."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._secure = parts.scheme == "https"
        self._name = parts.hostname or "127.0.0.1"
        self._port = parts.port or (443 if self._secure else 80)
        self._prefix = parts.path.rstrip("/")
        self._netloc = parts.netloc
        self._idle: list[_Connection] = []

    async def send(self, method: str, path: str, body: bytes | None = None) -> RawReply:
        """Return the reply to one call; OSError when there is none. Cancelling it is safe."""
        content = body or b""
        head = (
            f"{method} {self._prefix}{path} HTTP/1.1\r\nHost: {self._netloc}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        message = head.encode() + content
        kept = self._take()
        if kept is not None:
            try:
                return await self._exchange(kept, message)
            except ConnectionLost:
                # The service has closed it while nobody looked, unless it had begun to answer.
                if kept.answering:
                    raise
        return await self._exchange(await self._connect(), message)

    async def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> "_Connection | None":
        while self._idle:
            connection = self._idle.pop()
            if connection.open:
                return connection
        return None

    async def _connect(self) -> "_Connection":
        loop = asyncio.get_running_loop()
        tls = True if self._secure else None
        _, connection = await loop.create_connection(_Connection, self._name, self._port, ssl=tls)
        return connection

    async def _exchange(self, connection: "_Connection", message: bytes) -> RawReply:
        try:
            reply = await connection.exchange(message)
        except BaseException:
            connection.close()
            raise
        if connection.open and len(self._idle) < MAX_IDLE:
            self._idle.append(connection)
        else:
            connection.close()
        return reply


class _Connection(asyncio.Protocol):
    """One connection, with one call at a time."""

    def __init__(self) -> None:
        self.open = False
        self.answering = False
        self._transport: asyncio.Transport
        self._parser: httptools.HttpResponseParser
        self._body: list[bytes] = []
        self._taken = 0
        self._future: asyncio.Future[RawReply] | None = None

    async def exchange(self, message: bytes) -> RawReply:
        """Send a message and return its reply."""
        self._parser = httptools.HttpResponseParser(self)
        self._body, self._taken, self.answering = [], 0, False
        self._future = asyncio.get_running_loop().create_future()
        self._transport.write(message)
        return await self._future

    def close(self) -> None:
        """End the connection."""
        self.open = False
        self._transport.close()

    # --- called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # No isinstance: uvloop's transports are no subclasses.
        self._transport, self.open = cast(asyncio.Transport, transport), True

    def data_received(self, data: bytes) -> None:
        self.answering = True
        self._taken += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(f"what was answered is not HTTP: {error}")
        if self._taken > MAX_BYTES:
            self._fail(f"the answer is larger than {MAX_BYTES} bytes")

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"the connection was lost: {exc or 'closed'}")

    def _fail(self, why: str) -> None:
        self.open = False
        if self._future is not None and not self._future.done():
            self._future.set_exception(ConnectionLost(why))

    # --- called by the parser

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        self.open = self.open and self._parser.should_keep_alive()
        if self._future is not None and not self._future.done():
            status = self._parser.get_status_code()
            self._future.set_result(RawReply(status, b"".join(self._body)))
