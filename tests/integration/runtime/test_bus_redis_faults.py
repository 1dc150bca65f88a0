"""What the bus on Redis does when the server or a lease is lost."""

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from marquee.bus.api import TopicPartition
from marquee.bus.redis.bus import RedisBus
from marquee.errors import BusUnavailable, Conflict, NotFound, PositionLost
from marquee_local import servers
from marquee_testing import PARTITIONS, TOPIC, Reader, Restartable, numbered, until


def test_what_was_published_outlives_a_killed_server(tmp_path: Path, namespace: str) -> None:
    server = Restartable(lambda port: servers.valkey(tmp_path, port, appendfsync="always"))
    bus = RedisBus(server.address, namespace)
    bus.create_topics({TOPIC: PARTITIONS})
    producer = bus.producer()
    published = producer.publish(numbered(100))
    information: Any = bus.client.info("server")
    os.kill(information["process_id"], signal.SIGKILL)
    with pytest.raises(BusUnavailable):
        producer.publish(numbered(1))
    server.stop()
    server.start()
    published += producer.publish(numbered(100, 100))
    reader = Reader(bus)
    until(lambda: len(reader.read) >= 200, 30.0, reader.step)
    assert {(p.partition, p.offset) for p in published} == {(p, m.offset) for p, m in reader.read}
    reader.subscription.close()
    bus.close()
    server.stop()


def test_a_log_that_comes_back_shorter_is_noticed(redis_url: str, namespace: str) -> None:
    bus = RedisBus(redis_url, namespace)
    bus.create_topics({TOPIC: PARTITIONS})
    places = bus.producer().publish(numbered(40))
    reader = Reader(bus)
    until(lambda: len(reader.read) >= 40, 30.0, reader.step)
    lost = places[0].partition
    bus.client.delete(f"{namespace}:log:{{{lost}}}")
    with pytest.raises(PositionLost, match=f"{lost}: position .* 0 to 0"):
        until(lambda: False, 30.0, reader.step)
    with pytest.raises(NotFound, match="gone"):
        bus.producer().publish(numbered(1))
    reader.subscription.close()
    bus.close()


def test_a_member_whose_lease_another_has_taken_reads_no_more(
    redis_url: str, namespace: str
) -> None:
    bus = RedisBus(redis_url, namespace)
    bus.create_topics({TOPIC: PARTITIONS})
    reader = Reader(bus)
    until(lambda: len(reader.subscription.assigned) == PARTITIONS, 30.0, reader.step)
    taken = TopicPartition(TOPIC, 2)
    lease = f"{namespace}:group:readers:lease:{{{taken}}}"
    bus.client.set(lease, "somebody else", px=2000)
    until(lambda: taken in reader.revoked, 30.0, reader.step)
    assert taken not in reader.subscription.assigned
    assert bus.client.get(lease) == b"somebody else"
    until(lambda: taken in reader.subscription.assigned, 30.0, reader.step)
    reader.subscription.close()
    bus.close()


def test_a_busy_member_keeps_its_partitions_until_it_polls_again(
    redis_url: str, namespace: str
) -> None:
    bus = RedisBus(redis_url, namespace, lease_s=0.5)
    bus.create_topics({TOPIC: PARTITIONS})
    busy = Reader(bus)
    until(lambda: len(busy.subscription.assigned) == PARTITIONS, 30.0, busy.step)
    other = Reader(bus)
    busy_until = time.monotonic() + 1.5
    while time.monotonic() < busy_until:
        other.step()
        assert not other.subscription.assigned
    until(
        lambda: len(other.subscription.assigned) == 2,
        5.0,
        lambda: [reader.step() for reader in (busy, other)],
    )
    assert busy.subscription.assigned.isdisjoint(other.subscription.assigned)
    for reader in (busy, other):
        reader.subscription.close()
    bus.close()


def test_leases_run_out_for_a_member_that_cannot_renew_them(tmp_path: Path, namespace: str) -> None:
    server = Restartable(lambda port: servers.valkey(tmp_path, port))
    bus = RedisBus(server.address, namespace, timeout_s=0.5)
    bus.create_topics({TOPIC: PARTITIONS})
    reader = Reader(bus)
    until(lambda: len(reader.subscription.assigned) == PARTITIONS, 30.0, reader.step)

    def step() -> None:
        with pytest.raises(BusUnavailable):
            reader.step()
        time.sleep(0.02)

    with server.outage():
        until(lambda: not reader.subscription.assigned, 30.0, lambda: _ignoring(reader))
        assert sorted(reader.revoked) == [TopicPartition(TOPIC, n) for n in range(PARTITIONS)]
        step()
    until(lambda: len(reader.subscription.assigned) == PARTITIONS, 30.0, lambda: _ignoring(reader))
    reader.subscription.close()
    bus.close()
    server.stop()


def test_processes_that_make_the_same_topic_at_once_agree(redis_url: str, namespace: str) -> None:
    outcomes: list[object] = []

    def make(count: int) -> None:
        bus = RedisBus(redis_url, namespace)
        try:
            bus.create_topics({TOPIC: count})
            outcomes.append(count)
        except Conflict as error:
            outcomes.append(error)
        bus.close()

    threads = [threading.Thread(target=make, args=(4 + n % 2,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = {outcome for outcome in outcomes if isinstance(outcome, int)}
    assert len(made) == 1
    assert len(outcomes) == 8
    bus = RedisBus(redis_url, namespace)
    assert {bus.partitions(TOPIC)} == made
    bus.close()


def test_trimming_leaves_what_it_is_told_to(redis_url: str, namespace: str) -> None:
    bus = RedisBus(redis_url, namespace)
    bus.create_topics({TOPIC: 1})
    bus.producer().publish(numbered(1000))
    only = TopicPartition(TOPIC, 0)
    assert bus.trim(TOPIC) == 0
    dropped = bus.trim(TOPIC, keep=300)
    assert 500 <= dropped <= 700
    assert bus.streams.ranges([only]) == {only: (dropped, 1000)}
    bus.close()


def test_the_server_keeps_what_the_demo_needs_of_it(redis_url: str) -> None:
    with Redis.from_url(redis_url, decode_responses=True) as client:
        wanted = {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction"}
        for name, value in wanted.items():
            answer: Any = client.config_get(name)
            assert answer[name] == value


def _ignoring(reader: Reader) -> None:
    try:
        reader.step()
    except BusUnavailable:
        time.sleep(0.02)
