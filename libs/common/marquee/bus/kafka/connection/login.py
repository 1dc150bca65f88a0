"""A login by SCRAM, tried before a client connects.

kafka-python 3.0.12 tells a refused login in its log alone, and tries again until its time is up.
"""

import socket
import struct

from kafka.net.sasl.scram import ScramClient

from marquee.bus.kafka.connection.faults import KafkaFault, login_fault
from marquee.bus.kafka.connection.frames import (
    SASL_AUTHENTICATE,
    SASL_HANDSHAKE,
    ask,
    string,
    strings,
)
from marquee.bus.kafka.connection.security import KafkaSecurity

_UNSUPPORTED_MECHANISM = 33
_NO_ERROR = 0


def try_login(link: socket.socket, server: str, security: KafkaSecurity) -> KafkaFault | None:
    """Log in over a connection; return why the broker does not let the user in, None if it does.

    Args:
        link: A connection over which API versions were asked for, and nothing else.
        server: HOST:PORT, for the text of a fault.
        security: User, password and mechanism.
    """
    try:
        return _log_in(link, server, security)
    except (ValueError, KeyError, struct.error):
        text = "the broker does not prove that it knows the password, or speaks no SCRAM"
        remedy = "look whether MARQUEE_KAFKA_SERVERS leads to the right brokers"
        return KafkaFault(text, remedy, passes=False)


def _log_in(link: socket.socket, server: str, security: KafkaSecurity) -> KafkaFault | None:
    answer = ask(link, SASL_HANDSHAKE, 1, string(security.mechanism))
    code = struct.unpack_from(">h", answer)[0] if answer else None
    if code == _UNSUPPORTED_MECHANISM:
        offered = ", ".join(strings(answer[2:])) or "none"
        remedy = "set MARQUEE_KAFKA_SASL_MECHANISM to one of them"
        text = f"{server} takes {offered}, not {security.mechanism}"
        return KafkaFault(text, remedy, passes=False)
    if code != _NO_ERROR:
        protocol = "SSL" if security.uses_tls else "PLAINTEXT"
        remedy = "name its port for users in MARQUEE_KAFKA_SERVERS, or set"
        remedy = f"{remedy} MARQUEE_KAFKA_SECURITY_PROTOCOL={protocol}"
        return KafkaFault(f"{server} takes no user", remedy, passes=False)
    return _authenticate(link, security)


def _authenticate(link: socket.socket, security: KafkaSecurity) -> KafkaFault | None:
    scram = ScramClient(security.user, security.password, security.mechanism)
    first = _exchange(link, scram.first_message())
    if first is None:
        return login_fault(security)
    scram.process_server_first_message(first)
    final = _exchange(link, scram.final_message())
    if final is None:
        return login_fault(security)
    scram.process_server_final_message(final)
    return None


def _exchange(link: socket.socket, message: bytes) -> bytes | None:
    """Return what the broker answers to a message of the login, None if it refuses it."""
    body = struct.pack(">i", len(message)) + message
    answer = ask(link, SASL_AUTHENTICATE, 0, body)
    if not answer or struct.unpack_from(">h", answer)[0] != _NO_ERROR:
        return None
    text_length = struct.unpack_from(">h", answer, 2)[0]
    at = 4 + max(0, text_length)
    length = struct.unpack_from(">i", answer, at)[0]
    return answer[at + 4 : at + 4 + length]
