"""Contract of every event bus."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from kafka.partitioner.default import murmur2

from marquee.bus.api import Bus, Message, Outgoing, Published, TopicPartition
from marquee.errors import BusUnavailable, Conflict, NotFound, PositionLost
from marquee.events.partitioning import partition_of
from marquee_testing.servers.reader import (
    GROUP,
    KEYS,
    PARTITIONS,
    TOPIC,
    Join,
    Publish,
    Reader,
    numbered,
)
from marquee_testing.waiting import until


class BusContract:
    """Contract of each bus; subclasses give the fixture `bus` and its faults."""

    patience = 15.0
    """Seconds within which members agree who reads what, also after one has died."""

    @pytest.fixture
    def bus(self) -> Iterator[Bus]:
        """Yield a bus without topics."""
        raise NotImplementedError

    def dying(self) -> AbstractContextManager[Callable[[], object]]:
        """Return a member of the group that keeps reading; what is yielded kills it silently."""
        raise NotImplementedError

    def outage(self) -> AbstractContextManager[object]:
        """Take the server down for the time of the context."""
        raise NotImplementedError

    def trim(self) -> None:
        """Forget all messages that TOPIC has."""
        raise NotImplementedError

    @pytest.fixture
    def topic(self, bus: Bus) -> Bus:
        """Return the bus with TOPIC."""
        bus.create_topics({TOPIC: PARTITIONS})
        return bus

    @pytest.fixture
    def publish(self, topic: Bus) -> Iterator[Publish]:
        """Yield a producer's method."""
        producer = topic.producer()
        yield producer.publish
        producer.close()

    @pytest.fixture
    def join(self, topic: Bus) -> Iterator[Join]:
        """Yield a function that adds a reader; all of them share their positions."""
        readers: list[Reader] = []
        positions: dict[TopicPartition, int] = {}

        def add() -> Reader:
            readers.append(Reader(topic, positions))
            return readers[-1]

        yield add
        for reader in readers:
            reader.subscription.close()

    def settle(self, *readers: Reader) -> None:
        """Step readers until they have all partitions, evenly."""
        share = PARTITIONS // len(readers)

        def step() -> None:
            for reader in readers:
                reader.step()

        until(
            lambda: all(len(r.subscription.assigned) == share for r in readers),
            self.patience,
            step,
        )

    # --- sharing

    @pytest.mark.parametrize(("members", "largest"), [(2, 2), (3, 2), (4, 1)])
    def test_each_topic_is_shared_by_itself(self, topic: Bus, members: int, largest: int) -> None:
        sizes = {TOPIC: PARTITIONS, "second": PARTITIONS, "single": 1}
        topic.create_topics(sizes)
        readers = [Reader(topic, topics=tuple(sizes)) for _ in range(members)]

        def shares(name: str) -> list[int]:
            return [sum(p.topic == name for p in r.subscription.assigned) for r in readers]

        def is_shared() -> bool:
            return all(
                sum(shares(name)) == size and max(shares(name)) == -(-size // members)
                for name, size in sizes.items()
            )

        def step() -> None:
            for reader in readers:
                reader.step()

        until(is_shared, self.patience, step)
        assert max(shares(TOPIC)) == max(shares("second")) == largest
        for reader in readers:
            reader.subscription.close()

    # --- topics

    def test_a_topic_has_the_partitions_it_was_made_with(self, topic: Bus) -> None:
        topic.create_topics({TOPIC: PARTITIONS, "models": 1})
        assert (topic.partitions(TOPIC), topic.partitions("models")) == (PARTITIONS, 1)

    def test_another_number_of_partitions_is_a_conflict(self, topic: Bus) -> None:
        with pytest.raises(Conflict, match="4 partitions, but .* with 8"):
            topic.create_topics({TOPIC: 8})
        assert topic.partitions(TOPIC) == PARTITIONS

    def test_a_topic_that_nobody_made_is_not_found(self, bus: Bus) -> None:
        producer = bus.producer()
        with pytest.raises(NotFound, match="nowhere"):
            bus.partitions("nowhere")
        with pytest.raises((NotFound, BusUnavailable)):
            producer.publish([Outgoing("nowhere", b"1", b"lost")])
        producer.close()

    def test_a_topic_has_an_id_that_stays(self, topic: Bus) -> None:
        first = topic.topic(TOPIC)
        topic.create_topics({TOPIC: PARTITIONS})
        assert topic.topic(TOPIC) == first
        assert first.partitions == PARTITIONS
        assert first.id
        with pytest.raises(NotFound, match="nowhere"):
            topic.topic("nowhere")

    # --- publishing and reading

    def test_offsets_are_dense_and_keys_keep_their_order_and_partition(
        self, publish: Publish, join: Join
    ) -> None:
        sent = numbered(400)
        places = publish(sent[:1]) + publish(sent[1:])
        for message, place in zip(sent, places, strict=True):
            theirs = (murmur2(message.key) & 0x7FFFFFFF) % PARTITIONS
            assert place.partition == TopicPartition(TOPIC, theirs)
            assert partition_of(message.key.decode(), PARTITIONS) == theirs
        reader = join()
        until(lambda: len(reader.read) >= 400, self.patience, reader.step)
        logs = reader.by_partition()
        assert len(logs) == PARTITIONS
        for partition, log in logs.items():
            expected = [
                (place.offset, message.key, message.value)
                for message, place in zip(sent, places, strict=True)
                if place.partition == partition
            ]
            assert [(m.offset, m.key, m.value) for m in log] == expected
            assert [m.offset for m in log] == list(range(len(log)))

    def test_headers_and_bytes_come_back(self, publish: Publish, join: Join) -> None:
        value, headers = bytes(range(256)), {"reason": "späte Nachricht", "group": "content"}
        publish([Outgoing(TOPIC, b"7", value, headers), Outgoing(TOPIC, b"7", b"")])
        reader = join()
        until(lambda: len(reader.read) >= 2, self.patience, reader.step)
        first, second = (message for _, message in reader.read)
        assert (first.key, first.value, dict(first.headers)) == (b"7", value, headers)
        assert (second.value, dict(second.headers)) == (b"", {})

    def test_threads_may_share_a_producer(self, publish: Publish, join: Join) -> None:
        def work(key: str) -> None:
            for n in range(0, 50, 10):
                publish([Outgoing(TOPIC, key.encode(), b"%d" % i) for i in range(n, n + 10)])

        threads = [threading.Thread(target=work, args=(key,)) for key in KEYS[:6]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        reader = join()
        until(lambda: len(reader.read) >= 300, self.patience, reader.step)
        for key in KEYS[:6]:
            values = [m.value for _, m in reader.read if m.key == key.encode()]
            assert values == [b"%d" % n for n in range(50)]

    def test_a_poll_keeps_its_limit_and_starves_no_partition(
        self, publish: Publish, join: Join
    ) -> None:
        publish(numbered(400))
        reader = join()
        self.settle_without_reading(reader)
        counts = [reader.step(1.0, 10) for _ in range(12)]
        assert max(counts) <= 10
        assert sum(counts) >= 60
        until(lambda: len(reader.read) >= 400, self.patience, lambda: reader.step(0.1, 7))
        assert len({(p, m.offset) for p, m in reader.read}) == 400

    def settle_without_reading(self, reader: Reader) -> None:
        """Wait for all partitions; what is read meanwhile is dropped and read again."""
        until(
            lambda: len(reader.subscription.assigned) == PARTITIONS,
            self.patience,
            lambda: reader.subscription.poll(0.1, 1),
        )
        for partition in reader.subscription.assigned:
            reader.subscription.seek(partition, 0)

    def test_an_empty_poll_returns_in_time(self, join: Join) -> None:
        reader = join()
        self.settle(reader)
        start = time.monotonic()
        assert reader.subscription.poll(0.4, 10) == {}
        assert 0.3 < time.monotonic() - start < 10.0

    def test_a_waiting_poll_returns_soon_after_a_message(
        self, publish: Publish, join: Join
    ) -> None:
        reader = join()
        self.settle(reader)
        timer = threading.Timer(0.2, publish, [numbered(1)])
        timer.start()
        start = time.monotonic()
        assert reader.step(60.0) == 1
        assert time.monotonic() - start < 20.0
        timer.join()

    # --- positions

    def test_reading_starts_where_on_assigned_says_and_seek_replays(
        self, publish: Publish, join: Join
    ) -> None:
        places = publish(numbered(200))
        reader = join()
        skipped = {TopicPartition(TOPIC, p): 3 * p for p in range(PARTITIONS)}
        reader.positions.update(skipped)
        expected = {
            (p.partition, p.offset) for p in places if p.offset >= 3 * p.partition.partition
        }
        until(lambda: len(reader.read) >= len(expected), self.patience, reader.step)
        assert [(p, m.offset) for p, m in reader.read if (p, m.offset) not in expected] == []
        again = TopicPartition(TOPIC, 2)
        before = len(reader.read)
        reader.subscription.seek(again, 7)
        tail = [offset for p, offset in sorted(expected) if p == again and offset >= 7]
        until(lambda: len(reader.read) >= before + len(tail), self.patience, reader.step)
        assert reader.read[before:] == [
            (p, m) for p, m in reader.read[:before] if p == again and m.offset >= 7
        ]

    def test_ends_and_commits_tell_the_lag(self, publish: Publish, join: Join) -> None:
        places = publish(numbered(100))
        reader = join()
        self.settle(reader)
        until(lambda: len(reader.read) >= 100, self.patience, reader.step)
        ends = {TopicPartition(TOPIC, p): 0 for p in range(PARTITIONS)}
        for place in places:
            ends[place.partition] = place.offset + 1
        assert reader.subscription.ranges() == {p: (0, end) for p, end in ends.items()}
        assert reader.positions == ends

    @pytest.mark.parametrize("distance", [1, 1000])
    def test_a_position_beyond_the_end_is_lost(
        self, publish: Publish, join: Join, distance: int
    ) -> None:
        places = publish(numbered(40))
        target = places[0].partition
        end = sum(place.partition == target for place in places)
        reader = join()
        reader.positions[target] = end + distance
        with pytest.raises(PositionLost, match=rf"{target}.*{end + distance}.*0 to {end}"):
            until(lambda: False, self.patience, reader.step)
        reader.subscription.seek(target, end)
        until(lambda: len(reader.read) >= 40 - end, self.patience, reader.step)

    def test_a_position_that_was_trimmed_away_is_lost(self, publish: Publish, join: Join) -> None:
        places = publish(numbered(40))
        reader = join()
        until(lambda: len(reader.read) >= 40, self.patience, reader.step)
        self.trim()
        assert publish(numbered(1))[0].offset == reader.positions[places[0].partition]
        until(lambda: len(reader.read) >= 41, self.patience, reader.step)
        reader.subscription.seek(places[0].partition, 0)
        with pytest.raises(PositionLost, match=f"{places[0].partition}.*position 0"):
            until(lambda: False, self.patience, reader.step)

    def test_a_store_that_fails_in_on_assigned_is_asked_again(
        self, topic: Bus, publish: Publish
    ) -> None:
        publish(numbered(40))
        asked: list[TopicPartition] = []

        def position(partition: TopicPartition) -> int:
            asked.append(partition)
            if len(asked) == 1:
                raise RuntimeError("the store is away")
            return 0

        subscription = topic.subscribe(GROUP, [TOPIC], position, asked.append)
        found: list[Message] = []

        def step() -> None:
            for messages in subscription.poll(0.1, 100).values():
                found.extend(messages)

        with pytest.raises(RuntimeError, match="the store is away"):
            until(lambda: False, self.patience, step)
        until(lambda: len(found) >= 40, self.patience, step)
        assert asked[0] in asked[1:]
        assert len(found) == 40
        subscription.close()

    # --- groups

    def test_members_share_partitions_and_lose_nothing(self, publish: Publish, join: Join) -> None:
        first = join()
        self.settle(first)
        publish(numbered(200))
        second = join()
        self.settle(first, second)
        assert first.subscription.assigned.isdisjoint(second.subscription.assigned)
        assert len(first.revoked) >= 2
        publish(numbered(200, 200))
        both = (first, second)
        until(
            lambda: sum(len(r.read) for r in both) >= 400,
            self.patience,
            lambda: [r.step() for r in both],
        )
        first.subscription.close()
        self.settle(second)
        publish(numbered(200, 400))
        until(lambda: sum(len(r.read) for r in both) >= 600, self.patience, second.step)
        seen = [(p, m.offset) for reader in both for p, m in reader.read]
        assert len(seen) == len(set(seen)) == 600

    def test_a_member_that_dies_is_replaced(self, publish: Publish, join: Join) -> None:
        publish(numbered(40))
        reader = join()
        self.settle(reader)
        with self.dying() as kill:
            until(lambda: len(reader.subscription.assigned) == 2, 90.0, reader.step)
            kill()
            self.settle(reader)
        publish(numbered(40, 40))
        until(lambda: len(reader.read) >= 80, self.patience, reader.step)
        assert len({(p, m.offset) for p, m in reader.read}) == len(reader.read) == 80

    # --- a server that goes and comes

    def test_an_outage_is_said_and_loses_nothing(self, publish: Publish, join: Join) -> None:
        publish(numbered(40))
        reader = join()
        until(lambda: len(reader.read) >= 40, self.patience, reader.step)
        with self.outage():
            with pytest.raises(BusUnavailable):
                publish(numbered(1, 1000))
            with pytest.raises(BusUnavailable):
                until(lambda: False, 60.0, reader.step)
            reader.subscription.commit(reader.positions)
        sent: list[Published] = []

        def step() -> None:
            try:
                if not sent:
                    sent.extend(publish(numbered(40, 40)))
                reader.step()
            except BusUnavailable:
                time.sleep(0.05)

        values = {b"%d" % n for n in range(80)}
        until(lambda: values <= {m.value for _, m in reader.read}, 90.0, step)
        for log in reader.by_partition().values():
            assert [m.offset for m in log] == list(range(len(log)))
