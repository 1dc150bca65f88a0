"""The bus in memory keeps the contract of the real ones."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from marquee.bus_memory import MemoryBus
from marquee.testing import GROUP, TOPIC, BusContract


class TestMemoryBus(BusContract):
    @pytest.fixture
    def bus(self) -> MemoryBus:
        return MemoryBus(session_s=0.5)

    @contextmanager
    def dying(self, bus: MemoryBus) -> Iterator[Callable[[], object]]:
        member = bus.subscribe(GROUP, [TOPIC], lambda _: 0, lambda _: None)
        member.poll(0.0, 1)
        yield lambda: None

    @contextmanager
    def outage(self, bus: MemoryBus) -> Iterator[None]:
        bus.available = False
        yield
        bus.available = True

    def trim(self, bus: MemoryBus) -> None:
        bus.trim(TOPIC, 0)
