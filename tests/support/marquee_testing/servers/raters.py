"""Users who rate one movie, and the count of their ratings in a store."""

from collections.abc import Callable

from marquee.bus.api import Bus, Outgoing
from marquee.domain.rating_sums import RatingSums
from marquee.events import RATINGS, Event, RatingAdded
from marquee.store.keys import Keys
from marquee.store.redis import RedisStore

USERS = range(1, 41)
"""They lie on all four partitions."""


def rate(bus: Bus, movie_id: int) -> None:
    """Let every user rate a movie."""
    pairs = [{"user_id": user, "movie_id": movie_id, "rating": 4.0} for user in USERS]
    publish(bus, *(RatingAdded.model_validate({"data": pair}) for pair in pairs))


def publish(bus: Bus, *events: Event) -> None:
    """Publish events by a new producer."""
    bus.producer().publish([Outgoing.of(event) for event in events])


def raters(url: str, keys: Keys) -> dict[int, int]:
    """Return the number of users who rated each movie, from the store."""
    store, found = RedisStore(url), dict[int, int]()
    for partition in keys.all(RATINGS):
        for name, packed in store.scan(partition.sums).items():
            found[int(name)] = found.get(int(name), 0) + RatingSums.unpack(packed).n
    store.close()
    return found


def all_rated(url: str, keys: Keys, movies: int) -> Callable[[], bool]:
    """Return a condition: every user has rated each movie from 1 on exactly once."""
    return lambda: raters(url, keys) == dict.fromkeys(range(1, movies + 1), len(USERS))
