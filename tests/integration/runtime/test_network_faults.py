"""The real consumer loop and a real Valkey, with a network between them that fails."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
import redis
import uvloop

from content.consumer import HANDLERS as CONTENT_HANDLERS
from gateway.consumer import GatewayProjection
from marquee.bus.api import Outgoing, TopicPartition
from marquee.bus.redis.bus import RedisBus
from marquee.bus.topics import create_topics
from marquee.consumer.batches import Pace
from marquee.consumer.worker import Worker
from marquee.domain.rating_sums import RatingSums
from marquee.events import MOVIES, RATINGS, RatingAdded
from marquee.serving.update_stream import connect
from marquee.snapshots.partition import PartitionSnapshot
from marquee.store.keys import Keys
from marquee.store.redis import RedisStore
from marquee_local.servers import valkey
from marquee_testing.servers.fault_proxy import FaultProxy, Link, fault_proxy
from marquee_testing.waiting import until

PARTITIONS = 4
USERS = range(1, 41)


class SumsProjection(GatewayProjection):
    """The facts of the content service without its model: sums show what is applied twice."""

    handlers = CONTENT_HANDLERS

    def on_idle(self, partitions: frozenset[TopicPartition]) -> None:
        """Have nothing to do between steps."""


class NoSnapshots:
    """A history that holds nothing."""

    def read(self, _: TopicPartition) -> PartitionSnapshot | None:
        return None


@dataclass
class Consumer:
    """A running consumer, with its store behind one link and its bus behind another."""

    worker: Worker
    store_link: Link
    bus_link: Link
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self.worker.run, args=(self.stop,))
        self.thread.start()


@dataclass
class Service:
    """A service whose consumers reach Valkey through a proxy; the test itself has it directly."""

    url: str
    proxy: FaultProxy
    bus: RedisBus
    namespace: str
    consumers: list[Consumer] = field(default_factory=list)

    def start(self, seconds: float = 0.5) -> Consumer:
        """Start a consumer; a command to its store times out after `seconds`."""
        address = self.url.removeprefix("redis://").removesuffix("/0")
        store_link, bus_link = self.proxy.link(address), self.proxy.link(address)
        worker = Worker(
            self.keys,
            (MOVIES, RATINGS),
            RedisBus(f"redis://{bus_link.address}/0", self.namespace, timeout_s=1.0),
            RedisStore(f"redis://{store_link.address}/0", timeout=seconds),
            NoSnapshots(),
            SumsProjection(),
            Pace(pauses=(0.001,), batch=8),
        )
        self.consumers.append(Consumer(worker, store_link, bus_link))
        return self.consumers[-1]

    @property
    def keys(self) -> Keys:
        return Keys(self.namespace, "content", PARTITIONS)

    def rate(self, movie_id: int, half: int = 8) -> None:
        """Let every user rate a movie."""
        events = [
            RatingAdded.model_validate(
                {"data": {"user_id": u, "movie_id": movie_id, "rating": half / 2}}
            )
            for u in USERS
        ]
        self.bus.producer().publish([Outgoing.of(event) for event in events])

    def n(self, movie_id: int) -> int:
        """Return by how many users a movie is rated, as the store has it."""
        store = RedisStore(self.url)
        hashes = [store.scan(keys.sums) for keys in self.keys.all(RATINGS)]
        store.close()
        return sum(RatingSums.unpack(sums.get(str(movie_id).encode())).n for sums in hashes)


@pytest.fixture
def service(redis_url: str, namespace: str) -> Iterator[Service]:
    bus = RedisBus(redis_url, namespace)
    create_topics(bus, PARTITIONS)
    with fault_proxy() as proxy:
        made = Service(redis_url, proxy, bus, namespace)
        yield made
        for consumer in made.consumers:
            consumer.store_link.heal()
            consumer.bus_link.heal()
            consumer.stop.set()
        for consumer in made.consumers:
            consumer.thread.join(60)
            assert not consumer.thread.is_alive()
    bus.close()


def test_a_step_whose_reply_is_lost_is_looked_up_and_not_applied_again(service: Service) -> None:
    link = service.start().store_link
    service.rate(1)
    until(lambda: service.n(1) == len(USERS))
    link.lose_replies(5, b"EVALSHA")
    service.rate(2)
    until(lambda: service.n(2) == len(USERS))
    service.rate(3)
    until(lambda: service.n(3) == len(USERS))
    assert link.lost_replies == 5
    assert [service.n(movie) for movie in (1, 2, 3)] == [len(USERS)] * 3


@pytest.mark.parametrize("which", ["store_link", "bus_link"])
def test_connections_reset_all_the_time_lose_nothing_and_apply_nothing_twice(
    service: Service, which: str
) -> None:
    link: Link = getattr(service.start(), which)
    for movie in range(1, 21):
        service.rate(movie)
        link.reset()
    until(lambda: service.n(20) == len(USERS))
    assert [service.n(movie) for movie in range(1, 21)] == [len(USERS)] * 20


@pytest.mark.parametrize("which", ["store_link", "bus_link"])
def test_a_consumer_that_is_cut_off_says_so_and_goes_on_where_it_was_once_healed(
    service: Service, which: str
) -> None:
    consumer = service.start()
    link: Link = getattr(consumer, which)
    service.rate(1)
    until(lambda: service.n(1) == len(USERS))
    link.cut()
    until(lambda: not consumer.worker.health.ready)
    service.rate(2)
    link.heal()
    until(lambda: service.n(2) == len(USERS) and consumer.worker.health.ready)
    assert service.n(1) == len(USERS)


def test_a_slow_network_only_takes_its_time(service: Service) -> None:
    link = service.start().store_link
    link.delay_up = link.delay_down = 0.01
    service.rate(1)
    until(lambda: service.n(1) == len(USERS))
    assert service.n(1) == len(USERS)


def test_a_step_that_arrives_after_a_twin_took_over_changes_nothing(service: Service) -> None:
    """The bytes of the step wait in the network; meanwhile another consumer does the work."""
    late = service.start(seconds=30.0)
    service.rate(1)
    until(lambda: service.n(1) == len(USERS))
    late.store_link.cut_at(b"EVALSHA")  # all is read by then, and the step computed
    service.rate(2)
    until(lambda: late.store_link.is_cut)
    late.bus_link.cut()  # its leases run out
    service.start()
    until(lambda: service.n(2) == len(USERS))
    service.rate(3)
    until(lambda: service.n(3) == len(USERS))
    late.store_link.heal()
    late.bus_link.heal()
    service.rate(4)
    until(lambda: service.n(4) == len(USERS))
    assert [service.n(movie) for movie in range(1, 5)] == [len(USERS)] * 4


def test_a_server_that_refuses_is_waited_for(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The proxy itself: refused while it refuses, carried again after."""
    with valkey(tmp_path_factory.mktemp("refusing")) as url, fault_proxy() as proxy:
        link = proxy.link(url.removeprefix("redis://").removesuffix("/0"))
        store = RedisStore(f"redis://{link.address}/0", timeout=1.0)
        assert store.get("nothing") is None
        link.refuse()
        with pytest.raises(Exception, match="Redis"):
            store.get("nothing")
        link.heal()
        assert store.get("nothing") is None
        store.close()


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_connection_that_was_reset_while_it_was_idle_counts_as_lost_on_each_event_loop(
    redis_url: str, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """uvloop has an error of its own for it, which the client does not know."""

    async def use_after_reset() -> None:
        client = connect(redis_url)
        await client.ping()
        client.connection_pool._available_connections[0]._writer.transport.abort()
        with pytest.raises(redis.ConnectionError):
            await client.ping()
        assert await client.ping()
        await client.aclose()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(use_after_reset())
