"""HTTP parser of a connection on which no request changes the protocol.

httptools ends a request at its head where it asks for another protocol (`Connection: Upgrade`), as
the HTTP client of Java does by default. What follows would be lost, or be read as the next request:
a body that is one would then be answered to somebody else behind a proxy. RFC 9110 (section 7.8)
lets a server ignore the wish; so a second parser, which is told the body's length alone, reads on.
"""

from collections.abc import Iterable
from typing import Any, Final

import httptools

_FRAMING: Final = frozenset((b"content-length", b"transfer-encoding"))
"""Headers that say where a body ends."""
Headers = Iterable[tuple[bytes, bytes]]


class Parser:
    """Reads requests, each to the end of its body, whatever protocol it asks for."""

    def __init__(self, protocol: Any) -> None:
        """Read nothing yet.

        Args:
            protocol: Has the callbacks of httptools, and the `headers` of the request at hand.
        """
        self._protocol = protocol
        self._parser = _new(protocol)

    def __getattr__(self, name: str) -> Any:
        """Return what the parser at work says of the request at hand."""
        return getattr(self._parser, name)

    @property
    def body_follows(self) -> bool:
        """Whether a request ends by its head for httptools, though it has a body."""
        return self._parser.should_upgrade() and bool(_framing(self._protocol.headers))

    def should_upgrade(self) -> bool:
        """Return False: no request changes the protocol."""
        return False

    def feed_data(self, data: bytes) -> None:
        """Read on.

        Raises:
            httptools.HttpParserError: It is no HTTP.
        """
        while data:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
                self._read_on(_framing(self._protocol.headers) if self.body_follows else [])
            else:
                return

    def _read_on(self, framing: Headers) -> None:
        """Read with a new parser: a body, if there is one, then the next request."""
        if not framing:
            self._parser = _new(self._protocol)
            return
        self._parser = _new(_AfterHead(self._protocol))
        head = b"".join(b"%s: %s\r\n" % header for header in framing)
        self._parser.feed_data(b"POST / HTTP/1.1\r\n%s\r\n" % head)


class _AfterHead:
    """Callbacks of a parser whose first head is a repeated one, which nobody reads again."""

    def __init__(self, protocol: Any) -> None:
        self._protocol, self._is_repeated = protocol, True
        self.on_body, self.on_message_complete = protocol.on_body, protocol.on_message_complete

    def on_message_begin(self) -> None:
        if not self._is_repeated:
            self._protocol.on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self._is_repeated:
            self._protocol.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._is_repeated:
            self._protocol.on_header(name, value)

    def on_headers_complete(self) -> None:
        if not self._is_repeated:
            self._protocol.on_headers_complete()
        self._is_repeated = False


def _new(callbacks: Any) -> Any:
    parser = httptools.HttpRequestParser(callbacks)
    # As uvicorn's own: a request that was sent behind the last one costs that one no answer.
    parser.set_dangerous_leniencies(lenient_data_after_close=True)
    return parser


def _framing(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [header for header in headers if header[0] in _FRAMING]
