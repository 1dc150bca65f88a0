"""Mistakes of TLS to a Redis server: on one side only, or a certificate that is not taken."""

import socket
import ssl
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

import redis

from marquee.bus.redis.faults import URL, Mistake
from marquee.tls import connected_by_tls, speaks_tls, unverified_context

DEFAULT_PORT = 6379
Address = tuple[str, int]


def tls_mistake_of(error: Exception, url: str, timeout_s: float) -> Mistake | None:
    """Return the mistake of TLS that an error of the client shows, None if there is none.

    Args:
        error: The error.
        url: The address of the server with all options.
        timeout_s: Limit of each call that looks for the mistake, in seconds.
    """
    cause = error.__cause__ or error.__context__ or error
    if isinstance(error, redis.ResponseError) or isinstance(cause, ConnectionRefusedError):
        return None
    parts = urlsplit(url)
    address = parts.hostname or "localhost", parts.port or DEFAULT_PORT
    if parts.scheme != "rediss":
        # A server that speaks TLS answers what it cannot read by an alert, or hangs up: at once.
        if not isinstance(error, redis.TimeoutError) and speaks_tls(address, timeout_s):
            return Mistake(
                f"{URL} begins with redis://, and its port speaks TLS", "write rediss://"
            )
        return None
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _wrong_server(cause)
    options = dict(parse_qsl(parts.query))
    if mistake := _wrong_files(options):
        return mistake
    if _speaks_plain(address, timeout_s):
        text = f"{URL} begins with rediss://, and its port speaks no TLS"
        return Mistake(text, "write redis://, or the port that speaks TLS")
    return _refused_certificate(options, address, timeout_s)


def _wrong_server(error: ssl.SSLCertVerificationError) -> Mistake:
    """Return what is wrong with the certificate of the server."""
    reason = error.verify_message
    if "mismatch" in reason:
        text = f"the certificate of the server of {URL} is for another name: {reason}"
        return Mistake(text, "write the name that it is for")
    text = f"the certificate of the server of {URL} is not trusted: {reason}"
    return Mistake(text, "name its authority by MARQUEE_REDIS_CA")


def _wrong_files(options: Mapping[str, str]) -> Mistake | None:
    """Return which of this process's files cannot be used, None if all can."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    name = "MARQUEE_REDIS_CA"
    try:
        if authorities := options.get("ssl_ca_certs"):
            context.load_verify_locations(authorities)
        name = "MARQUEE_REDIS_CERTIFICATE, or its MARQUEE_REDIS_KEY,"
        _load_certificate(context, options)
    except OSError as error:  # those of ssl are among them
        remedy = "name a file in PEM; the key must be that of the certificate"
        return Mistake(f"{name} cannot be used: {error.strerror or error}", remedy)
    return None


def _load_certificate(context: ssl.SSLContext, options: Mapping[str, str]) -> None:
    if own := options.get("ssl_certfile"):
        # Without a password the library would ask at the terminal for that of an encrypted key.
        password = options.get("ssl_password", "")
        context.load_cert_chain(own, options.get("ssl_keyfile"), password)


def _refused_certificate(
    options: Mapping[str, str], address: Address, timeout_s: float
) -> Mistake | None:
    """Return the mistake of a certificate that is missing or not taken, None if it is neither.

    With TLS 1.3 a server refuses a client by an alert after the greeting, which the client of Redis
    may lose while it writes. A server that takes the client is silent, and one that hangs up may
    be a proxy of a server that is away, which is waited for.
    """
    context = unverified_context()
    _load_certificate(context, options)
    try:
        with connected_by_tls(context, address, timeout_s, address[0]) as connection:
            connection.recv(1)
        return None
    except OSError as error:  # those of ssl are among them
        reason = str(getattr(error, "reason", ""))
    if "ALERT" not in reason:
        return None
    if "ssl_certfile" not in options:
        text = f"the server of {URL} asks for a certificate, and this process shows none"
        return Mistake(f"{text} ({reason})", "set MARQUEE_REDIS_CERTIFICATE and MARQUEE_REDIS_KEY")
    text = f"the server does not take the certificate of MARQUEE_REDIS_CERTIFICATE ({reason})"
    return Mistake(text, "take one that an authority of the server has signed, valid now")


def _speaks_plain(address: Address, timeout_s: float) -> bool:
    try:
        with socket.create_connection(address, timeout_s) as plain:
            plain.sendall(b"PING\r\n")
            return plain.recv(1) in (b"+", b"-")
    except OSError:
        return False
