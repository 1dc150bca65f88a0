"""Test system: bus and store on real servers, consumer loops in threads."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from marquee.bus.api import Bus, Outgoing, Published, TopicPartition
from marquee.bus.topics import create_topics
from marquee.consumer.batches import Pace
from marquee.consumer.projection import Projection, Snapshots
from marquee.consumer.worker import Worker
from marquee.domain.movies import Movie
from marquee.domain.rating_sums import RatingSums
from marquee.domain.ratings import Ratings
from marquee.events import MOVIES, RATINGS, Event
from marquee.snapshots.partition import PartitionSnapshot
from marquee.store.keys import Keys, PartitionKeys
from marquee.store.redis import RedisStore
from marquee_testing.waiting import until

PARTITIONS = 4


class NoSnapshots:
    """A history that holds nothing."""

    def read(self, _: TopicPartition) -> PartitionSnapshot | None:
        """See `Snapshots.read`."""
        return None


@dataclass
class System:
    """A separate bus and store, with workers that end with the test."""

    bus: Bus
    url: str
    namespace: str
    facts: Callable[[], Projection] | None = None
    """Makes the reaction of a worker that is given none."""
    threads: list[tuple[threading.Event, threading.Thread]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = RedisStore(self.url)

    def keys(self, service: str = "gateway") -> Keys:
        """Return the keys of a service."""
        return Keys(self.namespace, service, PARTITIONS)

    def start(
        self,
        projection: Projection | None = None,
        service: str = "gateway",
        store: RedisStore | None = None,
        snapshots: Snapshots | None = None,
    ) -> Worker:
        """Run a worker in a thread of its own; a failing event is tried three times."""
        if projection is None:
            assert self.facts is not None, "name the reaction"
            projection = self.facts()
        worker = Worker(
            self.keys(service),
            (MOVIES, RATINGS),
            self.bus,
            store or RedisStore(self.url),
            snapshots or NoSnapshots(),
            projection,
            Pace(pauses=(0.001, 0.001)),
        )
        stop = threading.Event()
        thread = threading.Thread(target=worker.run, args=(stop,))
        thread.start()
        self.threads.append((stop, thread))
        return worker

    def stop(self) -> None:
        """End the workers that run."""
        for stop, _ in self.threads:
            stop.set()
        for _, thread in self.threads:
            thread.join(60)
            assert not thread.is_alive()
        self.threads.clear()

    def publish(self, *events: Event) -> list[Published]:
        """Publish events; return where they are."""
        return self.send(*map(Outgoing.of, events))

    def send(self, *messages: Outgoing) -> list[Published]:
        """Publish messages, whatever they are; return where they are."""
        producer = self.bus.producer()
        try:
            return producer.publish(messages)
        finally:
            producer.close()

    def wait(self, published: list[Published], service: str = "gateway") -> None:
        """Wait until a service has handled what was published."""
        for last in published:
            until(partial(self._passed, self.keys(service).of(last.partition), last))

    def _passed(self, keys: PartitionKeys, last: Published) -> bool:
        return (self.store.position(keys) or 0) > last.offset

    def ratings(self, user_id: int, service: str = "gateway") -> Ratings:
        """Return a user's facts as a service holds them."""
        keys = self.keys(service).user(user_id)
        return Ratings.unpack(self.store.get(keys.user(user_id)))

    def sums(self, movie_id: int) -> tuple[int, int, int]:
        """Return a movie's sums over all partitions, as `content` holds them."""
        total = (0, 0, 0)
        for keys in self.keys("content").all(RATINGS):
            part = RatingSums.unpack(self.store.scan(keys.sums).get(str(movie_id).encode())).totals
            total = (total[0] + part[0], total[1] + part[1], total[2] + part[2])
        return total

    def movies(self, service: str = "gateway") -> dict[int, Movie]:
        """Return the movies that a service keeps."""
        rows = [self.store.scan(keys.movies) for keys in self.keys(service).all(MOVIES)]
        movies = [Movie.model_validate_json(row) for part in rows for row in part.values()]
        return {movie.movie_id: movie for movie in movies}


@contextmanager
def running(
    bus: Bus, url: str, namespace: str, facts: Callable[[], Projection] | None = None
) -> Iterator[System]:
    """Yield a system with its topics; end its workers and the bus afterwards."""
    create_topics(bus, PARTITIONS)
    system = System(bus, url, namespace, facts)
    try:
        yield system
    finally:
        system.stop()
        system.store.close()
        system.bus.close()
