"""The server's HTTP protocol: bounds of connections and requests, and refusals as problems.

Nothing of the app sees what is refused here: a request that is not HTTP, too large a head, one that
does not arrive in time. A connection owes bytes while it has no request in work, or while a part of
one has come: it has `READ_S` seconds for the rest. Kept connections on which nothing comes are
closed by uvicorn.
"""

import asyncio
from collections import deque
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from marquee import telemetry
from marquee.http_server.connections import Connections
from marquee.http_server.disconnect import EXTENSION, Caller
from marquee.http_server.parser import Parser
from marquee.http_server.refusals import (
    ADDRESS_TOO_LONG,
    HEADERS_TOO_LARGE,
    TOO_MANY_CONNECTIONS,
    TOO_SLOW,
    UNREADABLE,
    Refusal,
)
from marquee.limits import MAX_ADDRESS_BYTES, MAX_HEADER_BYTES, MAX_HEADERS, READ_S

MAX_CONNECTIONS: Final = 1000
MAX_REQUEST_BYTES: Final = 16_000_000
"""Bytes of a request on the wire: beyond them nothing of it is read any more."""
WRITE_S: Final = 30.0
"""Seconds that an answer waits for a client that does not read it."""


class HeadRefused(ValueError):
    """The head of a request is beyond a limit; it ends the parser's work."""


class ProblemProtocol(HttpToolsProtocol):
    """HTTP with bounds, whose refusals are problem documents."""

    def __init__(
        self,
        *arguments: Any,
        connections: Connections | None = None,
        read_s: float = READ_S,
        write_s: float = WRITE_S,
        links_under: str = "",
        **options: Any,
    ) -> None:
        """Know no connection yet.

        Args:
            arguments: Those of uvicorn.
            connections: The connections of the server.
            read_s: Seconds for a whole request.
            write_s: Seconds that an answer waits for the client to read on.
            links_under: Prefix under which a proxy has the app.
            options: Those of uvicorn.
        """
        super().__init__(*arguments, **options)
        self.parser: Any = Parser(self)
        self._open = Connections(MAX_CONNECTIONS) if connections is None else connections
        self._read_s, self._write_s, self._links_under = read_s, write_s, links_under
        self._read_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._callers: deque[Caller] = deque()
        self._in_message = self._head_is_read = False
        self._received = self._head_bytes = self._n_headers = 0
        self._head_refusal = UNREADABLE

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or refuse it where there is no place."""
        super().connection_made(transport)
        if self._open.opened(self):
            self._await_request()
        else:
            self._refuse(TOO_MANY_CONNECTIONS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection, and stop the work of its requests."""
        self._open.closed(self)
        for timer in (self._read_timer, self._write_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)
        for caller in self._callers:
            caller.leave()
        self._callers.clear()

    def data_received(self, data: bytes) -> None:
        """Read on, as long as the client keeps within the bounds."""
        if self.transport.is_closing():
            return
        self._received += len(data)
        super().data_received(data)
        if self._in_message:
            self._check_size()
        if self._in_message or not self._callers:
            self._await_request()
        else:
            self._stop_waiting()

    def on_message_begin(self) -> None:
        """Begin to count a request."""
        super().on_message_begin()
        self._in_message, self._head_is_read = True, False
        self._received = self._head_bytes = self._n_headers = 0
        self._stop_waiting()

    def on_url(self, url: bytes) -> None:
        """Read a part of the address.

        Raises:
            HeadRefused: It is too long.
        """
        super().on_url(url)
        if len(self.url) > MAX_ADDRESS_BYTES:
            self._refuse_head(ADDRESS_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Read a header, or a trailer, which no app asks for.

        Raises:
            HeadRefused: There are too many, or they are too large.
        """
        self._n_headers += 1
        self._head_bytes += len(name) + len(value)
        if self._n_headers > MAX_HEADERS or self._head_bytes > MAX_HEADER_BYTES:
            self._refuse_head(HEADERS_TOO_LARGE)
        if not self._head_is_read:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start the app."""
        caller = Caller()
        self.scope["extensions"] = {EXTENSION: caller}  # type: ignore[dict-item]
        # It raises where the address has no path: then no app has begun, and the parser's end is
        # answered.
        super().on_headers_complete()
        self._head_is_read = True
        self._callers.append(caller)

    def on_message_complete(self) -> None:
        """Note that nothing of the request is missing."""
        if self.parser.body_follows:
            return
        super().on_message_complete()
        self._in_message = False

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        if self._callers:
            self._callers.popleft()
        super().on_response_complete()
        if self.transport.is_closing():
            self._close()
        elif not self._callers:
            self._open.waits(self)

    def send_400_response(self, _: str) -> None:
        """Refuse what the parser, or a limit of the head, does not let pass."""
        self._refuse(self._head_refusal)

    def timeout_keep_alive_handler(self) -> None:
        """Close a kept connection on which nothing comes."""
        self._close()

    def pause_writing(self) -> None:
        """Wait for a client that does not read, but not for ever."""
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self._write_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Write on."""
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def give_way(self) -> None:
        """Close, for a newer connection."""
        telemetry.CONNECTIONS_CLOSED.labels("place needed").inc()
        self._give_up()

    def _refuse_head(self, refusal: Refusal) -> None:
        self._head_refusal = refusal
        raise HeadRefused(refusal.detail)

    def _await_request(self) -> None:
        self._open.waits(self)
        if self._read_timer is None:
            self._read_timer = self.loop.call_later(self._read_s, self._is_late)

    def _stop_waiting(self) -> None:
        self._open.works(self)
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None

    def _is_late(self) -> None:
        self._read_timer = None
        telemetry.CONNECTIONS_CLOSED.labels("too slow").inc()
        self._give_up()

    def _give_up(self) -> None:
        """Refuse the rest of a request; close a connection without one."""
        if self._in_message:
            self._refuse(TOO_SLOW)
        else:
            self._close()

    def _check_size(self) -> None:
        if not self._head_is_read and self._received > MAX_ADDRESS_BYTES + MAX_HEADER_BYTES:
            self._refuse(HEADERS_TOO_LARGE)
        elif self._received > MAX_REQUEST_BYTES:
            self._close()

    def _refuse(self, refusal: Refusal) -> None:
        """Answer instead of the app, where no answer has begun, and close the connection.

        While an earlier request of the connection is in work, nothing can be answered in its place.
        """
        if self.transport.is_closing():
            return
        cycle = self.cycle if self._in_message and self._head_is_read else None
        if len(self._callers) == (cycle is not None and not cycle.response_complete) and not (
            cycle and cycle.response_started
        ):
            self.transport.write(refusal.encode(self._links_under))
        if cycle is not None and not cycle.response_complete:
            # The app reads that the client is gone.
            cycle.disconnected = True
            cycle.message_event.set()
        self._close()

    def _close(self) -> None:
        """Close once what was written is sent, or the client does not take it."""
        self.transport.close()
        if self._write_timer is None and self.transport.get_write_buffer_size():
            self._write_timer = self.loop.call_later(self._write_s, self.transport.abort)
