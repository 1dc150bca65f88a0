"""The bus on Redis Streams keeps the contract, on a real server."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from marquee.bus.redis.bus import RedisBus
from marquee_testing import GROUP, PARTITIONS, TOPIC, BusContract, Restartable, killable

MEMBER = """
import sys
from marquee.bus.redis.bus import RedisBus
bus = RedisBus(sys.argv[1], sys.argv[2])
subscription = bus.subscribe(sys.argv[3], [sys.argv[4]], lambda _: 0, lambda _: None)
while True:
    subscription.poll(0.2, 1)
"""


class TestRedisBus(BusContract):
    patience = 15.0

    @pytest.fixture
    def bus(self, redis_server: Restartable, namespace: str) -> Iterator[RedisBus]:
        self.server, self.namespace = redis_server, namespace
        bus = RedisBus(redis_server.address, namespace)
        self.client = bus.client
        yield bus
        bus.close()

    def dying(self) -> AbstractContextManager[Callable[[], object]]:
        return killable(MEMBER, self.server.address, self.namespace, GROUP, TOPIC)

    def outage(self) -> AbstractContextManager[object]:
        return self.server.outage()

    def trim(self) -> None:
        for partition in range(PARTITIONS):
            key = f"{self.namespace}:log:{{{TOPIC}:{partition}}}"
            assert self.client.xtrim(key, maxlen=0, approximate=False)
