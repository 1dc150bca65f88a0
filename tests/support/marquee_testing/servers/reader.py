"""Restartable servers, and a bus reader that records all messages."""

import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field

from marquee.bus.api import Bus, Message, Outgoing, Published, TopicPartition

TOPIC, GROUP, PARTITIONS = "ratings", "readers", 4
KEYS = tuple(str(key) for key in range(1, 41))
"""Keys that hit all four partitions."""


def numbered(count: int, start: int = 0) -> list[Outgoing]:
    """Return messages that contain their number, over all keys in turn."""
    return [
        Outgoing(TOPIC, KEYS[n % len(KEYS)].encode(), b"%d" % n)
        for n in range(start, start + count)
    ]


class Restartable:
    """A server that a test may stop and start again at its address; `run` takes the port."""

    def __init__(self, run: Callable[[int], AbstractContextManager[str]]) -> None:
        self._run = run
        self._stack = ExitStack()
        self.address = self._stack.enter_context(run(0))

    def stop(self) -> None:
        """Stop the server; its data stay."""
        self._stack.close()

    def start(self) -> None:
        """Start the server again."""
        port = int(self.address.rpartition(":")[2].partition("/")[0])
        self._stack.enter_context(self._run(port))

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Stop the server for the time of the context."""
        self.stop()
        try:
            yield
        finally:
            self.start()


@contextmanager
def killable(code: str, *arguments: str) -> Iterator[Callable[[], object]]:
    """Run Python code in a child process; yield a function that kills it, as the end does."""
    command = [sys.executable, "-c", code, *arguments]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        try:
            yield process.kill
        finally:
            process.kill()


@dataclass
class Reader:
    """A member of the group; readers that share `positions` take over from each other."""

    bus: Bus
    positions: dict[TopicPartition, int] = field(default_factory=dict)
    read: list[tuple[TopicPartition, Message]] = field(default_factory=list)
    revoked: list[TopicPartition] = field(default_factory=list)
    topics: tuple[str, ...] = (TOPIC,)

    def __post_init__(self) -> None:
        self.subscription = self.bus.subscribe(
            GROUP, self.topics, lambda p: self.positions.get(p, 0), self.revoked.append
        )

    def step(self, seconds: float = 0.1, limit: int = 500) -> int:
        """Poll once; keep the messages and new positions; return the number of messages."""
        found = self.subscription.poll(seconds, limit)
        for partition, messages in found.items():
            assert partition in self.subscription.assigned
            self.read += [(partition, message) for message in messages]
            self.positions[partition] = messages[-1].offset + 1
            self.subscription.commit({partition: self.positions[partition]})
        return sum(map(len, found.values()))

    def by_partition(self) -> dict[TopicPartition, list[Message]]:
        """Return the messages read, in order, by partition."""
        found = defaultdict(list)
        for partition, message in self.read:
            found[partition].append(message)
        return dict(found)


Publish = Callable[[list[Outgoing]], list[Published]]
Join = Callable[[], Reader]
