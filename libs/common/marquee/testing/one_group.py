"""A service's consumers on a bus and store of their own, in threads that end with the test."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from marquee.bus import Bus, Outgoing, Published, TopicPartition
from marquee.events import MOVIES, RATINGS, Event
from marquee.facts import PartitionSnapshot
from marquee.films import Film
from marquee.ratings import Ratings
from marquee.store import Keys, RedisStore
from marquee.worker import Pace, Reaction, Worker, create_topics

PARTITIONS = 4


class NoSnapshots:
    """A history that holds nothing."""

    def read(self, _: TopicPartition) -> PartitionSnapshot | None:
        return None


@dataclass
class OneGroup:
    """Publishes, consumes, and reads back what was made of it."""

    bus: Bus
    url: str
    namespace: str
    threads: list[tuple[threading.Event, threading.Thread]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = RedisStore(self.url)
        create_topics(self.bus, PARTITIONS)

    def keys(self, service: str = "gateway") -> Keys:
        """Return the names of a service's keys."""
        return Keys(self.namespace, service, PARTITIONS)

    def start(self, reaction: Reaction, service: str = "gateway") -> Worker:
        """Start a consumer of a service; a failing event is tried three times."""
        worker = Worker(
            self.keys(service),
            (MOVIES, RATINGS),
            self.bus,
            RedisStore(self.url),
            NoSnapshots(),
            reaction,
            Pace(pauses=(0.001, 0.001)),
        )
        stop = threading.Event()
        thread = threading.Thread(target=worker.run, args=(stop,))
        thread.start()
        self.threads.append((stop, thread))
        return worker

    def stop(self) -> None:
        """Stop all consumers."""
        for stop, _ in self.threads:
            stop.set()
        for _, thread in self.threads:
            thread.join(20)
            assert not thread.is_alive()
        self.threads.clear()

    def publish(self, *events: Event) -> list[Published]:
        """Publish events."""
        return self.send(*map(Outgoing.of, events))

    def send(self, *messages: Outgoing) -> list[Published]:
        """Publish messages, whatever they are."""
        producer = self.bus.producer()
        try:
            return producer.publish(messages)
        finally:
            producer.close()

    def applied(self, published: list[Published], service: str = "gateway") -> None:
        """Wait until a service has passed all that was published."""
        for last in published:
            keys = self.keys(service).of(last.partition)
            until(lambda keys=keys, at=last.offset: (self.store.position(keys) or 0) > at)  # type: ignore[misc]

    def ratings(self, user_id: int, service: str = "gateway") -> Ratings:
        """Return what a service keeps of a viewer."""
        keys = self.keys(service).user(user_id)
        return Ratings.unpack(self.store.get(keys.user(user_id)))

    def films(self, service: str = "gateway") -> dict[int, Film]:
        """Return the films that a service keeps."""
        rows = [self.store.scan(keys.films) for keys in self.keys(service).all(MOVIES)]
        films = [Film.model_validate_json(row) for part in rows for row in part.values()]
        return {film.movie_id: film for film in films}


@contextlib.contextmanager
def one_group(bus: Bus, url: str, namespace: str) -> Iterator[OneGroup]:
    """Lend a group on a bus; its consumers are stopped and the bus is closed at the end."""
    group = OneGroup(bus, url, namespace)
    try:
        yield group
    finally:
        group.stop()
        group.store.close()
        bus.close()


def until(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    """Wait for a condition; fail when it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.005)
