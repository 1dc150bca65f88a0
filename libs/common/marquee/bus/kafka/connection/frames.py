"""The few requests of Kafka's protocol that a look at a broker needs, as bytes."""

import contextlib
import socket
import ssl
import struct

API_VERSIONS, METADATA, SASL_HANDSHAKE, SASL_AUTHENTICATE = 18, 3, 17, 36
_CORRELATION = 1
_MAX_BYTES = 1_000_000


def request(api: int, version: int, body: bytes = b"") -> bytes:
    """Return a request without the name of a client, and with one correlation id."""
    text = struct.pack(">hhih", api, version, _CORRELATION, -1) + body
    return struct.pack(">i", len(text)) + text


def ask(link: socket.socket, api: int, version: int, body: bytes = b"") -> bytes:
    """Send a request and return its answer; b"" if the broker breaks the connection off."""
    with contextlib.suppress(ConnectionError, ssl.SSLEOFError):
        link.sendall(request(api, version, body))
        return read_answer(link)
    return b""


def read_answer(link: socket.socket) -> bytes:
    """Return an answer without its length and correlation id; b"" if there is none."""
    start = read(link, 8)
    if len(start) < 8:
        return b""
    length, correlation = struct.unpack(">ii", start)
    if correlation != _CORRELATION or not 4 <= length <= _MAX_BYTES:
        return b""  # whoever listens there speaks another protocol
    answer = read(link, length - 4)
    return answer if len(answer) == length - 4 else b""


def read(link: socket.socket, length: int) -> bytes:
    """Return so many bytes, or fewer if the connection ends."""
    data = b""
    while len(data) < length and (part := link.recv(length - len(data))):
        data += part
    return data


def string(text: str) -> bytes:
    """Return a string as the protocol has it."""
    data = text.encode()
    return struct.pack(">h", len(data)) + data


def strings(data: bytes) -> list[str]:
    """Return an array of strings of the protocol."""
    count, at, found = struct.unpack_from(">i", data)[0], 4, []
    for _ in range(count):
        length = struct.unpack_from(">h", data, at)[0]
        found.append(data[at + 2 : at + 2 + length].decode())
        at += 2 + length
    return found
