"""A look at the Redis server: its version, role, memory, persistence and clock."""

import contextlib
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from marquee.bus.redis.faults import URL, Mistake, mistake_of

DEFAULT_PORT = 6379
_AWAY = f"start it (make demo does), or set {URL}"


@dataclass(frozen=True)
class RedisServer:
    """What a server tells of itself; an absent name or None: it may not be looked at.

    Attributes:
        info: values of INFO by name.
        config: values of CONFIG GET by name.
        clock_ahead_s: seconds by which its clock is ahead of that of this machine.
    """

    info: dict[str, Any] = field(default_factory=dict)
    config: dict[str, str] = field(default_factory=dict)
    clock_ahead_s: float | None = None


@dataclass(frozen=True)
class RedisFault:
    """The reason why a server cannot be used.

    Attributes:
        text: the fault, in one line.
        remedy: what mends it.
        passes: waiting may mend it: the server is away, or starts.
    """

    text: str
    remedy: str
    passes: bool


def look_at_redis(url: str, timeout_s: float = 1.0) -> RedisServer | RedisFault:
    """Ask a server for its state; nothing is written, and no error is raised.

    Args:
        url: A valid address (`marquee.addresses.redis_url_fault`).
        timeout_s: Limit of each call, in seconds.
    """
    client: Any = redis.Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        with contextlib.suppress(redis.exceptions.NoPermissionError):
            client.ping()
        return RedisServer(
            _allowed(client.info) or {},
            _allowed(lambda: client.config_get("save", "appendfsync")) or {},
            _clock_ahead_s(client),
        )
    except (redis.RedisError, OSError) as error:
        return _fault(error, url, timeout_s)
    except (TypeError, ValueError):
        # The client takes each name after the ? as an argument of its own.
        text = f"{URL} has an unknown option after the ?, or one with a wrong value"
        return RedisFault(text, "leave it out", passes=False)
    finally:
        client.close()


def _allowed(ask: Callable[[], Any]) -> Any:
    """Return an answer, None if the server does not let this user ask, or not know the command."""
    try:
        return ask()
    except redis.ResponseError as error:
        if isinstance(error, redis.exceptions.AskError) or "CLUSTERDOWN" in str(error):
            raise
        return None


def _clock_ahead_s(client: Any) -> float | None:
    before = time.time()
    server = _allowed(client.time)
    if server is None:
        return None
    return float(server[0] + server[1] / 1e6 - (before + time.time()) / 2)


def _fault(error: Exception, url: str, timeout_s: float) -> RedisFault:
    mistake = mistake_of(error) or _wrong_tls(error, url, timeout_s)
    if mistake is not None:
        return RedisFault(mistake.text, mistake.remedy, passes=False)
    return RedisFault(str(error), _AWAY, passes=True)


def _wrong_tls(error: Exception, url: str, timeout_s: float) -> Mistake | None:
    """Return the mistake of TLS where the server speaks none, or the reverse; None if neither."""
    cause = error.__cause__ or error.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        text = f"the certificate of the server of {URL} is not trusted: {cause.verify_message}"
        return Mistake(text, "name its authority by ?ssl_ca_certs=FILE")
    if isinstance(error, redis.ResponseError) or isinstance(cause, ConnectionRefusedError):
        return None
    parts = urlsplit(url)
    address = parts.hostname or "localhost", parts.port or DEFAULT_PORT
    if parts.scheme == "rediss":
        if _speaks_plain(address, timeout_s):
            text = f"{URL} begins with rediss://, and its port speaks no TLS"
            return Mistake(text, "write redis://, or the port that speaks TLS")
    # A server that speaks TLS answers what it cannot read by an alert, or hangs up: at once.
    elif not isinstance(error, redis.TimeoutError) and _speaks_tls(address, timeout_s):
        return Mistake(f"{URL} begins with redis://, and its port speaks TLS", "write rediss://")
    return None


def _speaks_plain(address: tuple[str, int], timeout_s: float) -> bool:
    try:
        with socket.create_connection(address, timeout_s) as plain:
            plain.sendall(b"PING\r\n")
            return plain.recv(1) in (b"+", b"-")
    except OSError:
        return False


def _speaks_tls(address: tuple[str, int], timeout_s: float) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # nothing is sent to it
    try:
        with socket.create_connection(address, timeout_s) as raw, context.wrap_socket(raw):
            return True
    except ssl.SSLError as error:
        # An alert is TLS, too: the server may want a certificate of the client.
        return "ALERT" in str(error.reason)
    except OSError:
        return False
