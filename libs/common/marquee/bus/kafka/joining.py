"""Completion of a rebalance that ended while the member was not polling.

kafka-python 3.0.12 drops the result of a join that arrives between two polls and joins again, which
starts a rebalance for all members. With several members, of which one is always between two polls,
the group rebalances without end.
"""

from typing import Any


def keep_join_results(consumer: Any) -> None:
    """Make a consumer of the client take up a join that has ended since its last poll.

    The client asks for each attempt by one method and takes its result up by another one. While a
    result of the current generation waits, the attempt is that result.
    """
    coordinator = consumer._coordinator
    attempt, take_up = coordinator._do_join_and_sync_async, coordinator._on_join_complete_async
    waiting: list[tuple[int, bytes]] = []

    async def join() -> bytes:
        if waiting and waiting[0][0] == coordinator._generation.generation_id:
            return waiting[0][1]
        waiting.clear()
        assignment: bytes = await attempt()
        waiting.append((coordinator._generation.generation_id, assignment))
        return assignment

    async def complete(*arguments: Any) -> None:
        waiting.clear()
        await take_up(*arguments)

    coordinator._do_join_and_sync_async = join
    coordinator._on_join_complete_async = complete
