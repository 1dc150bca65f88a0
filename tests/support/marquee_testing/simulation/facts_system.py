"""System of fact-keeping consumers on a real bus and store, one thread each."""

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import redis

from marquee.bus.api import Bus, Outgoing, Published, TopicPartition
from marquee.consumer.batches import Pace
from marquee.consumer.deduplication import recent_messages_in_log
from marquee.consumer.handlers.audit import audited
from marquee.consumer.handlers.by_service import FACTS_BY_SERVICE, handlers_of
from marquee.consumer.handlers.popularity import restore_sums
from marquee.consumer.handlers.restore import restore_facts
from marquee.consumer.unit_of_work import Handlers, UnitOfWork
from marquee.consumer.worker import Worker
from marquee.events import (
    MOVIES,
    RATINGS,
    Event,
    MovieAdded,
    MovieBlocked,
    MovieDismissed,
    MoviePromoted,
    MovieRemoved,
    MovieRestored,
    MovieUnblocked,
    MovieUnpromoted,
    MovieUpdated,
    MovieViewed,
    RatingAdded,
    RatingRemoved,
    UserErased,
    WatchlistAdded,
    WatchlistRemoved,
)
from marquee.settings import Settings
from marquee.snapshots.partition import PartitionSnapshot
from marquee.snapshots.source import StoredSnapshots
from marquee.store.keys import Keys
from marquee.store.redis import RedisStore
from marquee_testing.threads import Loop, looping
from marquee_testing.waiting import until

PARTITIONS = 2
SERVICES = tuple(name for name in FACTS_BY_SERVICE if name != "trainer")

_OF_MOVIE = (
    MovieAdded, MovieUpdated, MovieRemoved, MoviePromoted, MovieUnpromoted, MovieBlocked,
    MovieUnblocked,
)  # fmt: skip
_OF_USER: dict[type[Event], int] = {
    RatingAdded: 20, RatingRemoved: 4, MovieViewed: 3, MovieDismissed: 6, MovieRestored: 2,
    WatchlistAdded: 4, WatchlistRemoved: 2, UserErased: 1,
}  # fmt: skip
"""Events about a user, each with how often it comes."""


class FactsProjection:
    """A service's projection without its model."""

    def __init__(self, service: str) -> None:
        self._plain = handlers_of(service)
        self.handlers: Handlers = audited(self._plain) if service == "gateway" else self._plain
        self._facts = FACTS_BY_SERVICE[service]

    def derive_rows(self, _: UnitOfWork) -> str | None:
        """Derive nothing."""
        return None

    def restore(self, unit_of_work: UnitOfWork, piece: PartitionSnapshot) -> None:
        """Put the facts of a piece of a snapshot, as the service does."""
        (restore_sums if self._facts[RATINGS].has_sums else restore_facts)(unit_of_work, piece)
        for movie_id, text in self._texts_of(piece).items():
            unit_of_work.put_movie_text(movie_id, text)
        for event in piece.rules if self._facts[MOVIES].has_rules else ():
            self._plain[type(event)](unit_of_work, event)

    def _texts_of(self, piece: PartitionSnapshot) -> Mapping[int, str]:
        return piece.movie_texts if self._facts[RATINGS].has_movie_texts else {}

    def on_assigned(self, _: TopicPartition) -> None:
        """Keep nothing of partitions."""

    def on_idle(self, _: frozenset[TopicPartition]) -> None:
        """Have nothing to do between steps."""


@dataclass
class FactsSystem:
    """Consumers of `services`, of the settings' partitions, that end with the block `running`."""

    settings: Settings
    bus: Bus
    services: Sequence[str] = SERVICES
    pace: Pace = field(default_factory=lambda: Pace(pauses=(), compare_seconds=0.1))

    @contextmanager
    def running(self, *others: Loop) -> Iterator[None]:
        """Run the consumers, and other loops, until the block ends."""
        with looping([*(self.worker(service).run for service in self.services), *others]):
            yield

    def worker(self, service: str) -> Worker:
        """Return a new consumer of a service."""
        return Worker(
            self.keys(service),
            (MOVIES, RATINGS),
            self.bus,
            RedisStore(self.settings.redis_url.get_secret_value()),
            StoredSnapshots(self.settings.history),
            FactsProjection(service),
            self.pace,
            recent_messages_in_log(self.settings),
        )

    def keys(self, service: str) -> Keys:
        """Return the keys of a service."""
        return Keys(self.settings.namespace, service, self.settings.partitions)

    def publish(self, *events: Event) -> list[Published]:
        """Publish events; return where the log has them."""
        return self.bus.producer().publish([Outgoing.of(event) for event in events])

    def wait(self, places: Sequence[Published]) -> None:
        """Wait until every service has gone past all of these places."""
        store = RedisStore(self.settings.redis_url.get_secret_value())
        every = [(service, place) for service in self.services for place in places]

        def passed() -> bool:
            while every:
                service, place = every[-1]
                position = store.position(self.keys(service).of(place.partition))
                if position is None or position <= place.offset:
                    return False
                every.pop()
            return True

        until(passed)
        store.close()


def random_events(seed: int, n: int, strings: bool = False) -> list[Event]:
    """Return events of every kind about few movies and users; some come twice, and late.

    Args:
        seed: Equal seeds give equal events, but for their own ids.
        n: Number of the events.
        strings: Whether every other id is a string.
    """
    draw = random.Random(seed)
    events: list[Event] = []
    for _ in range(n):
        if events and draw.random() < 0.1:
            events.append(draw.choice(events[-50:]))
            continue
        movie: int | str = draw.randint(1, 12)
        user: int | str = draw.randint(1, 20)
        if strings:
            movie, user = (f"id-{i}" if i % 2 else i for i in (movie, user))
        data: dict[str, Any] = {
            "movie_id": movie,
            "title": f"T{draw.randint(1, 9)}",
            "tags": {"b": 0.5, "a": 0.1},
        }
        kind: type[Event] = draw.choice(_OF_MOVIE)
        if draw.random() < 0.8:
            kind = draw.choices(list(_OF_USER), list(_OF_USER.values()))[0]
            data = {"user_id": user, "movie_id": movie, "rating": draw.randint(1, 10) / 2}
        events.append(kind.model_validate({"data": data}))
    return events


def empty(settings: Settings, services: Sequence[str] = SERVICES) -> None:
    """Delete what services hold in Redis, but not the log."""
    with redis.Redis.from_url(settings.redis_url.get_secret_value()) as client:
        for service in services:
            for key in client.scan_iter(match=f"{settings.namespace}:{service}:*"):
                client.delete(key)
