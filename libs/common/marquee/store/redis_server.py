"""A look at the Redis server: its version, role, memory, persistence and clock."""

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from marquee.bus.redis.faults import URL, mistake_of
from marquee.store.redis_tls import tls_mistake_of

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
        info = _allowed(client.info) or {}
        return RedisServer(info, _config(client, info), _clock_ahead_s(client))
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


def _config(client: Any, info: Mapping[str, Any]) -> dict[str, str]:
    """Return what CONFIG tells of persistence, nothing where it is not asked or not allowed.

    It is not for processes: it shows the server's secrets. So a user with a name, who probably may
    not call it, asks only where INFO leaves open whether anything is saved: what the server refuses
    stands in its ACL LOG, which should show attacks alone.
    """
    user = client.connection_pool.connection_kwargs.get("username")
    if info.get("aof_enabled") and user not in (None, "default"):
        return {}
    return _allowed(lambda: client.config_get("save", "appendfsync")) or {}


def _clock_ahead_s(client: Any) -> float | None:
    before = time.time()
    server = _allowed(client.time)
    if server is None:
        return None
    return float(server[0] + server[1] / 1e6 - (before + time.time()) / 2)


def _fault(error: Exception, url: str, timeout_s: float) -> RedisFault:
    mistake = mistake_of(error) or tls_mistake_of(error, url, timeout_s)
    if mistake is not None:
        return RedisFault(mistake.text, mistake.remedy, passes=False)
    return RedisFault(str(error), _AWAY, passes=True)
