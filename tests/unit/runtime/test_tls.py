"""Looks by TLS at servers that hang up leave no socket open."""

import gc
import socket
import ssl
import struct
import threading
import warnings
from collections.abc import Iterator

import pytest

from marquee.tls import connected_by_tls

RESET = struct.pack("ii", 1, 0)


@pytest.fixture(params=["resets", "hangs up", "speaks another protocol"])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    """A server that ends each connection, in one of three ways."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                link, _ = listening.accept()
            except OSError:
                return
            with link:
                if request.param == "resets":
                    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                elif request.param == "speaks another protocol":
                    link.sendall(b"-ERR unknown command\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    yield listening.getsockname()
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join()


def test_a_connection_that_fails_is_closed(server: tuple[str, int]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        for _ in range(300):
            with pytest.raises((ssl.SSLError, ConnectionError)):
                connected_by_tls(context, server, 1.0)
        gc.collect()
    assert [str(warning.message) for warning in caught] == []


def test_nobody_is_an_error_of_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = gone.getsockname()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with pytest.raises(ConnectionRefusedError):
        connected_by_tls(context, address, 1.0, "localhost")
