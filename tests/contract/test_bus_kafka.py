"""The bus on Kafka keeps the contract, on a real broker."""

import contextlib
import gc
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import kafka
import pytest
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError
from kafka.producer.sender import Sender

from marquee.bus.api import Outgoing
from marquee.bus.kafka.bus import KafkaBus
from marquee.bus.kafka.client import KafkaNames
from marquee.bus.kafka.producer import KafkaProducer
from marquee.events import MODELS
from marquee_testing import (
    GROUP,
    PARTITIONS,
    TOPIC,
    BusContract,
    Reader,
    Restartable,
    killable,
    until,
)
from marquee_testing.waiting import PATIENCE

# The client leaves sockets of refused connections to the garbage collector.
pytestmark = [
    pytest.mark.kafka,
    pytest.mark.filterwarnings("ignore:unclosed <(socket|ssl):ResourceWarning"),
]

SESSION_S = 6.0
"""The shortest that a broker allows by default."""
MEMBER = """
import sys
from marquee.bus.kafka.bus import KafkaBus
from marquee.bus.kafka.client import KafkaNames
from marquee.bus.kafka.producer import KafkaProducer
bus = KafkaBus(sys.argv[1], sys.argv[2], session_s=float(sys.argv[3]), member=sys.argv[6])
subscription = bus.subscribe(sys.argv[4], [sys.argv[5]], lambda _: 0, lambda _: None)
while True:
    subscription.poll(0.2, 1)
"""


class TestKafkaBus(BusContract):
    patience = 90.0

    @pytest.fixture
    def bus(
        self, kafka_server: Restartable, namespace: str, caplog: pytest.LogCaptureFixture
    ) -> Iterator[KafkaBus]:
        # Records of its log would keep the sockets past the end of the test.
        caplog.set_level(logging.CRITICAL, logger="kafka")
        self.server, self.namespace = kafka_server, namespace
        # Of members that live: a busy machine must not have them expelled, and partitions moved.
        bus = KafkaBus(kafka_server.address, namespace, session_s=5 * SESSION_S)
        yield bus
        bus.close()
        gc.collect()

    def dying(self) -> AbstractContextManager[Callable[[], object]]:
        return self.member("", SESSION_S)

    def member(self, name: str, session_s: float) -> AbstractContextManager[Callable[[], object]]:
        """Return a member in a process of its own."""
        arguments = (self.server.address, self.namespace, str(session_s), GROUP, TOPIC, name)
        return killable(MEMBER, *arguments)

    def outage(self) -> AbstractContextManager[object]:
        return self.server.outage()

    def trim(self) -> None:
        admin = kafka.KafkaAdminClient(bootstrap_servers=self.server.address)
        topic = f"{self.namespace}.{TOPIC}"
        admin.delete_records({kafka.TopicPartition(topic, p): -1 for p in range(PARTITIONS)})
        admin.close()

    # --- what Kafka alone has

    def test_a_named_member_that_is_killed_gets_its_partitions_back_at_once(
        self, bus: KafkaBus
    ) -> None:
        bus.create_topics({TOPIC: PARTITIONS})
        session_s = 2 * self.patience * PATIENCE

        def named(name: str) -> KafkaBus:
            return KafkaBus(self.server.address, self.namespace, session_s=session_s, member=name)

        other, again = named("other"), named("killed")
        with self.member("killed", session_s) as kill:
            first = Reader(other)
            until(lambda: len(first.subscription.assigned) == 2, self.patience, first.step)
            kept = first.subscription.assigned
            kill()
        second = Reader(again)
        # Both poll: a rebalance under way when the member was killed ends once all have joined.
        until(
            lambda: len(second.subscription.assigned) == 2,
            self.patience,
            lambda: [reader.step() for reader in (first, second)],
        )
        assert first.subscription.assigned == kept
        assert not kept.intersection(first.revoked)
        for reader, bus in ((first, other), (second, again)):
            reader.subscription.close()
            bus.close()

    def test_messages_given_up_are_not_sent_later(self, topic: KafkaBus) -> None:
        def lingering() -> kafka.KafkaProducer:
            """Return a producer of the client that sends after a minute, or when it is flushed."""
            return kafka.KafkaProducer(bootstrap_servers=self.server.address, linger_ms=60_000)

        def senders() -> set[threading.Thread]:
            return {thread for thread in threading.enumerate() if isinstance(thread, Sender)}

        others, names = senders(), KafkaNames(self.namespace)
        slow = KafkaProducer(lingering, names, topic.partitions, 1.0, contextlib.nullcontext)
        with pytest.raises(KafkaError):
            slow.publish([Outgoing(TOPIC, b"1", b"given up")])
        until(lambda: not senders() - others)
        producer, reader = topic.producer(), Reader(topic)
        producer.publish([Outgoing(TOPIC, b"1", b"after")])
        until(lambda: bool(reader.read), self.patience, reader.step)
        assert [message.value for _, message in reader.read] == [b"after"]
        producer.close()
        reader.subscription.close()

    def test_topics_keep_their_messages_as_long_as_is_stated(self, bus: KafkaBus) -> None:
        bus.create_topics({TOPIC: 1, MODELS: 1})
        admin = kafka.KafkaAdminClient(bootstrap_servers=self.server.address)
        outside = {topic: f"{self.namespace}.{topic}" for topic in (TOPIC, MODELS)}
        found = admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, name) for name in outside.values()]
        )["topic"]
        admin.close()
        assert "2592000000" in str(found[outside[TOPIC]]["retention.ms"])  # 30 days
        assert "-1" in str(found[outside[MODELS]]["retention.ms"])
