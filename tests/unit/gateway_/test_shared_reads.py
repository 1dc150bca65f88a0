"""Reads of one moment share a round trip, and none gets a value older than its own request."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.state.shared_reads import SharedReads


class Server:
    """Answers when it is let go, with the values of the moment at which it was asked."""

    def __init__(self) -> None:
        self.version = 0
        self.calls: list[list[str]] = []
        self.gates: list[asyncio.Event] = []
        self.error: Exception | None = None

    async def fetch(self, keys: list[str]) -> Sequence[bytes | None]:
        self.calls.append(keys)
        values = [f"{key}={self.version}".encode() for key in keys]
        self.gates.append(asyncio.Event())
        await self.gates[-1].wait()
        if self.error is not None:
            raise self.error
        return values

    async def release(self) -> None:
        """Answer the call under way."""
        self.gates[-1].set()
        for _ in range(6):
            await asyncio.sleep(0)


async def turns() -> None:
    for _ in range(6):
        await asyncio.sleep(0)


async def test_what_comes_meanwhile_goes_together() -> None:
    server = Server()
    reads = SharedReads(server.fetch, ["common"])
    first = asyncio.create_task(reads.read("a"))
    await turns()
    others = [asyncio.create_task(reads.read(key)) for key in ("b", None, "c")]
    await turns()
    assert server.calls == [["a", "common"]]
    await server.release()
    assert await first == (b"a=0", [b"common=0"])
    assert server.calls[1:] == [["b", "c", "common"]]
    await server.release()
    assert [(await other)[0] for other in others] == [b"b=0", None, b"c=0"]
    await reads.close()


async def test_a_failure_is_told_to_each_of_its_round_trip_and_to_no_other() -> None:
    server = Server()
    reads = SharedReads(server.fetch)
    first = asyncio.create_task(reads.read("a"))
    await turns()
    later = asyncio.create_task(reads.read("b"))
    server.error = ConnectionError("gone")
    await server.release()
    with pytest.raises(ConnectionError):
        await first
    server.error = None
    await server.release()
    assert (await later)[0] == b"b=0"


async def test_one_that_gives_up_takes_nothing_from_others() -> None:
    server = Server()
    reads = SharedReads(server.fetch)
    gone, stays = (asyncio.create_task(reads.read(key)) for key in ("a", "b"))
    await turns()
    gone.cancel()
    await server.release()
    assert (await stays)[0] == b"b=0"
    assert gone.cancelled()


async def test_a_close_ends_what_waits() -> None:
    server = Server()
    reads = SharedReads(server.fetch)
    waiting = [asyncio.create_task(reads.read("a"))]
    await turns()
    waiting.append(asyncio.create_task(reads.read("b")))
    await turns()
    await reads.close()
    assert all(isinstance(e, asyncio.CancelledError) for e in await asyncio.gather(
        *waiting, return_exceptions=True
    ))  # fmt: skip


@given(st.lists(st.sampled_from(["ask", "change", "answer"]), max_size=40))
@settings(max_examples=200)
def test_no_value_is_older_than_its_request(steps: list[str]) -> None:
    async def run() -> None:
        server = Server()
        reads = SharedReads(server.fetch)
        asked: list[tuple[int, asyncio.Task[tuple[bytes | None, Sequence[bytes | None]]]]] = []
        for step in steps:
            if step == "ask":
                asked.append((server.version, asyncio.create_task(reads.read(f"k{len(asked)}"))))
                await turns()
            elif step == "change":
                server.version += 1
            elif server.gates:
                await server.release()
        while not all(task.done() for _, task in asked):
            await server.release()
        for number, (version, task) in enumerate(asked):
            value, _ = task.result()
            assert value is not None
            key, _, seen = value.decode().partition("=")
            assert key == f"k{number}"
            assert int(seen) >= version

    asyncio.run(run())
