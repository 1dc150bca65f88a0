"""The parser of HTTP reads every body to its end, whatever protocol a request asks for."""

from dataclasses import dataclass, field

import httptools
from hypothesis import given
from hypothesis import strategies as st

from marquee.http_server.parser import Parser

UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n"
INNER = b"GET /inner HTTP/1.1\r\nHost: x\r\n\r\n"
"""A body that is a request by itself."""


@dataclass
class Read:
    """What a parser has read of one request."""

    url: bytes = b""
    body: bytes = b""
    is_whole: bool = False


@dataclass
class Reader:
    """Callbacks that keep what is read, as the server's protocol does."""

    read: list[Read] = field(default_factory=list)
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.parser = Parser(self)

    def on_message_begin(self) -> None:
        self.read.append(Read())
        self.headers = []

    def on_url(self, url: bytes) -> None:
        self.read[-1].url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        assert self.parser.get_method() in (b"GET", b"POST")
        assert not self.parser.should_upgrade()

    def on_body(self, body: bytes) -> None:
        self.read[-1].body += body

    def on_message_complete(self) -> None:
        if not self.parser.body_follows:
            self.read[-1].is_whole = True


@dataclass(frozen=True)
class Sent:
    """A request as it is sent."""

    body: bytes | None
    is_chunked: bool
    asks_for_upgrade: bool

    def encode(self, url: bytes) -> bytes:
        head = (b"GET " if self.body is None else b"POST ") + url + b" HTTP/1.1\r\nHost: x\r\n"
        head += UPGRADE if self.asks_for_upgrade else b""
        if self.body is None:
            return head + b"\r\n"
        if not self.is_chunked:
            return head + b"Content-Length: %d\r\n\r\n%s" % (len(self.body), self.body)
        chunk = b"%x\r\n%s\r\n" % (len(self.body), self.body) if self.body else b""
        return head + b"Transfer-Encoding: chunked\r\n\r\n%s0\r\nTrailer: y\r\n\r\n" % chunk


BODIES = st.none() | st.just(INNER) | st.binary(max_size=40)
REQUESTS = st.lists(st.builds(Sent, BODIES, st.booleans(), st.booleans()), min_size=1, max_size=5)


@given(REQUESTS, st.lists(st.integers(0, 1500), max_size=12))
def test_requests_of_a_connection_are_read_alike_in_any_pieces(
    requests: list[Sent], cuts: list[int]
) -> None:
    data = b"".join(sent.encode(b"/%d" % i) for i, sent in enumerate(requests))
    reader, places = Reader(), sorted({0, *(cut % len(data) for cut in cuts), len(data)})
    for start, end in zip(places, places[1:], strict=False):
        reader.parser.feed_data(data[start:end])
    wanted = [Read(b"/%d" % i, sent.body or b"", True) for i, sent in enumerate(requests)]
    assert reader.read == wanted


def test_what_is_no_http_behind_an_upgrade_is_an_error() -> None:
    reader = Reader()
    head = b"POST /0 HTTP/1.1\r\n" + UPGRADE + b"Transfer-Encoding: chunked\r\n\r\n"
    try:
        reader.parser.feed_data(head + b"zz\r\n")
    except httptools.HttpParserError:
        assert not reader.read[0].is_whole
    else:
        raise AssertionError(reader.read)
