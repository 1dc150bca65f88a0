"""A look at one broker before a client connects: the client would retry what no retry mends.

It speaks the first requests of the protocol itself, since kafka-python tells the reason of a
refused connection in its log alone.
"""

import contextlib
import socket
import ssl
import struct

from marquee.bus.kafka.connection.faults import (
    KafkaFault,
    certificate_fault,
    client_certificate_fault,
)
from marquee.bus.kafka.connection.frames import (
    API_VERSIONS,
    METADATA,
    ask,
    read,
    read_answer,
    request,
)
from marquee.bus.kafka.connection.login import try_login
from marquee.bus.kafka.connection.security import KafkaSecurity
from marquee.tls import connected_by_tls, speaks_tls

_ALERT = b"\x15\x03"
"""How an alert of TLS begins: the answer to plain text."""


def probe_server(server: str, security: KafkaSecurity, timeout_s: float) -> KafkaFault | None:
    """Return why no client can connect to a broker, None if nothing speaks against it.

    A broker that is silent has no fault here: the client has limits of its own.

    Args:
        server: HOST:PORT.
        security: How clients connect.
        timeout_s: Limit of each step, in seconds.

    Raises:
        SettingsError: A file of the security cannot be used.
    """
    host, _, port = server.rpartition(":")
    address = host.strip("[]"), int(port)
    try:
        if security.uses_tls:
            with connected_by_tls(
                security.ssl_context(), address, timeout_s, address[0]
            ) as encrypted:
                return _protocol_fault(encrypted, server, security)
        with socket.create_connection(address, timeout_s) as link:
            return _plain_fault(link, address, server, security, timeout_s)
    except ssl.SSLCertVerificationError as error:
        return certificate_fault(server, error.verify_code, error.verify_message)
    except TimeoutError:
        return None if _listens(address, timeout_s) else _away(server)
    except OSError as error:
        return _tls_fault(error, address, server, security, timeout_s)


def _away(server: str) -> KafkaFault:
    return KafkaFault(f"nobody listens at {server}", "", passes=True)


def _tls_fault(
    error: OSError,
    address: tuple[str, int],
    server: str,
    security: KafkaSecurity,
    timeout_s: float,
) -> KafkaFault:
    """Return the fault behind a connection that was refused or broken off."""
    if isinstance(error, ssl.SSLError) and "ALERT" in str(error.reason):
        return client_certificate_fault(server, security, str(error.reason))
    if security.uses_tls and _speaks_plain(address, timeout_s):
        text = f"{server} speaks no TLS"
        remedy = "name the port that does in MARQUEE_KAFKA_SERVERS, or set"
        return KafkaFault(
            text, f"{remedy} MARQUEE_KAFKA_SECURITY_PROTOCOL={security.without_tls}", passes=False
        )
    return _away(server)


def _plain_fault(
    link: socket.socket,
    address: tuple[str, int],
    server: str,
    security: KafkaSecurity,
    timeout_s: float,
) -> KafkaFault | None:
    """Return the fault of a connection in plain text."""
    link.settimeout(timeout_s)
    with contextlib.suppress(ConnectionError):
        link.sendall(request(API_VERSIONS, 0))
        start = link.recv(2, socket.MSG_PEEK)
        if start and start != _ALERT:
            if not read_answer(link):
                return _other_protocol(server)
            return _protocol_fault(link, server, security)
    if speaks_tls(address, timeout_s):
        remedy = f"set MARQUEE_KAFKA_SECURITY_PROTOCOL={security.with_tls}"
        return KafkaFault(f"{server} speaks TLS", remedy, passes=False)
    return _away(server)


def _other_protocol(server: str) -> KafkaFault:
    remedy = "name brokers in MARQUEE_KAFKA_SERVERS"
    return KafkaFault(f"{server} does not speak Kafka's protocol", remedy, passes=False)


def _protocol_fault(link: socket.socket, server: str, security: KafkaSecurity) -> KafkaFault | None:
    """Return the fault that the broker answers to the first requests of a client."""
    # With TLS 1.3 a broker refuses the client's certificate after the greeting.
    if security.uses_tls and not ask(link, API_VERSIONS, 0):
        return client_certificate_fault(server, security, "")
    if security.uses_sasl:
        return try_login(link, server, security)
    if ask(link, METADATA, 1, struct.pack(">i", 0)):
        return None
    protocol = "SASL_SSL" if security.uses_tls else "SASL_PLAINTEXT"
    remedy = f"set MARQUEE_KAFKA_SECURITY_PROTOCOL={protocol}, MARQUEE_KAFKA_USER and"
    return KafkaFault(
        f"{server} asks for a user", f"{remedy} MARQUEE_KAFKA_PASSWORD_FILE", passes=False
    )


def _listens(address: tuple[str, int], timeout_s: float) -> bool:
    try:
        socket.create_connection(address, timeout_s).close()
    except OSError:
        return False
    return True


def _speaks_plain(address: tuple[str, int], timeout_s: float) -> bool:
    try:
        with socket.create_connection(address, timeout_s) as link:
            link.sendall(request(API_VERSIONS, 0))
            return read(link, 4)[:2] == b"\x00\x00"
    except OSError:
        return False
