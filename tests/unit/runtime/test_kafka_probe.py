"""A look at whoever listens at a broker's address ends with a fault or none, whatever it sends."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marquee.bus.kafka.connection.probe import probe_server
from marquee.bus.kafka.connection.security import KafkaSecurity

LOGIN = KafkaSecurity("SASL_PLAINTEXT", "SCRAM-SHA-512", "user", "password")
SECURITIES = [
    KafkaSecurity(),
    LOGIN,
    KafkaSecurity("SSL"),
    KafkaSecurity("SASL_SSL", "SCRAM-SHA-256", "u", "p"),
]


def framed(answer: bytes) -> bytes:
    """Return an answer as Kafka frames it."""
    return struct.pack(">ii", len(answer) + 4, 1) + answer


@contextmanager
def answering(answers: list[bytes]) -> Iterator[str]:
    """Listen, and send the next answer at each request of a connection; then hang up."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with closing(connection), suppress(OSError):
                for answer in answers:
                    connection.recv(65_536)
                    connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


anything = st.binary(max_size=60)


@given(st.lists(st.one_of(anything, anything.map(framed)), max_size=4), st.sampled_from(SECURITIES))
@settings(max_examples=100)
def test_any_answer_leads_to_a_fault_in_one_line_or_to_none(
    answers: list[bytes], security: KafkaSecurity
) -> None:
    with answering(answers) as server:
        fault = probe_server(server, security, 0.05)
    if fault is not None:
        assert fault.text
        assert "\n" not in str(fault)


def test_a_broker_that_does_not_know_the_password_is_not_believed() -> None:
    # It would take any login: the last message of SCRAM proves that it knows the password.
    first = b"r=" + b"x" * 32 + b",s=c2FsdA==,i=4096"
    body = struct.pack(">hh", 0, -1) + struct.pack(">i", len(first)) + first
    handshake = struct.pack(">hi", 0, 0)
    with answering([framed(b"\0" * 6), framed(handshake), framed(body)]) as server:
        fault = probe_server(server, LOGIN, 2.0)
    assert fault is not None
    assert "does not prove that it knows the password" in fault.text
    assert not fault.passes


@pytest.mark.parametrize("security", SECURITIES[:2])
def test_a_server_of_another_protocol_is_told(security: KafkaSecurity) -> None:
    with answering([b"HTTP/1.1 400 Bad Request\r\n\r\n"]) as server:
        fault = probe_server(server, security, 2.0)
    assert fault is not None
    assert "does not speak Kafka's protocol" in fault.text


def test_a_silent_server_and_nobody_are_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = f"127.0.0.1:{listener.getsockname()[1]}"
        assert probe_server(server, LOGIN, 0.2) is None
    fault = probe_server(server, LOGIN, 0.2)
    assert fault is not None
    assert fault.passes
