"""The consumer loop on a real Valkey: facts change once, whatever arrives twice, late or broken."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from content.consumer import HANDLERS as CONTENT_HANDLERS
from gateway.consumer import GatewayProjection
from marquee.bus.api import Outgoing, TopicPartition, dead_letter_topic
from marquee.consumer.handlers.popularity import restore_sums
from marquee.consumer.unit_of_work import UnitOfWork
from marquee.domain.movies import Movie
from marquee.domain.ratings import Ratings
from marquee.errors import FenceLost, StoreUnavailable
from marquee.events import (
    MOVIES,
    RATINGS,
    MovieAdded,
    MovieBlocked,
    RatingAdded,
    RatingRemoved,
    UserErased,
)
from marquee.snapshots.partition import PartitionSnapshot
from marquee.store.api import Command
from marquee.store.keys import PartitionKeys
from marquee.store.redis import RedisStore
from marquee_testing.servers.raw_producers import RawProducer
from marquee_testing.servers.system import System, running
from marquee_testing.waiting import until

USERS = range(1, 41)


@dataclass
class OneSnapshot:
    """A history in which every user of a partition has rated movie 1 with 4 stars."""

    position: int
    users: dict[TopicPartition, dict[int, Ratings]] = field(default_factory=dict)

    def read(self, partition: TopicPartition) -> PartitionSnapshot | None:
        users = self.users.get(partition, {})
        return PartitionSnapshot(partition, self.position, users=users)


class ContentProjection(GatewayProjection):
    """The facts of the content service without its model."""

    handlers = CONTENT_HANDLERS

    def restore(self, unit_of_work: UnitOfWork, piece: PartitionSnapshot) -> None:
        restore_sums(unit_of_work, piece)


class UnsureStore(RedisStore):
    """A store whose n-th write is carried out, and then seems to have timed out."""

    fail_at = 0
    writes = 0

    def write(
        self,
        keys: PartitionKeys,
        expected: int | None,
        position: int | None,
        commands: list[Command] | tuple[Command, ...],  # type: ignore[override]
    ) -> None:
        super().write(keys, expected, position, commands)
        self.writes += 1
        if self.writes == self.fail_at:
            raise StoreUnavailable("the reply was lost")


@pytest.fixture
def system(place: RawProducer, redis_url: str, namespace: str) -> Iterator[System]:
    with running(place.bus, redis_url, namespace, GatewayProjection) as system:
        yield system


def rating(user_id: int, movie_id: int, stars: float, event_id: str | None = None) -> RatingAdded:
    data = {"user_id": user_id, "movie_id": movie_id, "rating": stars}
    return RatingAdded.model_validate({"data": data} | ({"id": event_id} if event_id else {}))


def test_two_consumers_share_four_partitions_and_every_rating_is_there_once(system: System) -> None:
    system.start()
    system.start()
    events = [rating(user, movie, 4.0) for user in USERS for movie in range(1, 26)]
    published = system.publish(*events)
    assert {p.partition.partition for p in published} == {0, 1, 2, 3}
    system.wait(published)
    assert all(len(system.ratings(user).rated) == 25 for user in USERS)


def test_a_late_duplicate_does_not_bring_back_an_older_rating(system: System) -> None:
    system.start()
    first, second = rating(1, 5, 2.0, "a"), rating(1, 5, 4.5, "b")
    system.wait(system.publish(first, second, first))
    assert system.ratings(1).rated == {5: 9}


def test_sums_follow_replaced_removed_and_erased_ratings(system: System) -> None:
    system.start(ContentProjection(), "content")
    removed = RatingRemoved.model_validate({"data": {"user_id": 2, "movie_id": 7}})
    erased = UserErased.model_validate({"data": {"user_id": 3}})
    published = system.publish(
        rating(1, 7, 5.0), rating(1, 7, 3.0), rating(2, 7, 4.0), rating(3, 7, 4.0), removed, erased
    )
    system.wait(published, "content")
    assert system.sums(7) == (1, 0, 6)


def test_a_step_whose_outcome_is_unknown_is_not_applied_twice(system: System) -> None:
    store = UnsureStore(system.url)
    store.fail_at = 10  # after the eight positions that an empty store gets, and one step
    system.start(ContentProjection(), "content", store)
    system.wait(system.publish(*(rating(user, 1, 5.0) for user in USERS)), "content")
    assert store.writes >= 10
    assert system.sums(1) == (len(USERS), len(USERS), 10 * len(USERS))


def test_a_twin_that_starts_from_an_old_position_changes_nothing(system: System) -> None:
    system.start()
    published = system.publish(rating(1, 1, 5.0))
    system.wait(published)
    keys, store = system.keys().user(1), RedisStore(system.url)
    late = UnitOfWork(keys, store)
    late.put_ratings(1, Ratings({99: 1}))
    with pytest.raises(FenceLost):
        store.write(keys, 0, 1, late.commands(0, 1))
    assert system.ratings(1).rated == {1: 10}


def test_a_command_on_a_key_of_another_type_leaves_all_keys_as_they_were(system: System) -> None:
    keys, store = system.keys().user(1), RedisStore(system.url)
    store.write(keys, None, 1, [("SET", keys.movies, "not a hash")])
    with pytest.raises(Exception, match="not a hash"):
        store.write(keys, 1, 2, [("SET", keys.sums, "x"), ("HSET", keys.movies, "1", "{}")])
    assert store.get(keys.sums) is None
    assert store.position(keys) == 1


def test_unreadable_and_misplaced_messages_become_dead_letters_and_harm_no_other(
    system: System,
) -> None:
    system.start()
    producer = system.bus.producer()
    good = rating(1, 1, 5.0)
    wrong_key = Outgoing(RATINGS, b"17", rating(1, 2, 5.0).encode())
    wrong_topic = Outgoing(MOVIES, b"1", rating(1, 3, 5.0).encode())
    broken = Outgoing(RATINGS, b"1", b'{"type": "rating.added", "data"')
    sent = producer.publish([broken, wrong_key, wrong_topic, Outgoing.of(good)])
    system.wait(sent)
    assert system.ratings(1).rated == {1: 10}
    reasons = dead_reasons(system, 3)
    assert sum("key" in reason and "is not the event's id" in reason for reason in reasons) == 1
    assert sum("belongs on topic ratings" in reason for reason in reasons) == 1
    assert sum("Invalid JSON" in reason for reason in reasons) == 1


def test_an_event_that_makes_its_handler_throw_is_put_aside_alone(system: System) -> None:
    class Failing(GatewayProjection):
        def __init__(self) -> None:
            def fail(unit_of_work: UnitOfWork, event: MovieAdded) -> None:
                if event.data.movie_id == 13:
                    raise ValueError("unlucky")
                unit_of_work.put_movie(event.data)

            self.handlers = {**GatewayProjection.handlers, MovieAdded: fail}

    system.start(projection=Failing())
    movies = [MovieAdded(data=Movie(movie_id=i, title=f"Film {i}")) for i in range(10, 17)]
    system.wait(system.publish(*movies))
    store = RedisStore(system.url)
    kept = {int(i) for keys in system.keys().all(MOVIES) for i in store.scan(keys.movies)}
    assert kept == {10, 11, 12, 14, 15, 16}
    assert dead_reasons(system, 1) == ["handler failed: ValueError: unlucky"]


def test_an_empty_store_is_filled_from_the_snapshot_before_events_are_read(system: System) -> None:
    keys = system.keys("content")
    users: dict[TopicPartition, dict[int, Ratings]] = {}
    for user in USERS:
        users.setdefault(keys.user(user).partition, {})[user] = Ratings({1: 8})
    system.start(ContentProjection(), "content", snapshots=OneSnapshot(0, users))
    system.wait(system.publish(rating(1, 1, 1.0)), "content")
    wanted = (len(USERS), len(USERS) - 1, 8 * (len(USERS) - 1) + 2)
    until(lambda: system.sums(1) == wanted)
    assert system.sums(1) == wanted


def test_a_block_is_in_the_store_with_who_and_why(system: System) -> None:
    system.start()
    data = {"movie_id": 5, "reason": "rights ended", "actor": "ann"}
    system.wait(system.publish(MovieBlocked.model_validate({"data": data})))
    keys, store = system.keys().movie(5), RedisStore(system.url)
    rules = store.scan(keys.rules)[b"5"]
    assert b"rights ended" in rules
    assert b"ann" in rules
    assert store.get(keys.rules_version) == b"0"


def dead_reasons(system: System, n: int) -> list[str]:
    """Return the reasons of all dead letters, once there are n."""
    topics = (dead_letter_topic(RATINGS), dead_letter_topic(MOVIES))
    subscription = system.bus.subscribe("reader", topics, lambda _: 0, lambda _: None)
    reasons: list[str] = []

    def read() -> bool:
        for messages in subscription.poll(0.1, 100).values():
            reasons.extend(message.headers["marquee-reason"] for message in messages)
        return len(reasons) >= n

    until(read)
    subscription.close()
    return reasons
