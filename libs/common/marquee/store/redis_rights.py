"""A trial of rights at a Redis server, by calls without any effect."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from marquee.bus.redis.faults import is_forbidden
from marquee.store.rights import Grant

_NO_SCRIPT = "0" * 40
"""The digest of no script: the server looks at rights first, and then knows no such script."""
_PROBES = ("evalsha", "get", "hget", "hgetall", "hvals", "xinfo|stream")


def forbidden_by(url: str, grants: Sequence[Grant], timeout_s: float = 1.0) -> list[str]:
    """Return calls of some grants that the server forbids; none where it does not answer.

    Args:
        url: The address of the server, with the user.
        grants: The grants to try, each by one call on each of its patterns of keys.
        timeout_s: Limit of the one round trip, in seconds.
    """
    calls = [call for grant in grants for call in _calls(grant)]
    replies: list[Any] = []
    with contextlib.suppress(redis.RedisError, OSError, TypeError, ValueError):
        replies = _replies(url, calls, timeout_s)
    pairs = zip(calls, replies, strict=False)
    return [" ".join(map(str, call)) for call, reply in pairs if is_forbidden(reply)]


def _replies(url: str, calls: Sequence[tuple[Any, ...]], timeout_s: float) -> list[Any]:
    client: Any = redis.Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        pipe = client.pipeline(transaction=False)
        for call in calls:
            pipe.execute_command(*call)
        return list(pipe.execute(raise_on_error=False))
    finally:
        client.close()


def _calls(grant: Grant) -> Iterator[tuple[Any, ...]]:
    """Yield a call on each kind of key of a grant that changes nothing, if there is such a one."""
    command = next((name for name in _PROBES if name in grant.commands), None)
    for pattern in grant.keys:
        key = pattern.replace("*", "0")
        if command == "evalsha":
            yield "EVALSHA", _NO_SCRIPT, 1, key
        elif command == "hget":
            yield "HGET", key, "0"
        elif command is not None:
            yield *command.upper().split("|"), key
