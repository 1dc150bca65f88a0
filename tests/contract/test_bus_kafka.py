"""The bus on Kafka keeps the contract, on a real broker."""

import gc
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import kafka
import pytest

from marquee.bus_kafka import KafkaBus
from marquee.testing import GROUP, PARTITIONS, TOPIC, BusContract, Restartable, killable

# The client leaves sockets of refused connections to the garbage collector.
pytestmark = [
    pytest.mark.kafka,
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

SESSION_S = 6.0
"""The shortest that a broker allows by default."""
MEMBER = """
import sys
from marquee.bus_kafka import KafkaBus
bus = KafkaBus(sys.argv[1], sys.argv[2], session_s=float(sys.argv[3]))
subscription = bus.subscribe(sys.argv[4], [sys.argv[5]], lambda _: 0, lambda _: None)
while True:
    subscription.poll(0.2, 1)
"""


class TestKafkaBus(BusContract):
    patience = 15.0

    @pytest.fixture
    def bus(
        self, kafka_server: Restartable, namespace: str, caplog: pytest.LogCaptureFixture
    ) -> Iterator[KafkaBus]:
        # Records of its log would keep the sockets past the end of the test.
        caplog.set_level(logging.CRITICAL, logger="kafka")
        self.server, self.namespace = kafka_server, namespace
        bus = KafkaBus(kafka_server.address, namespace, session_s=SESSION_S, timeout_s=5.0)
        yield bus
        bus.close()
        gc.collect()

    def dying(self) -> AbstractContextManager[Callable[[], object]]:
        arguments = (self.server.address, self.namespace, str(SESSION_S), GROUP, TOPIC)
        return killable(MEMBER, *arguments)

    def outage(self) -> AbstractContextManager[object]:
        return self.server.outage()

    def trim(self) -> None:
        admin = kafka.KafkaAdminClient(bootstrap_servers=self.server.address)
        topic = f"{self.namespace}.{TOPIC}"
        admin.delete_records({kafka.TopicPartition(topic, p): -1 for p in range(PARTITIONS)})
        admin.close()
