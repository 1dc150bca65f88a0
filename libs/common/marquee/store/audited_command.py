"""Audit of commands: an entry before what a command does, and how it ended after it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis

from marquee.audit.entries import AuditEntry
from marquee.audit.operations import Operation
from marquee.bus.redis.faults import describe
from marquee.errors import Conflict, NotFound, StoreUnavailable

TIMEOUT_S = 5.0


@contextmanager
def audited_command(
    url: str, namespace: str, keep: int, entry: AuditEntry
) -> Iterator[dict[str, Any]]:
    """Write the entry of a command, and how the command ended.

    Where the command is refused (`NotFound`, `Conflict`) it has no effect, and its entry goes.

    Args:
        url: Address of Redis, which keeps the audit.
        namespace: Prefix of the system's keys.
        keep: How many entries of operations stay.
        entry: Who does what, and why, with the state before.

    Yields:
        A dictionary to put the state after the command into, under `after`; without it the entry
        keeps saying that the outcome is unknown.

    Raises:
        StoreUnavailable: Redis is away: nothing is done that leaves no entry.
    """
    operation, outcome = Operation.of(namespace, keep, entry), dict[str, Any]()
    client = redis.Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
    with client:
        _execute(client, operation.begin())
        try:
            yield outcome
        except (Conflict, NotFound):
            _execute(client, operation.withdraw())
            raise
        if "after" in outcome:
            _execute(client, operation.finish(outcome["after"]))


def _execute(client: Any, commands: list[Any]) -> None:
    pipe = client.pipeline(transaction=True)
    for command in commands:
        pipe.execute_command(*command)
    try:
        pipe.execute()
    except (redis.RedisError, OSError) as error:
        raise StoreUnavailable(f"audit: {describe(error)}") from error
