"""A real Valkey that loses its last second or has no room left, and consumers that stand still."""

import asyncio
import os
import resource
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from content.consumer import HANDLERS as CONTENT_HANDLERS
from gateway.consumer import GatewayProjection
from gateway.state.live_view import LiveView
from marquee.bus.api import Bus, TopicPartition, dead_letter_topic
from marquee.bus.redis.bus import RedisBus
from marquee.bus.topics import create_topics
from marquee.consumer.batches import Pace
from marquee.consumer.worker import Worker
from marquee.events import MOVIES, RATINGS, MovieAdded
from marquee.serving.update_stream import connect
from marquee.snapshots.partition import PartitionSnapshot
from marquee.store.keys import Keys
from marquee.store.redis import RedisStore
from marquee_local import servers
from marquee_testing import Restartable
from marquee_testing.servers.raters import all_rated, publish, rate
from marquee_testing.waiting import until, until_async

PARTITIONS = 4
FULL = 300_000
"""Bytes that a file of the server may have before its disk counts as full."""


class SumsProjection(GatewayProjection):
    """The facts of the content service without its model: sums show what is applied twice."""

    handlers = CONTENT_HANDLERS


class NoSnapshots:
    """A history that holds nothing."""

    def read(self, _: TopicPartition) -> PartitionSnapshot | None:
        return None


class Running:
    """A consumer in a thread: its store is the server in trouble, its bus another one."""

    def __init__(self, bus: Bus, keys: Keys, url: str) -> None:
        self.worker = Worker(
            keys,
            (MOVIES, RATINGS),
            bus,
            RedisStore(url),
            NoSnapshots(),
            SumsProjection(),
            Pace(pauses=(0.001, 0.001), compare_seconds=0.2),
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.worker.run, args=(self._stop,), daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()


@pytest.fixture
def bus(redis_url: str, namespace: str) -> Iterator[RedisBus]:
    made = RedisBus(redis_url, namespace)
    create_topics(made, PARTITIONS)
    yield made
    made.close()


# --- the last second is lost


@pytest.mark.parametrize("lost", [1, 700, 5_000, 20_000])
def test_results_and_position_go_back_together_and_what_is_missing_is_handled_again(
    bus: RedisBus, namespace: str, tmp_path: Path, lost: int
) -> None:
    """Killed, and without the last bytes of its file, whatever command they cut in two."""
    server = Restartable(lambda port: servers.valkey(tmp_path, port))
    keys = Keys(namespace, "content", PARTITIONS)
    running = Running(bus, keys, server.address)
    for movie in range(1, 11):
        rate(bus, movie)
    until(all_rated(server.address, keys, 10))
    before = positions(server.address, keys)
    kill(server)
    [file] = tmp_path.glob("appendonlydir/*.incr.aof")
    os.truncate(file, file.stat().st_size - lost)
    server.start()
    assert positions(server.address, keys) != before
    until(all_rated(server.address, keys, 10))
    assert positions(server.address, keys) == before
    rate(bus, 11)
    until(all_rated(server.address, keys, 11))
    running.end()
    server.stop()


def test_an_app_forgets_what_the_store_has_forgotten_and_learns_it_again(
    bus: RedisBus, namespace: str, tmp_path: Path
) -> None:
    server = Restartable(lambda port: servers.valkey(tmp_path, port))
    keys = Keys(namespace, "gateway", PARTITIONS)
    content = Keys(namespace, "content", PARTITIONS)
    running = Running(bus, keys, server.address)

    async def follow() -> None:
        client = connect(server.address)
        memory = LiveView(client, keys, content)
        memory.tail.start()
        publish(bus, *(movie(i) for i in range(1, 9)))
        await until_async(lambda: len(memory.catalogue) == 8)
        running.end()  # nobody tells the store again
        kill(server)
        [file] = tmp_path.glob("appendonlydir/*.incr.aof")
        os.truncate(file, file.stat().st_size // 2)
        server.start()
        kept = movies(server.address, keys)
        assert kept < set(range(1, 9))
        await until_async(lambda: {row.movie_id for row in memory.catalogue} == kept)
        again = Running(bus, keys, server.address)
        await until_async(lambda: len(memory.catalogue) == 8)
        again.end()
        await memory.tail.close()
        await client.aclose()

    asyncio.run(follow())
    server.stop()


def movie(movie_id: int) -> MovieAdded:
    return MovieAdded.model_validate({"data": {"movie_id": movie_id, "title": f"T{movie_id}"}})


def movies(url: str, keys: Keys) -> set[int]:
    store = RedisStore(url)
    found = {int(i) for partition in keys.all(MOVIES) for i in store.scan(partition.movies)}
    store.close()
    return found


def positions(url: str, keys: Keys) -> list[int | None]:
    store = RedisStore(url)
    found = [store.position(partition) for partition in keys.all(RATINGS)]
    store.close()
    return found


def kill(server: Restartable) -> None:
    """End a server by SIGKILL."""
    with Redis.from_url(server.address) as client:
        information: Any = client.info("server")
    os.kill(information["process_id"], signal.SIGKILL)
    server.stop()


# --- no room


@pytest.fixture
def cramped(tmp_path: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """A server on whose disk there is room for little, and what makes room."""
    port = servers.free_port()
    process = subprocess.Popen(
        servers.valkey_command(tmp_path, port),
        preexec_fn=lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN),
    )
    hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (FULL, hard))
    url = f"redis://127.0.0.1:{port}/0"
    with Redis.from_url(url) as client:
        until(lambda: answers(client))
    yield url, lambda: resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard, hard)) and None
    process.terminate()
    process.wait(60)


def answers(client: "Redis") -> bool:
    try:
        return bool(client.ping())
    except Exception:
        return False


def test_a_store_without_room_is_waited_for_and_no_event_is_given_up(
    bus: RedisBus, namespace: str, cramped: tuple[str, Callable[[], None]]
) -> None:
    url, make_room = cramped
    keys = Keys(namespace, "content", PARTITIONS)
    running = Running(bus, keys, url)
    rate(bus, 1)
    until(all_rated(url, keys, 1))
    sent = 1
    while not refused(url):
        sent += 1
        rate(bus, sent)
    rate(bus, sent + 1)
    health = running.worker.health
    until(lambda: health.waiting_for is not None and "MISCONF" in health.waiting_for)
    assert not health.ready
    assert letters(bus) == 0
    make_room()
    until(all_rated(url, keys, sent + 1))
    until(lambda: health.ready)
    assert letters(bus) == 0
    running.end()


def refused(url: str) -> bool:
    """Whether the server takes no more writes."""
    with Redis.from_url(url) as client:
        try:
            client.set("probe", "x" * 2000)
        except ResponseError as error:
            return "MISCONF" in str(error)
    return False


def letters(bus: RedisBus) -> int:
    ends = bus.streams.ranges([TopicPartition(dead_letter_topic(RATINGS), 0)])
    return sum(end for _, end in ends.values())
