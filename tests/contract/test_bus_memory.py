"""The bus in memory keeps the contract of the real ones."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from marquee_testing import GROUP, TOPIC, BusContract
from marquee_testing.fakes.bus import MemoryBus


class TestMemoryBus(BusContract):
    @pytest.fixture
    def bus(self) -> MemoryBus:
        self.memory = MemoryBus(session_s=0.5)
        return self.memory

    @contextmanager
    def dying(self) -> Iterator[Callable[[], object]]:
        member = self.memory.subscribe(GROUP, [TOPIC], lambda _: 0, lambda _: None)
        member.poll(0.0, 1)
        yield lambda: None

    @contextmanager
    def outage(self) -> Iterator[None]:
        self.memory.available = False
        yield
        self.memory.available = True

    def trim(self) -> None:
        self.memory.trim(TOPIC, 0)
